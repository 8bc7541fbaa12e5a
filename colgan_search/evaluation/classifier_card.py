"""What is known of a trained classifier, and how much its scores are worth. Needs no PyTorch: `status` reads it too."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from colgan_search.errors import DataError

USEFUL_ACCURACY = 0.9
"""Below this held-out accuracy, an inception score says little."""

REMEDY = "use more images, more evaluation.classifier_epochs{now}, or extractor: inception"


class Card(BaseModel):
    """What stands beside the cached weights, as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    held_out_accuracy: float = Field(ge=0.0, le=1.0)
    """Share of the held-out tenth that is classified rightly, 0..1."""
    epochs: int
    classes: tuple[str, ...]
    real: str
    """`name:count:digest` of the images that it was trained on."""
    architecture: int
    weights_digest: str
    """First 16 hexadecimal digits of the SHA-256 of the weights file."""


def card_path(weights: Path) -> Path:
    """The JSON beside a weights file."""
    return weights.with_suffix(".json")


def least_accuracy(classes: int) -> float:
    """Held-out accuracy below which no search begins: twice chance, but at most half way from chance to certainty."""
    chance = 1.0 / classes
    return min(2.0 * chance, (1.0 + chance) / 2.0)


def poor(accuracy: float | None) -> str | None:
    """What is to be said of scores by a classifier of this held-out accuracy; None if it is useful, or not known."""
    if accuracy is None or accuracy >= USEFUL_ACCURACY:
        return None
    return (
        f"the classifier that scores is right on only {100 * accuracy:.1f} % of its held-out images (useful from "
        f"{100 * USEFUL_ACCURACY:.0f} %): inception scores and FID by it are of little worth; {REMEDY.format(now='')}"
    )


def require_worth(card: Card, so: str | None = None) -> None:
    """DataError if scores by this classifier would be worth nothing.

    `so`: what is not done then, outside of a study; None = a search does not begin.
    """
    classes = len(card.classes)
    least = least_accuracy(classes)
    if card.held_out_accuracy < least:
        raise DataError(
            f"the classifier that is to score is right on only {100 * card.held_out_accuracy:.1f} % of its held-out "
            f"images, and guessing among {classes} classes on {100 / classes:.1f} %: below {100 * least:.1f} % every "
            f"score would be worthless, so {so or 'the search does not begin'}; "
            f"{REMEDY.format(now=f' (now {card.epochs})')}"
            + ("; each of these is another study (`study` NAME)" if so is None else "")
        )
