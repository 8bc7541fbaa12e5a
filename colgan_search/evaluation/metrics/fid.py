"""`fid`: the Fréchet inception distance to all real images; asked for with `evaluation.fid`."""

from typing import Literal

from colgan_search.errors import Diverged
from colgan_search.evaluation.metrics.rounding import at_least
from colgan_search.extensions.metrics import Metric, MetricSettings, Need, Samples


class FidSettings(MetricSettings):
    """None."""

    name: Literal["fid"] = "fid"


class Fid(Metric):
    """See `evaluation.fid`."""

    name = "fid"
    settings = FidSettings
    label = "FID"
    numbers = ("fid",)
    higher_is_better = False
    worst = 1e6
    needs = frozenset({Need.FEATURES, Need.REFERENCE})

    def words(self, settings: FidSettings, images: int, real: int) -> None:
        """The protocol names the reference."""

    def compute(self, settings: FidSettings, samples: Samples) -> dict[str, float]:
        """Equal to torch-fidelity's to 1e-4."""
        import numpy as np
        import torch

        from colgan_search.evaluation.fid import covariance_root, feature_statistics, frechet_distance

        assert samples.features is not None and samples.reference is not None  # they are among its needs
        try:
            if samples.reference_root is None:
                samples.reference_root = covariance_root(dict(samples.reference), samples.logits.device)
            ours = feature_statistics(samples.features)
            value = frechet_distance(ours, dict(samples.reference), samples.reference_root)
        except (np.linalg.LinAlgError, torch.linalg.LinAlgError) as error:  # type: ignore[attr-defined]
            raise Diverged(f"{samples.what}: its FID cannot be computed: {error}") from error
        return {"fid": at_least(0.0, value, "FID", samples.what)}


FID = Fid()
