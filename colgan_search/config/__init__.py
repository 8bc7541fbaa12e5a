"""One frozen, validated StudyConfig, read from YAML, with a fingerprint."""

from colgan_search.config.fingerprint import differences, fingerprint
from colgan_search.config.load import find_config, load_config, parse_config, shipped_configs, with_overrides
from colgan_search.config.members import members_used, require_members
from colgan_search.config.pruning import PruningSettings
from colgan_search.config.reading import read_setting, read_yaml
from colgan_search.config.schema import (
    STUDY_NAME,
    EvaluationSettings,
    RuntimeSettings,
    ServiceSettings,
    StudyConfig,
    TrainingSettings,
)
from colgan_search.config.searching import SearchSettings
from colgan_search.extensions.datasets import DataSettings
from colgan_search.extensions.fast import FastSettings
from colgan_search.extensions.networks import NetworkSettings
from colgan_search.extensions.transfers import TransferSettings

__all__ = [
    "STUDY_NAME",
    "DataSettings",
    "EvaluationSettings",
    "FastSettings",
    "NetworkSettings",
    "PruningSettings",
    "RuntimeSettings",
    "SearchSettings",
    "ServiceSettings",
    "StudyConfig",
    "TrainingSettings",
    "TransferSettings",
    "differences",
    "find_config",
    "fingerprint",
    "load_config",
    "members_used",
    "parse_config",
    "read_setting",
    "read_yaml",
    "require_members",
    "shipped_configs",
    "with_overrides",
]
