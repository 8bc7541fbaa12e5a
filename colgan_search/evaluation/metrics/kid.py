"""`kid`: the kernel inception distance to the real images, mean and deviation over random subsets."""

from typing import Literal

from pydantic import Field

from colgan_search.extensions.metrics import Metric, MetricSettings, Need, Samples


class KidSettings(MetricSettings):
    """torch-fidelity's own settings."""

    name: Literal["kid"] = "kid"
    subsets: int = Field(100, ge=1, le=100_000, description="random subsets that the distance is averaged over")
    subset_size: int = Field(1000, ge=2, le=1_000_000, description="images per subset, or all if there are fewer")

    def size(self, images: int, real: int) -> int:
        """Images per subset of so many generated and real ones."""
        return min(self.subset_size, images, real)


class Kid(Metric):
    """An unbiased estimate: about 0, and sometimes below, for equal sets."""

    name = "kid"
    settings = KidSettings
    label = "KID"
    numbers = ("kid_mean", "kid_std")
    higher_is_better = False
    worst = 1e6
    needs = frozenset({Need.FEATURES, Need.REAL_FEATURES})

    def words(self, settings: KidSettings, images: int, real: int) -> str:
        """With the numbers that were used."""
        return f"KID over {settings.subsets} subsets of {settings.size(images, real)}, against {real} real images"

    def compute(self, settings: KidSettings, samples: Samples) -> dict[str, float]:
        """By torch-fidelity's function, whose subsets are drawn from a fixed seed."""
        import torch
        from threadpoolctl import threadpool_limits
        from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

        features, real = samples.features, samples.real_features
        assert features is not None and real is not None  # they are among its needs
        with threadpool_limits(limits=torch.get_num_threads(), user_api="blas"):
            found = kid_features_to_metric(
                features,
                real,
                kid_subsets=settings.subsets,
                kid_subset_size=settings.size(len(features), len(real)),
                verbose=False,
            )
        return {"kid_mean": float(found[KEY_METRIC_KID_MEAN]), "kid_std": float(found[KEY_METRIC_KID_STD])}


KID = Kid()
