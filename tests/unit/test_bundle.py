"""Bundles: the same bits as the generators in memory, nothing unpickled, and every way a bundle can be wrong."""

import json
import logging
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import nn

from colgan_search import file_names
from colgan_search.bundles import bundle as bundles
from colgan_search.bundles.bundle import Bundle, find_bundle, read_bundle, require_free, write_bundle
from colgan_search.bundles.sampling import sample_images, write_samples
from colgan_search.bundles.weights import save_generators
from colgan_search.config import StudyConfig, fingerprint, parse_config
from colgan_search.errors import BadInput, ConfigError, DataError
from colgan_search.gan.building import build_generator
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.images import to_bytes
from colgan_search.records import GeneratorScore, Protocol, Scores
from colgan_search.seeds import derive_seed
from tests.unit.evaluation_helpers import Evil

GRAPH = KnowledgeTransferGraph.from_text("G1=D:t,G2:p/G2=D:n")
CONFIG: StudyConfig = parse_config(
    {
        "name": "tiny",
        "k": 2,
        "data": {"name": "digits", "size": 8, "channels": 1},
        "network": {"width": 4, "z": 6},
        "transfer": {"kind": "image", "alpha": 1e-5},
    },
    "test",
)
PROTOCOL = Protocol(
    extractor="classifier", weights_digest="0" * 16, resolution=8, channels=1, images=10, splits=2, reference=None
)
SCORES = Scores(
    generators=(
        GeneratorScore(metrics={"is_mean": 2.0, "is_std": 0.1}),
        GeneratorScore(metrics={"is_mean": 3.0, "is_std": 0.2}),
    ),
    protocol=PROTOCOL,
)


@pytest.fixture
def generators() -> list[nn.Module]:
    """Two generators as a training leaves them: batch norms that have seen batches, in training mode."""
    made: list[nn.Module] = []
    for number in (1, 2):
        generator = build_generator(CONFIG.network, size=8, channels=1, seed=number)
        with torch.no_grad():
            for parameter in generator.parameters():
                parameter.mul_(10)  # images that are not all grey
            generator(torch.randn(32, 6, generator=torch.Generator().manual_seed(number)))
        made.append(generator)
    return made


@pytest.fixture
def bundle(tmp_path: Path, generators: list[nn.Module]) -> Bundle:
    save_generators(tmp_path / "run" / "weights.safetensors", generators, GRAPH)
    weights = tmp_path / "run" / "weights.safetensors"
    return write_bundle(tmp_path / "bundle", GRAPH, CONFIG, weights, SCORES, seed=11, command="colgan-search x")


def test_a_bundle_gives_the_bits_of_the_generators_in_memory(bundle: Bundle, generators: list[nn.Module]) -> None:
    z = torch.randn(64, 6, generator=torch.Generator().manual_seed(derive_seed(5, "sample")))
    for loaded, original in zip(read_bundle(bundle.folder).load(torch.device("cpu")), generators, strict=True):
        with torch.no_grad():
            expected = to_bytes(original.eval()(z))
        found = sample_images(loaded, 6, 64, seed=5)
        assert found.dtype == torch.uint8 and found.shape == (64, 1, 8, 8)
        assert torch.equal(found, expected)
        assert found.float().std() > 10


def test_samples_follow_from_seed_and_index_alone(bundle: Bundle) -> None:
    first, second = bundle.load(torch.device("cpu"))
    hundred = sample_images(first, 6, 100, seed=1)
    assert torch.equal(hundred, sample_images(first, 6, 100, seed=1))
    assert torch.equal(hundred[:70], sample_images(first, 6, 70, seed=1))
    assert torch.equal(hundred[:3], sample_images(first, 6, 3, seed=1))
    assert not torch.equal(hundred, sample_images(first, 6, 100, seed=2))
    assert not torch.equal(hundred, sample_images(second, 6, 100, seed=1))
    assert not torch.equal(hundred[:36], hundred[64:])


