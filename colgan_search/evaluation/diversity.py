"""What figures 5 and 6 claim, as numbers of one training: how alike and how wide its generators' images are.

All in the space of the extractor's features (those of FID), with torch-fidelity's precision and recall.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch_fidelity.defaults import DEFAULTS
from torch_fidelity.metric_prc import KEY_METRIC_PRECISION, KEY_METRIC_RECALL, prc_features_to_metric

from colgan_search.evaluation.metrics.precision_recall import require_neighbours
from colgan_search.records import Record

NEIGHBOURS: int = DEFAULTS["prc_neighborhood"]
"""A sample is covered by a set if it is no farther from one of its members than that one's so-many-th neighbour."""


@dataclass(frozen=True)
class Draws:
    """Features of one generator's images, each [n, F] on the CPU."""

    shared: Tensor
    """Of z that every generator gets, in the same order."""
    own: Tensor
    """Of z that no other generator gets."""


class Diversity(Record):
    """The generators of one training. None where there is one generator, or where all images are the same."""

    paired: float | None = Field(
        description="distance of images of the same z / distance of images of unrelated z, between two generators: "
        "0 = the same image of every z, 1 = what they make of one z has nothing in common"
    )
    overlap: float | None = Field(
        description="share of one generator's images that another one covers / share that it covers of itself in a "
        "second draw: 0 = apart, about 1 = one distribution"
    )
    variance: float = Field(description="total variance (trace of the covariance) of all generators' images together")
    variance_within: float = Field(description="mean over the generators of the total variance of one's images alone")
    recall: float = Field(description="share of the real images that all generators' images together cover, 0..1")


def diversity(generators: Sequence[Draws], real: Tensor) -> Diversity:
    """The numbers of G1..Gk against the features of real images [m, F], best of as many as all generators' own.

    DataError if there are too few images for precision and recall.
    """
    together = torch.cat([draws.own for draws in generators])
    require_neighbours(min(len(draws.own) for draws in generators), len(real), NEIGHBOURS)
    pairs = list(combinations(generators, 2))
    paired = [paired_distance(first.shared, second.shared) for first, second in pairs]
    return Diversity(
        paired=_mean(paired),
        overlap=_overlap(generators),
        variance=total_variance(together),
        variance_within=float(np.mean([total_variance(draws.own) for draws in generators])),
        recall=coverage(real, together)[0],
    )


def total_variance(features: Tensor) -> float:
    """Trace of the covariance of features [n, F], n >= 2: a cloud ten times as wide has a hundred times as much."""
    return float(features.double().var(dim=0).sum())


def paired_distance(first: Tensor, second: Tensor) -> float | None:
    """Mean distance of first[i] and second[i], divided by that of first[i] and second[j], i != j; both [n, F].

    None if all of them are one point.
    """
    distances = torch.cdist(first.double(), second.double(), compute_mode="donot_use_mm_for_euclid_dist")
    n = len(distances)
    same = distances.diagonal().mean()
    unrelated = (distances.sum() - distances.diagonal().sum()) / (n * (n - 1))
    return float(same / unrelated) if unrelated > 0 else None


def coverage(points: Tensor, by: Tensor) -> tuple[float, float]:
    """Shares, 0..1, of `points` [n, F] that the samples `by` [m, F] cover, and of `by` that `points` cover."""
    metric = prc_features_to_metric(points, by, prc_neighborhood=NEIGHBOURS, save_cpu_ram=True, verbose=False)
    return metric[KEY_METRIC_PRECISION], metric[KEY_METRIC_RECALL]


def _overlap(generators: Sequence[Draws]) -> float | None:
    if len(generators) < 2:
        return None
    # Two draws of one generator do not cover each other wholly either: that is what "fully" means.
    itself = np.mean([coverage(draws.shared, draws.own) for draws in generators])
    each_other = np.mean([coverage(first.own, second.own) for first, second in combinations(generators, 2)])
    return float(each_other / itself) if itself > 0 else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
