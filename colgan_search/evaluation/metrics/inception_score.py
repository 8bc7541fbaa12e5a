"""`is`: the inception score, mean and deviation over the splits (section 4.1)."""

from typing import TYPE_CHECKING, Literal

from colgan_search.evaluation.metrics.rounding import at_least
from colgan_search.extensions.metrics import Metric, MetricSettings, Samples

if TYPE_CHECKING:
    from torch import Tensor


class InceptionScoreSettings(MetricSettings):
    """None: the splits are `evaluation.splits`."""

    name: Literal["is"] = "is"


class InceptionScore(Metric):
    """Measured in every study."""

    name = "is"
    settings = InceptionScoreSettings
    label = "IS"
    numbers = ("is_mean", "is_std")
    higher_is_better = True
    worst = 1.0

    def compute(self, settings: InceptionScoreSettings, samples: Samples) -> dict[str, float]:
        """By torch-fidelity's formula."""
        from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, KEY_METRIC_ISC_STD

        found = _inception_score(samples.logits, samples.splits)
        return {
            "is_mean": at_least(1.0, found[KEY_METRIC_ISC_MEAN], "inception score", samples.what),
            "is_std": at_least(0.0, found[KEY_METRIC_ISC_STD], "inception score's deviation", samples.what),
        }


def _inception_score(logits: "Tensor", splits: int) -> dict[str, float]:
    """On the device of the logits, or on the CPU if its memory is too small for their float64 copies."""
    import torch
    from torch_fidelity.metric_isc import isc_features_to_metric

    try:
        score: dict[str, float] = isc_features_to_metric(logits, splits)
    except torch.OutOfMemoryError:
        score = isc_features_to_metric(logits.cpu(), splits)
    return score


IS = InceptionScore()
