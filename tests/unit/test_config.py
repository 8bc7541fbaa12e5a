"""The study config: what is read, what is refused and with which words, and what the fingerprint sees."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from colgan_search.config import (
    find_config,
    load_config,
    parse_config,
    shipped_configs,
    with_overrides,
)
from colgan_search.config.load import ALIASES
from colgan_search.errors import ConfigError
from colgan_search.gates import CUTOFF, NEGATIVE, PAPER_GATES, THROUGH

GOOD = """
name: study
k: 2
data: {name: digits, size: 16, channels: 1}
transfer: {kind: image, alpha: 20}
"""


def write(folder: Path, text: str | bytes) -> str:
    path = folder / "study.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def test_a_good_file(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD + "training: {learning_rate: 2e-4, betas: [0, 0.9]}\n"))
    assert (config.name, config.k, config.data.size, config.transfer.alpha) == ("study", 2, 16, 20.0)
    assert config.training.learning_rate == 2e-4
    assert config.training.betas == (0.0, 0.9)
    assert config.search.gates == PAPER_GATES
    assert config.search.trials == 1500


def test_gates_come_in_one_order_however_they_are_written(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, GOOD + "search: {gates: [negative, cutoff, through]}\n"))
    assert config.search.gates == (THROUGH, CUTOFF, NEGATIVE)


def test_anchors_and_merges_are_read(tmp_path: Path) -> None:
    text = "name: s\nk: 2\ndata: &d {name: digits, size: 16}\ntransfer: {kind: image}\n"
    assert load_config(write(tmp_path, text)).data.channels == 3
    merged = text.replace(
        "data: &d {name: digits, size: 16}", "data: {<<: {size: 8, channels: 1}, name: digits, size: 16}"
    )
    data = load_config(write(tmp_path, merged)).data
    assert (data.size, data.channels) == (16, 1)


BAD_LINES = [
    ("nope: 1", "nope: unknown key; known here: name, k, discriminators, seed, data"),
    ("1: 2", "1: unknown key"),
    ("network: {name: [dcgan], widht: 4}", "network.widht: unknown key; known here: name, z"),
    ("evaluation: {metrics: [{name: [kid], size: 4}]}", "evaluation.metrics.0.size: unknown key; known here: name"),
    (
        "discriminator_transfer: {kind: outputs, layers: [1]}",
        "discriminator_transfer.layers: unknown key; known here: kind, alpha, temperature",
    ),
    ("search: {trails: 3}", "search.trails: unknown key; known here: gates, trials"),
    ("search: {trials: 0}", "search.trials: 0 is not allowed: input should be greater than or equal to 1"),
    ("search: {trials: -4}", "search.trials: -4 is not allowed"),
    ("search: {trials: '5'}", "search.trials: '5' is not allowed: input should be a valid integer"),
    ("search: {trials: 1.5}", "search.trials: 1.5 is not allowed"),
    ("search: {trials: true}", "search.trials: True is not allowed"),
    ("search: {trials: null}", "search.trials: None is not allowed"),
    (
        "search: {sampler: cma}",
        "search.sampler: 'cma' is not allowed: unknown sampler 'cma'; known are: graph, tpe, random, gp, nsgaii, "
        "repeat",
    ),
    ("search: {gates: through}", "search.gates: 'through' is not allowed"),
    (
        "search: {gates: [through]}",
        "search.gates: ['through'] is not allowed: gates needs at least two different gates",
    ),
    ("search: {gates: [cutoff, cutoff]}", "search.gates: ['cutoff', 'cutoff'] is not allowed"),
    (
        "search: {gates: [through, thru]}",
        "search.gates.1: 'thru' is not allowed: unknown gate 'thru'; known are: through, cutoff",
    ),
    ("search: {first: [madgan]}", "search.first.0: 'madgan' is neither a preset nor a graph"),
    ("search: {first: [mad-gan, dcgan]}", "search.first.1: preset 'dcgan' is for k = 1, not for k = 2"),
    ("search: {first: ['G1=D:t']}", "search.first.0: the graph G1=D:t has k = 1, but k = 2"),
    (
        "search: {gates: [through, cutoff], first: [buffer]}",
        "search.first.0: 'buffer' has the gate positive, but search.gates has only through, cutoff",
    ),
    ("training: {learning_rate: .nan}", "training.learning_rate: nan is not allowed: input should be a finite number"),
    ("training: {learning_rate: .inf}", "training.learning_rate: inf is not allowed"),
    ("training: {learning_rate: 0}", "training.learning_rate: 0 is not allowed: input should be greater than 0"),
    ("training: {betas: [0.5, 1.0]}", "training.betas.1: 1.0 is not allowed: input should be less than 1"),
    ("training: {betas: [0.5]}", "training.betas.1: is missing"),
    ("training: [1]", "training: [1] is not allowed"),
    ("training:", "training: None is not allowed"),
    ("evaluation: {images: 5, splits: 10}", "evaluation: splits 10 exceeds images 5"),
    ("evaluation: {extractor: resnet}", "evaluation.extractor: 'resnet' is not allowed"),
    ("runtime: {device: tpu}", "runtime.device: 'tpu' is not allowed: input should be 'auto', 'cpu' or 'cuda'"),
    ("seed: -1", "seed: -1 is not allowed"),
    ("k: 3", "is not valid YAML: key 'k' stands twice at line 6"),
    (
        "service: {lease_seconds: 2020-01-01}",
        "service.lease_seconds: '2020-01-01' is not allowed: input should be a valid num",
    ),
    ("service: {lease_seconds: !!timestamp 2020-13-01}", "is not valid YAML: month must be in 1..12"),
    ("x: &a [*a]", "is not valid YAML: an alias stands inside what it names at line 6"),
    ("? [1, 2]\n: 3", "is not valid YAML: a key is one word"),
    ("x: [", "is not valid YAML: while parsing a flow"),
    ("x: !!python/object:os.system 1", "is not valid YAML: could not determine a constructor"),
    ("x: !!int a", "is not valid YAML: invalid literal for int()"),
    ("x: !!timestamp a", "is not valid YAML"),
    ("training: {batch: !!set {a}}", "training.batch: {'a'} is not allowed: a config holds texts"),
    ("x: 1" + "0" * 5000, "is not valid YAML: Exceeds the limit"),
    ("x: " + "[" * 3000, "is not valid YAML: maximum recursion depth"),
]


@pytest.mark.parametrize(("line", "said"), BAD_LINES, ids=[said[:40] for _, said in BAD_LINES])
def test_a_bad_line_is_refused_with_file_key_and_value(tmp_path: Path, line: str, said: str) -> None:
    path = write(tmp_path, GOOD + line + "\n")
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    assert f"{path}: {said}" in str(refused.value)


def test_a_name_that_looks_like_a_date_is_a_name(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("name: ", "name: 2026-01-01 # ", 1))
    assert load_config(path).name == "2026-01-01"


BAD_FILES = [
    ("", "a study config is a mapping of keys such as name, k and data, not None"),
    ("# nothing\n", "is a mapping of keys"),
    ("[1, 2]", "is a mapping of keys such as name, k and data, not [1, 2]"),
    ("just words", "not 'just words'"),
    (b"\x89PNG\r\n\x1a\n\x00\xff", "cannot be read: 'utf-8' codec"),
    ("name: a\x00", "is not valid YAML: unacceptable character"),
    ("a: 1\n---\nb: 2\n", "is not valid YAML: expected a single document"),
    ("\tname: a", "is not valid YAML: while scanning"),
    ("name: a\n", "data: is missing"),
    ("data: {name: digits}\ntransfer: {kind: image}\n", "name: is missing"),
    (GOOD.replace("k: 2", "k: 0"), "k: 0 is not allowed: input should be greater than or equal to 1"),
    (GOOD.replace("k: 2", "k: 65"), "k: 65 is not allowed: input should be less than or equal to 64"),
    (GOOD.replace("name: study", "name: ../study"), "name: '../study' is not allowed"),
    (GOOD.replace("name: study", "name: ''"), "name: '' is not allowed"),
    (
        GOOD.replace("name: digits", "name: mnist"),
        "data.name: 'mnist' is not allowed: unknown data set 'mnist'",
    ),
    (GOOD.replace("name: digits", "name: imagefolder"), "data: imagefolder needs root"),
    (GOOD.replace("size: 16", "size: 3"), "data.size: 3 is not allowed"),
    (GOOD.replace("channels: 1", "channels: 4"), "data.channels: 4 is not allowed"),
    (GOOD.replace("kind: image", "kind: features"), "transfer: feature transfer needs layers, e.g. [3, 4]"),
    (GOOD.replace("kind: image", "kind: image, layers: [3]"), "transfer: image transfer takes no layers"),
    (GOOD.replace("kind: image", "kind: features, layers: [3, 3]"), "transfer: layers has a number twice"),
    (GOOD.replace("kind: image", "kind: features, layers: [0]"), "transfer.layers.0: 0 is not allowed"),
    (GOOD.replace("kind: image", "kind: features, layers: 3"), "transfer.layers: 3 is not allowed"),
    (GOOD.replace("alpha: 20", "alpha: -1"), "transfer.alpha: -1 is not allowed"),
]


@pytest.mark.parametrize(("text", "said"), BAD_FILES, ids=[said[:40] for _, said in BAD_FILES])
def test_a_bad_file_is_refused_by_name(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    assert f"{path}: " in str(refused.value) and said in str(refused.value)


def test_every_problem_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + "seed: x\nsearch: {trials: 0}\n")
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    assert str(refused.value).splitlines() == [
        f"{path}: seed: 'x' is not allowed: input should be a valid integer",
        f"{path}: search.trials: 0 is not allowed: input should be greater than or equal to 1",
    ]


def test_long_values_are_shortened_in_messages(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(write(tmp_path, GOOD + "seed: " + "x" * 10_000))
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("name", ["nope", "nope.yaml", "x" * 5000, "a\0b"])
def test_neither_file_nor_shipped_is_refused_with_the_shipped_ones(name: str) -> None:
    with pytest.raises(ConfigError, match=r"shipped are: .*digits"):
        find_config(name)


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder; shipped are"):
        load_config(str(tmp_path))


def test_a_config_cannot_be_changed() -> None:
    config = load_config("digits")
    with pytest.raises(ValidationError, match="frozen"):
        config.k = 4
    with pytest.raises(ValidationError, match="frozen"):
        config.data.size = 8


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_every_shipped_config_loads_and_begins_with_its_command(name: str) -> None:
    config = load_config(name)
    lines = find_config(name).read_text(encoding="utf-8").splitlines()
    own = ALIASES.get(name, name)
    assert re.fullmatch(rf"# colgan-search launch --config {re.escape(own)}( --[a-z-]+ \S+)*", lines[0])
    assert config.name == own.replace("/", "-")
    assert parse_config(config.model_dump(mode="json"), "its own dump") == config


def test_the_digits_and_the_paper_are_shipped() -> None:
    assert {"digits", "digits-k2", "cifar10"} <= set(shipped_configs())
    assert load_config("paper/table3-proposed") == load_config("cifar10")
    paper = load_config("cifar10")
    assert (paper.k, paper.training.epochs, paper.training.batch, paper.transfer.alpha) == (3, 200, 256, 1000.0)
    assert (paper.transfer.layers, paper.evaluation.images, paper.evaluation.splits) == ((3, 4), 50_000, 10)
    assert (paper.search.trials, len(paper.search.gates)) == (1500, 4)


def test_overrides_are_checked_like_a_file() -> None:
    config = load_config("digits")
    assert with_overrides(config, {"search.trials": 12}).search.trials == 12
    assert load_config("digits", {"training.epochs": 2, "k": 2}).k == 2
    two = with_overrides(config, {"discriminators": 2, "discriminator_transfer.kind": "outputs"})
    assert two.discriminator_transfer is not None and two.discriminator_transfer.kind == "outputs"
    for overrides, words in (
        ({"trainng.epochs": 2}, "overrides: trainng: unknown key; known here: name, k"),
        ({"training.epoch": 2}, "overrides: training.epoch: unknown key"),
        ({"training.epochs.most": 2}, "overrides: training.epochs.most: epochs is a value"),
        ({"training.epochs": 0}, "overrides: training.epochs: 0 is not allowed"),
        ({"training.epochs": object()}, "overrides: training.epochs: <object"),
    ):
        with pytest.raises(ConfigError, match=words):
            with_overrides(config, overrides)
    assert config.search.trials == 40
    with pytest.raises(ConfigError, match=r"--trials: search\.trials: 0 is not allowed"):
        with_overrides(config, {"search.trials": 0}, "--trials")
