"""A metric: `brightness`, how far the generated images' features are from a mean that is wished for."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from colgan_search.extensions.metrics import Metric, MetricSettings, Need, Samples


class BrightnessSettings(MetricSettings):
    """The mean that is wished for."""

    name: Literal["brightness"] = "brightness"
    of: float = Field(0.5, description="mean feature")


class Brightness(Metric):
    """The absolute difference of the mean feature and the one that is wished for; 0 is best."""

    name = "brightness"
    settings = BrightnessSettings
    label = "brightness"
    numbers = ("brightness",)
    higher_is_better = False
    worst = 1e6
    needs = frozenset({Need.FEATURES})

    def compute(self, settings: BrightnessSettings, samples: Samples) -> Mapping[str, float]:
        """See `Metric.compute`."""
        assert samples.features is not None
        return {"brightness": abs(samples.features.mean().item() - settings.of)}


BRIGHTNESS = Brightness()