def test_what_a_bundle_holds(bundle: Bundle) -> None:
    folder = bundle.folder
    assert {path.name for path in folder.iterdir()} == set(file_names.BUNDLE) - {"generators-ema.safetensors"}
    assert json.loads((folder / "graph.json").read_text()) == GRAPH.to_json()
    scores = json.loads((folder / "scores.json").read_text())
    assert (scores["value"], scores["best_generator"], scores["seed"]) == (3.0, "G2", "11")
    assert scores["protocol"] == PROTOCOL.model_dump()
    assert (folder / "command.txt").read_text() == "colgan-search x\n"
    assert json.loads((folder / "versions.json").read_text())["torch"] == torch.__version__.split("+")[0]
    read = read_bundle(folder)
    assert (read.graph, read.config, read.best_generator) == (GRAPH, CONFIG, 2)
    assert fingerprint(read.config) == fingerprint(CONFIG)
    # samples.png: 32 images of each generator in rows of 16, two pixels around each
    picture = np.asarray(Image.open(folder / "samples.png"))
    assert picture.shape == (2 * (2 * 10 + 2), 16 * 10 + 2, 3)
    second = sample_images(bundle.load(torch.device("cpu"))[1], 6, 32, seed=0)
    np.testing.assert_array_equal(picture[22 + 12 : 22 + 20, 2 + 10 : 10 + 10, 0], second[17, 0].numpy())


def _torch_pickle(path: Path, marker: Path) -> None:
    torch.save({"G1.x": Evil(marker)}, path)


def _plain_pickle(path: Path, marker: Path) -> None:
    path.write_bytes(pickle.dumps(Evil(marker), protocol=2))


