"""The fingerprint of a study config: which settings it sees, and which it does not."""

import re
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from colgan_search.config import (
    StudyConfig,
    differences,
    fingerprint,
    load_config,
    parse_config,
    shipped_configs,
)
from colgan_search.config.fingerprint import result_settings
from colgan_search.gan.networks.dcgan import DcganSettings
from colgan_search.gan.transfers.paper import PaperTransferSettings

GOOD = """
name: study
k: 2
data: {name: digits, size: 16, channels: 1}
transfer: {kind: image, alpha: 20}
"""

OTHER_VALUES: dict[str, Any] = {
    "k": 3,
    "seed": 1,
    "discriminators": 2,
    "data.name": "cifar10",
    "data.size": 32,
    "data.channels": 3,
    "data.limit": 100,
    "data.skip_broken": True,
    "network.width": 8,
    "network.z": 7,
    "network.discriminator_norm": "batch",
    "transfer.kind": "features",
    "transfer.layers": [2, 3],
    "transfer.alpha": 21.0,
    "transfer.reduction": "sum",
    "transfer.detach_teacher": False,
    "transfer.maps": "convolution",
    "training.epochs": 51,
    "training.batch": 64,
    "training.learning_rate": 0.1,
    "training.betas": [0.0, 0.9],
    "training.discriminator_steps": "joint",
    "training.real_batches": "fresh",
    "training.ema": 0.99,
    "training.ramp": "epoch",
    "training.tf32": False,
    "training.precision": "bfloat16",
    "evaluation.extractor": "classifier",
    "evaluation.images": 999,
    "evaluation.splits": 3,
    "evaluation.point": "best",
    "evaluation.fid": False,
    "evaluation.fresh_images": True,
    "evaluation.metrics": ["recall"],
    "evaluation.every_epochs": 4,
    "evaluation.interim_images": 10,
    "evaluation.classifier_epochs": 3,
    "search.gates": ["through", "cutoff"],
    "search.objective": "fid",
    "search.sampler": "random",
    "search.startup_trials": 3,
    "search.first": ["mad-gan"],
    "pruning.method": "asha",
    "pruning.earliest": 0.3,
    "pruning.earliest_with_ramps": 0.6,
    "pruning.finish_anyway": 0.2,
    "pruning.reduction_factor": 3,
    "pruning.startup_trials": 6,
}
ONE_OF = ("network.name", "discriminator_transfer")
"""A single base GAN is built in, and a transfer among discriminators is for several of them."""
FREE_VALUES: dict[str, Any] = {
    "name": "another",
    "data.root": "/somewhere/else",
    "evaluation.weights": "/somewhere/weights.pth",
    "evaluation.batch": 16,
    "search.trials": 7,
    "runtime.device": "cpu",
    "runtime.threads": 4,
    "runtime.deterministic": True,
    "runtime.keep_best": 3,
    "runtime.checkpoint_minutes": 1.0,
    "runtime.fast.spectral": False,
    "runtime.fast.one_pass": False,
    "runtime.fast.matrix_products": False,
    "runtime.fast.one_adam": False,
    "runtime.fast.channels_last": False,
    "runtime.fast.cuda_graph": True,
    "runtime.fast.losses_every": 1,
    "service.lease_seconds": 5.0,
    "service.outage_minutes": 1.0,
    "service.hang_minutes": 1.0,
    "service.max_faults": 9,
    "service.max_vanished": 3,
    "cluster.kind": "slurm",
    "cluster.workers": 4,
    "cluster.checkpoints": "/shared/checkpoints",
    "artifacts.store": "none",
    "artifacts.place": "pictures",
    "artifacts.max_megabytes": 1.0,
}

