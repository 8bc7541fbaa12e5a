"""`precision` and `recall`: the share of the generated images that look real, and of the real ones that are covered."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from colgan_search.errors import DataError
from colgan_search.extensions.metrics import Metric, MetricSettings, Need, Samples


class NeighbourSettings(MetricSettings):
    """Of precision and of recall."""

    neighbours: int = Field(3, ge=1, le=1000, description="k of the nearest neighbours that span a set")


class _Share(Metric):
    """One of the two; both are computed at once."""

    settings = NeighbourSettings
    higher_is_better = True
    worst = 0.0
    needs = frozenset({Need.FEATURES, Need.REAL_FEATURES})
    key: ClassVar[str]
    """torch-fidelity's."""

    def check(self, settings: NeighbourSettings, images: int, real: int) -> None:
        """Every image and its neighbours."""
        require_neighbours(images, real, settings.neighbours)

    def words(self, settings: NeighbourSettings, images: int, real: int) -> str:
        """With the number of neighbours."""
        return f"{self.label} with {settings.neighbours} nearest neighbours"

    def compute(self, settings: NeighbourSettings, samples: Samples) -> Mapping[str, float]:
        """By torch-fidelity's function."""
        memo = ("precision and recall", settings.neighbours)
        if memo not in samples.memo:
            samples.memo[memo] = _both(settings.neighbours, samples)
        return {self.numbers[0]: float(samples.memo[memo][self.key])}


class Precision(_Share):
    """0..1."""

    name = "precision"
    label = "precision"
    numbers = ("precision",)
    key = "precision"


class Recall(_Share):
    """0..1."""

    name = "recall"
    label = "recall"
    numbers = ("recall",)
    key = "recall"


def require_neighbours(images: int, real: int, neighbours: int) -> None:
    """DataError unless both sets are large enough for precision and recall: every image and its neighbours."""
    for count, what in ((images, "images"), (real, "real images")):
        if count <= neighbours:
            raise DataError(f"precision and recall need at least {neighbours + 1} {what}; here are {count}")


def _both(neighbours: int, samples: Samples) -> Mapping[str, float]:
    from torch_fidelity.metric_prc import prc_features_to_metric

    features, real = samples.features, samples.real_features
    assert features is not None and real is not None  # they are among its needs
    require_neighbours(len(features), len(real), neighbours)
    # The generated images go first. save_cpu_ram: the same numbers without an N x M matrix (10 GB for 50,000).
    found: Mapping[str, float] = prc_features_to_metric(
        features, real, prc_neighborhood=neighbours, save_cpu_ram=True, verbose=False
    )
    return found


PRECISION, RECALL = Precision(), Recall()
