"""Metrics: the numbers that generated images are judged by. Built in: `is`, `fid`, `kid`, `precision`, `recall`."""

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from colgan_search.errors import PluginError
from colgan_search.extensions.section import Section
from colgan_search.records import Objective
from colgan_search.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor


class MetricSettings(Section):
    """The settings that every metric has."""

    name: str


class Need(str, Enum):
    """What a metric reads beside the logits of the generated images."""

    FEATURES = "features"
    """Of the generated images."""
    REAL_FEATURES = "real features"
    """Of all real images."""
    REFERENCE = "reference"
    """Mean and covariance of the features of all real images, which are kept on disk."""


@dataclass
class Samples:
    """One set of generated images as the extractor sees them, and the real ones beside it: what is needed of them."""

    what: str
    """Names the images in errors: `G2`."""
    splits: int
    """Of the inception score."""
    logits: "Tensor"
    """[N, classes], float32, on the extractor's device."""
    features: "Tensor | None" = None
    """[N, F], float32, on the CPU."""
    real_features: "Tensor | None" = None
    """[M, F], float32, on the CPU."""
    reference: Mapping[str, Any] | None = None
    """`mu` [F] and `sigma` [F, F] of the real images' features, as NumPy arrays."""
    reference_root: "Tensor | None" = None
    """A matrix R [F, F] with R R^T = `sigma`, float64, on the extractor's device; None if it is not known yet."""
    memo: dict[Hashable, Any] = field(default_factory=dict)
    """What one metric has computed and another one can use."""


class Metric(ABC):
    """One metric. What it measures of a generator are finite numbers under names that begin with its own."""

    name: ClassVar[str]
    settings: ClassVar[type[MetricSettings]]
    label: ClassVar[str]
    """In tables and figures: `FID`."""
    numbers: ClassVar[tuple[str, ...]]
    """The names of what it measures; the first is what a search can have as its objective."""
    higher_is_better: ClassVar[bool]
    worst: ClassVar[float]
    """The value of a training that diverged: finite, and no better than any that is measured."""
    needs: ClassVar[frozenset[Need]] = frozenset()

    def check(self, settings: Any, images: int, real: int) -> None:
        """DataError if so many generated or real images are too few."""
        return

    def words(self, settings: Any, images: int, real: int) -> str | None:
        """How it was measured, in one line below a table; None if the protocol says all."""
        return None

    @abstractmethod
    def compute(self, settings: Any, samples: Samples) -> Mapping[str, float]:
        """Every number of `numbers`. Diverged if it cannot be computed of these images."""


METRICS: Registry[Metric] = Registry(
    "metric",
    "colgan_search.metrics",
    Metric,  # type: ignore[type-abstract]
    {
        "is": "colgan_search.evaluation.metrics.inception_score:IS",
        "fid": "colgan_search.evaluation.metrics.fid:FID",
        "kid": "colgan_search.evaluation.metrics.kid:KID",
        "precision": "colgan_search.evaluation.metrics.precision_recall:PRECISION",
        "recall": "colgan_search.evaluation.metrics.precision_recall:RECALL",
    },
)


def get_metric(name: str) -> Metric:
    """The metric of that name. UnknownMember otherwise; PluginError if its numbers are not its own, or not usable."""
    metric = METRICS.get(name)
    where = f"the metric {name!r} of {METRICS.origin(name) or 'colgan-search itself'}"
    if not math.isfinite(metric.worst):
        raise PluginError(f"{where} has the worst value {metric.worst}; it must be finite")
    if not metric.numbers:
        raise PluginError(f"{where} names no numbers that it measures")
    taken = {number for other in METRICS.builtin() if other != name for number in METRICS.get(other).numbers}
    for number in metric.numbers:
        if not (number == name or number.startswith(f"{name}_")) or number in taken:
            raise PluginError(
                f"{where} measures {number!r}; its numbers are called {name} or {name}_..., as no other's"
            )
    return metric


def objective(name: str) -> Objective:
    """What a search for that metric aims at."""
    metric = get_metric(name)
    return Objective(
        metric=name,
        number=metric.numbers[0],
        label=metric.label,
        higher_is_better=metric.higher_is_better,
        worst=metric.worst,
    )
