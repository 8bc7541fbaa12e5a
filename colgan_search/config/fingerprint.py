"""What makes two studies the same: a digest of every setting that changes results."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from colgan_search.config.pruning import PruningSettings
from colgan_search.config.schema import StudyConfig
from colgan_search.extensions.samplers import SAMPLERS

NOT_RESULTS: tuple[tuple[str, ...], ...] = (
    ("name",),
    ("runtime",),
    ("service",),
    ("cluster",),
    ("artifacts",),
    ("data", "root"),
    ("evaluation", "weights"),
    ("evaluation", "batch"),
    ("search", "trials"),
)
"""Settings that say where, how fast or how long, but not what: free to differ between machines."""


CAME_LATER: dict[str, Any] = {
    "discriminators": 1,
    "discriminator_transfer": None,
    "training.tf32": True,
    "training.precision": "float32",
    "evaluation.metrics": [],
    "evaluation.fresh_images": False,
    "search.objective": "is",
    **{f"pruning.{name}": field.default for name, field in PruningSettings.model_fields.items()},
}
"""Key path -> default of settings that came after the first fingerprints: at their default they change none."""


def result_settings(config: StudyConfig) -> dict[str, Any]:
    """Key path -> value of every setting that changes results."""
    flat: dict[str, Any] = {}
    lengths = {("search", "sampler_settings", key) for key in SAMPLERS.get(config.search.sampler).lengths}
    passed_over = {*NOT_RESULTS, *lengths}

    def walk(data: Any, path: tuple[str, ...]) -> None:
        if path in passed_over:
            return
        if isinstance(data, dict):
            for key in sorted(data):
                walk(data[key], (*path, key))
        else:
            key = ".".join(path)
            if key not in CAME_LATER or data != CAME_LATER[key]:
                flat[key] = data

    walk(config.model_dump(mode="json"), ())
    return flat


def fingerprint(config: StudyConfig) -> str:
    """16 hexadecimal digits that are equal exactly when all result settings are."""
    text = json.dumps(result_settings(config), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(ours: StudyConfig, theirs: StudyConfig, counts: Callable[[str], bool] = lambda key: True) -> list[str]:
    """One line per result setting that differs and that `counts`: `key: ours | theirs`."""
    a, b = result_settings(ours), result_settings(theirs)
    keys = [key for key in sorted({*a, *b}) if counts(key)]
    return [f"{key}: {a.get(key)!r} | {b.get(key)!r}" for key in keys if a.get(key) != b.get(key)]