def _cut_short(path: Path, marker: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _of_one_generator_only(path: Path, marker: Path) -> None:
    save_generators(path, [build_generator(CONFIG.network, size=8, channels=1, seed=0)], GRAPH)


@pytest.mark.parametrize("spoil", [_torch_pickle, _plain_pickle, _cut_short, _of_one_generator_only])
def test_weights_that_are_no_safetensors_are_refused_and_never_unpickled(
    bundle: Bundle, tmp_path: Path, spoil: Callable[[Path, Path], None]
) -> None:
    marker = tmp_path / "evil"
    spoil(bundle.folder / "generators.safetensors", marker)
    with pytest.raises(DataError, match=r"generators\.safetensors: not the weights of 2 generators"):
        read_bundle(bundle.folder).load(torch.device("cpu"))
    assert not marker.exists(), "the file was executed"


def test_no_other_file_of_a_bundle_is_opened(bundle: Bundle, tmp_path: Path) -> None:
    for name in ("checkpoint.pt", "generators.pt", "model.pkl"):
        _torch_pickle(bundle.folder / name, tmp_path / "evil")
    os.mkfifo(bundle.folder / "pipe.safetensors")  # whoever opens it waits for ever
    assert len(read_bundle(bundle.folder).load(torch.device("cpu"))) == 2
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("version", [None, "0.0.1"])
def test_a_config_with_python_in_it_is_refused(bundle: Bundle, tmp_path: Path, version: str | None) -> None:
    marker = tmp_path / "evil"
    (bundle.folder / "config.yaml").write_text(f"name: !!python/object/apply:os.mkdir [{marker}]\n")
    if version is not None:
        (bundle.folder / "versions.json").write_text(json.dumps({"colgan-search": version}))
    with pytest.raises(ConfigError, match="not valid YAML"):
        read_bundle(bundle.folder)
    assert not marker.exists()


def test_a_bundle_of_another_version_is_read_with_a_warning(bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read_bundle(bundle.folder)
    assert caplog.text == ""
    data = yaml.safe_load((bundle.folder / "config.yaml").read_text())
    data["future"], data["network"]["style"] = {"a": 1}, "new"
    (bundle.folder / "config.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigError, match="unknown key"):
        read_bundle(bundle.folder)
    (bundle.folder / "versions.json").write_text(json.dumps({"colgan-search": "99.0"}))
    with caplog.at_level(logging.WARNING):
        read = read_bundle(bundle.folder)
    assert read.config == CONFIG and len(read.load(torch.device("cpu"))) == 2
    assert "made by colgan-search 99.0" in caplog.text and "left out" in caplog.text


def test_a_bundle_whose_scores_were_wrong_says_why(bundle: Bundle, caplog: pytest.LogCaptureFixture) -> None:
    (bundle.folder / "versions.json").write_text(json.dumps({"colgan-search": "0.1.0"}))
    with caplog.at_level(logging.WARNING):
        assert len(read_bundle(bundle.folder).load(torch.device("cpu"))) == 2
    assert "made by colgan-search 0.1.0" in caplog.text and "equation 5 without its norm" in caplog.text


def test_bundles_that_are_not_whole(bundle: Bundle, tmp_path: Path) -> None:
    folder = bundle.folder
    with pytest.raises(BadInput, match="no such folder"):
        read_bundle(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="is no bundle"):
        read_bundle(tmp_path)
    (folder / "scores.json").write_text("[]")
    with pytest.raises(DataError, match=r"scores\.json: is not the JSON object"):
        read_bundle(folder)
    (folder / "scores.json").write_text("{}")
    assert read_bundle(folder).best_generator is None
    (folder / "graph.json").write_text(json.dumps(KnowledgeTransferGraph.from_text("G1=D:t").to_json()))
    with pytest.raises(DataError, match="k = 1, its config k = 2"):
        read_bundle(folder)
    (folder / "generators.safetensors").unlink()
    with pytest.raises(BadInput, match=r"not whole: generators\.safetensors is missing"):
        read_bundle(folder)


def test_the_folder_of_train_stands_for_its_only_seed(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    bundle.folder.rename(tmp_path / "out" / "seed-0")
    assert find_bundle(tmp_path / "out") == tmp_path / "out" / "seed-0"
    (tmp_path / "out" / "seed-1").mkdir()
    (tmp_path / "out" / "seed-1" / "versions.json").write_text("{}")
    with pytest.raises(BadInput, match=r"several bundles; name one of them: .*seed-0, .*seed-1"):
        find_bundle(tmp_path / "out")


def test_where_a_bundle_may_be_put(bundle: Bundle, tmp_path: Path) -> None:
    require_free(tmp_path / "new")
    (tmp_path / "empty").mkdir()
    require_free(tmp_path / "empty")
    require_free(bundle.folder)
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="is a file"):
        require_free(tmp_path / "file")
    with pytest.raises(BadInput, match=r"holds weights\.safetensors"):
        require_free(tmp_path / "run")


def test_an_interrupted_export_is_no_bundle(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bundles, "write_grid", interrupted)
    weights = tmp_path / "run" / "weights.safetensors"
    with pytest.raises(KeyboardInterrupt):
        write_bundle(bundle.folder, GRAPH, CONFIG, weights, SCORES, seed=11, command="x")
    with pytest.raises(BadInput, match="is no bundle"):
        read_bundle(bundle.folder)
    monkeypatch.undo()
    require_free(bundle.folder)
    write_bundle(bundle.folder, GRAPH, CONFIG, weights, SCORES, seed=11, command="x")
    assert read_bundle(bundle.folder).best_generator == 2


def test_forms_of_samples(tmp_path: Path) -> None:
    random = torch.Generator().manual_seed(3)
    samples = {name: torch.randint(0, 256, (5, 3, 4, 4), generator=random, dtype=torch.uint8) for name in ("G1", "G2")}
    write_samples(tmp_path / "grid.png", samples)
    grid = np.asarray(Image.open(tmp_path / "grid.png"))  # rows of 3: two rows of G1, then two of G2
    assert grid.shape == (2 * (2 * 6 + 2), 3 * 6 + 2, 3)
    np.testing.assert_array_equal(grid[8:12, 8:12], samples["G1"][4].permute(1, 2, 0).numpy())
    np.testing.assert_array_equal(grid[16:20, 2:6], samples["G2"][0].permute(1, 2, 0).numpy())

    write_samples(tmp_path / "images.npz", samples)
    with np.load(tmp_path / "images.npz") as arrays:
        np.testing.assert_array_equal(arrays["G2"], samples["G2"].numpy())

    files = write_samples(tmp_path / "single", samples)
    assert [file.name for file in files[::9]] == ["G1-00000.png", "G2-00004.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(files[9])), samples["G2"][4].permute(1, 2, 0).numpy())
    with pytest.raises(BadInput, match="not an empty folder"):
        write_samples(tmp_path / "single", samples)
    with pytest.raises(BadInput, match=r"unknown form '\.gif'; give a grid in one \.png"):
        write_samples(tmp_path / "grid.gif", samples)


def test_weights_that_are_not_finite_are_said_to_be(generators: list[nn.Module]) -> None:
    with torch.no_grad():
        next(generators[0].parameters()).fill_(float("nan"))
    with pytest.raises(DataError, match="not finite"):
        sample_images(generators[0].eval(), 6, 2, seed=0)
