"""The scores that a bundle carries, beside those of `evaluate`: found again, or why not."""

import json
from dataclasses import dataclass

from pydantic import ValidationError

from colgan_search.bundles.bundle import AVERAGES_SCORES, Bundle
from colgan_search.file_names import SCORES
from colgan_search.records import Scores, comparable, differences, score_text
from colgan_search.seeds import final_seed


@dataclass(frozen=True)
class Recorded:
    """What was measured of a bundle's weights when their training ended."""

    scores: Scores
    seed: int
    """Of the generated images (see `seeds.final_seed`)."""


def recorded(bundle: Bundle, ema: bool) -> Recorded | None:
    """The bundle's scores, or those of its moving averages; None if it does not say."""
    data = json.loads((bundle.folder / SCORES).read_text(encoding="utf-8"))
    try:
        part = data["variants"][AVERAGES_SCORES] if ema else data
        scores = Scores.model_validate({key: part[key] for key in ("generators", "protocol", "objective")})
        return Recorded(scores, final_seed(int(data["seed"]), bundle.config.training.epochs))
    except (KeyError, TypeError, ValueError, ValidationError):
        return None


def compared(known: Recorded, found: Scores, seed: int) -> str:
    """In one line: whether `found`, of images of `seed`, are the recorded scores, and if not, why."""
    if found.model_copy(update={"protocol": known.scores.protocol}) == known.scores and comparable(
        found.protocol, known.scores.protocol
    ):
        return "these are the bundle's recorded scores, found again"
    other = differences(found.protocol.model_dump(), known.scores.protocol.model_dump())
    differing = [f"{key} {ours}, recorded with {theirs}" for key, (ours, theirs) in other.items()]
    aim = known.scores.objective
    most = "maximum" if aim.higher_is_better else "minimum"
    value = f"the bundle's recorded {most} {aim.label} is {score_text(known.scores.value, 3)}"
    if differing:
        hint = ""
        if "weights_digest" in other:
            hint = " (`study` scores with the study's own classifier)"
        return f"{value}, under another protocol: {'; '.join(differing)}{hint}"
    if seed != known.seed:
        return f"{value}, of other images: leave out `seed` to draw the same"
    return f"{value}: another processor or another version of PyTorch rounds otherwise"