SHIPPED = {
    "cifar10": "d4eae510ef4de8b0",
    "digits": "ccf5dedd37c341dc",
    "digits-k2": "61180f8be2db3c8a",
    "paper-digits/table1-dcgan": "df45d57e0fcfc0eb",
    "paper-digits/table1-dcgan-sn": "a28672dfef864c24",
    "paper-digits/table1-mad-gan": "c920857aa6100bcc",
    "paper-digits/table1-proposed": "b7059e34fd23c855",
    "paper-digits/table2-image": "eb78f23279dd315a",
    "paper-digits/table2-input-side": "24ee413dddcf5fca",
    "paper-digits/table2-output-side": "2fcbf91b179722b6",
    "paper-digits/table3-mad-gan": "a21a9fd7607485f3",
    "paper-digits/table3-proposed": "6da6ea1de03a6428",
    "paper/table1-dcgan": "761e4a00e82201d8",
    "paper/table1-dcgan-sn": "f10cda99a71f7a93",
    "paper/table1-mad-gan": "d421930cadf57158",
    "paper/table1-proposed": "81b5bee4be99c922",
    "paper/table2-image": "6c1eb502e4327915",
    "paper/table2-input-side": "ec0a5c0118328740",
    "paper/table2-output-side": "204e57cd567e3a7d",
    "paper/table3-mad-gan": "bc0eac31cf6e917e",
    "paper/table3-proposed": "d4eae510ef4de8b0",
}
"""Fingerprints of the shipped configs before extension points: studies that there are go on as they are.

`digits` and `digits-k2` name no sampler: 0.2.0 made `graph` the default.
"""


def every_key(model: type[BaseModel], prefix: str = "") -> list[str]:
    keys = []
    for name, field in model.model_fields.items():
        inner = {"network": DcganSettings, "transfer": PaperTransferSettings}.get(prefix + name, field.annotation)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            keys += every_key(inner, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys


def changed(key: str, value: Any) -> StudyConfig:
    data: dict[str, Any] = yaml.safe_load(GOOD)
    *sections, last = key.split(".")
    inner = data
    for section in sections:
        inner = inner.setdefault(section, {})
    inner[last] = value
    if key == "artifacts.place":
        inner["store"] = "folder"
    if key == "transfer.kind":
        data["transfer"]["layers"] = [3, 4]
    if key == "discriminators":
        data["discriminator_transfer"] = {"kind": "outputs"}
    if key in ("evaluation.point", "pruning.method"):
        data.setdefault("evaluation", {})["every_epochs"] = 5
    if key == "transfer.layers":
        data["transfer"]["kind"] = "features"
    return parse_config(data, "test")


def test_the_lists_of_this_test_name_every_setting() -> None:
    assert sorted([*OTHER_VALUES, *FREE_VALUES]) == sorted(key for key in every_key(StudyConfig) if key not in ONE_OF)


@pytest.mark.parametrize("key", OTHER_VALUES)
def test_the_fingerprint_changes_with_every_result_setting(key: str) -> None:
    base, other = parse_config(yaml.safe_load(GOOD), "test"), changed(key, OTHER_VALUES[key])
    assert fingerprint(base) != fingerprint(other)
    assert any(line.startswith(f"{key}: ") for line in differences(base, other))


@pytest.mark.parametrize("key", FREE_VALUES)
def test_the_fingerprint_does_not_see_where_and_how_fast(key: str) -> None:
    base, other = parse_config(yaml.safe_load(GOOD), "test"), changed(key, FREE_VALUES[key])
    assert base != other
    assert fingerprint(base) == fingerprint(other)
    assert differences(base, other) == []
    assert key not in result_settings(base)


def test_a_default_that_is_written_out_is_the_same_study() -> None:
    base = parse_config(yaml.safe_load(GOOD), "test")
    assert fingerprint(changed("training.epochs", 50)) == fingerprint(base)
    assert fingerprint(changed("transfer.alpha", 20)) == fingerprint(changed("transfer.alpha", 20.0))
    assert re.fullmatch("[0-9a-f]{16}", fingerprint(base))


def test_the_shipped_configs_are_the_studies_that_they_were() -> None:
    assert set(SHIPPED) <= set(shipped_configs())
    assert {name: fingerprint(load_config(name)) for name in SHIPPED} == SHIPPED


def test_settings_that_came_later_change_nothing_when_they_are_written_out() -> None:
    base = parse_config(yaml.safe_load(GOOD), "test")
    for key, value in {"evaluation.metrics": [], "search.objective": "is", "search.sampler_settings": {}}.items():
        assert fingerprint(changed(key, value)) == fingerprint(base)
    off = {"method": "none", "earliest": 0.25, "earliest_with_ramps": 0.5, "finish_anyway": 0.1}
    assert fingerprint(changed("pruning", off)) == fingerprint(base)
    lines = differences(base, changed("evaluation.metrics", ["kid"]))
    assert lines == ["evaluation.metrics: None | [{'name': 'kid', 'subsets': 100, 'subset_size': 1000}]"]


def test_differences_show_both_values() -> None:
    ours, theirs = changed("training.epochs", 60), changed("seed", 5)
    assert differences(ours, theirs) == ["seed: 0 | 5", "training.epochs: 60 | 50"]
