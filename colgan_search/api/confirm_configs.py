"""The configs of a confirmation's studies, from the search that it confirms."""

from collections.abc import Sequence
from typing import Any

from colgan_search import presets
from colgan_search.config import StudyConfig, parse_config, with_overrides
from colgan_search.search.proposing.race import RaceSettings, race_settings
from colgan_search.search.ranking.confirmed import ALONE, alone_name, awaits_alone
from colgan_search.search.ranking.estimates import GraphEstimate
from colgan_search.seeds import derive_seed
from colgan_search.symmetry import canonical


def race_config(
    search: StudyConfig,
    study: str,
    name: str,
    leading: Sequence[GraphEstimate],
    *,
    trials: int,
    epochs: int | None,
    baselines: bool,
    seeds: int,
    until: float,
) -> StudyConfig:
    """The race `name` of the leading graphs of `study`, which has so many complete trials under the config `search`.

    Everything that a score depends on is the search's, but for the seed, fresh images for the chosen generator, and
    the epochs if they are given.
    """
    candidates = [
        {
            "graph": one.best_run.graph,
            "estimate": one.estimate,
            "sd": one.estimate_sd,
            "runs": one.runs,
            "luckiest": one.best_run.value,
        }
        for one in leading
    ]
    beside = _baselines(search, [str(one["graph"]) for one in candidates]) if baselines else []
    gates = {gate.name for gate in search.search.gates}
    for one in beside:
        gates |= {gate.name for gate in presets.resolve(one["graph"], files=False).gates}
    data = search.model_dump(mode="json")
    data["name"] = name
    data["seed"] = derive_seed(search.seed, "confirm", name)
    data["training"]["epochs"] = epochs or search.training.epochs
    data["evaluation"]["fresh_images"] = True
    data.pop("pruning")  # every run of a race counts in full
    data["search"] = {
        "gates": sorted(gates),
        "objective": search.search.objective,
        "sampler": "race",
        "sampler_settings": {
            "study": study,
            "trials": trials,
            "epochs": search.training.epochs,
            "candidates": candidates,
            "baselines": beside,
            "seeds": seeds,
            "until": until,
        },
    }
    return with_length(parse_config(data, "confirm"), None, None)


def with_length(race: StudyConfig, seeds: int | None, until: float | None) -> StudyConfig:
    """The race with another number of seeds or another probability, where they are given, and the total they make."""
    given = {"seeds": seeds, "until": until}
    changes: dict[str, Any] = {
        f"search.sampler_settings.{name}": value for name, value in given.items() if value is not None
    }
    race = with_overrides(race, changes, "confirm")
    return with_overrides(race, {"search.trials": race_settings(race.search).rules.budget}, "confirm")


def same_race(race: StudyConfig, study: str, trials: int, *, top: int | None, epochs: int, baselines: bool) -> bool:
    """True if a confirmation is of this study with so many trials, and of what is asked for; `top` None = whatever."""
    settings = race.search.sampler_settings
    return (
        isinstance(settings, RaceSettings)
        and (settings.study, settings.trials, race.training.epochs) == (study, trials, epochs)
        and top in (None, len(settings.candidates))
        and bool(settings.baselines) == baselines
    )


def alone_config(race: StudyConfig) -> StudyConfig | None:
    """One DCGAN with the race's networks, data, training and scoring, as often as the winner.

    None if the race has no baselines, or one DCGAN is among them.
    """
    settings = race_settings(race.search)
    if not awaits_alone(settings):
        return None
    data = race.model_dump(mode="json")
    data |= {
        "name": alone_name(race.name),
        "k": 1,
        "discriminators": 1,
        "discriminator_transfer": None,
        "seed": derive_seed(race.seed, ALONE),
        "search": {
            "objective": race.search.objective,
            "sampler": "repeat",
            "first": [ALONE],
            "trials": settings.seeds,
        },
    }
    return parse_config(data, "confirm")


def _baselines(config: StudyConfig, candidates: Sequence[str]) -> list[dict[str, str]]:
    """The known methods among the study's own graphs; one DCGAN is a study of its own unless k and m are 1."""
    names = [ALONE] if config.k == 1 else ["mad-gan", "all-through"]
    if config.discriminators > 1:
        names = ["gman", *(["all-through"] if config.k > 1 else [])]
    known = {canonical(presets.resolve(text, files=False)): text for text in candidates}
    found = []
    for name in names:
        graph = presets.preset(name, config.roster)
        # A candidate that is this baseline under other labels gives it its text, so that they are seen to be one.
        found.append({"name": name, "graph": known.get(canonical(graph), graph.to_text())})
    return found
