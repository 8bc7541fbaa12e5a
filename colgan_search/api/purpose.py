"""What a study is for."""

from typing import Literal

from colgan_search.config import StudyConfig
from colgan_search.extensions.samplers import SAMPLERS
from colgan_search.search.proposing.race import is_race

Purpose = Literal["search", "confirmation", "trainings"]


def purpose_of(config: StudyConfig) -> Purpose:
    """`trainings`: of graphs that the config names, such as the one DCGAN beside a confirmation."""
    if is_race(config):
        return "confirmation"
    return "search" if SAMPLERS.get(config.search.sampler).searches else "trainings"
