"""GraphSampler with Optuna alone: Optuna's own suites, and what they do not ask."""

from collections.abc import Callable

import optuna
import pytest
from optuna.testing.pytest_samplers import BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase

from colgan_search import GraphSampler


class TestOptunasSuites(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], optuna.samplers.BaseSampler]:
        return lambda: GraphSampler(k=2, startup_trials=2)
