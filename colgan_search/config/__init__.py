"""One frozen, validated StudyConfig, read from YAML, with a fingerprint."""

from colgan_search.config.fingerprint import differences, fingerprint
from colgan_search.config.load import find_config, load_config, parse_config, shipped_configs, with_overrides
from colgan_search.config.reading import read_yaml
from colgan_search.config.schema import (
    STUDY_NAME,
    DataSettings,
    EvaluationSettings,
    RuntimeSettings,
    SearchSettings,
    ServiceSettings,
    StudyConfig,
    TrainingSettings,
)
from colgan_search.extensions.networks import NetworkSettings
from colgan_search.extensions.transfers import TransferSettings

__all__ = [
    "STUDY_NAME",
    "DataSettings",
    "EvaluationSettings",
    "NetworkSettings",
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
    "parse_config",
    "read_yaml",
    "shipped_configs",
    "with_overrides",
]
