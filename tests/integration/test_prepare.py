"""`prepare`: the folder that it makes, carried elsewhere, and what it says when something is wrong."""

import hashlib
import io
import json
import pickle
import socket
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from colgan_search.api.working import WorkRequest, work
from colgan_search.cli.app import run
from colgan_search.config import DataSettings, load_config
from colgan_search.downloading import Remote
from colgan_search.errors import DataError
from colgan_search.evaluation import classifier, fid, scores
from colgan_search.evaluation.extractor_kinds.inception import INCEPTION
from colgan_search.files import sha256_of
from colgan_search.gan.datasets import cifar10
from colgan_search.gan.datasets.loading import load_images
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import create_or_open
from tests.integration.cli_helpers import write_config
from tests.integration.file_server import Server
from tests.unit.evaluation_helpers import first_pixels

pytestmark = pytest.mark.usefixtures("quiet_process")


@pytest.fixture
def cifar(server: Server, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """A small CIFAR-10 archive and small weights on the server, known to torchvision and to `prepare` as the real ones.

    The extractor is replaced: no real Inception weights are at hand.
    """
    rows = np.random.default_rng(5).integers(0, 256, (50, 3072), dtype=np.uint8)
    parts = {
        f"data_batch_{n + 1}": pickle.dumps({"data": rows[10 * n : 10 * n + 10], "labels": list(range(10))})
        for n in range(5)
    }
    parts |= {"test_batch": b"test", "batches.meta": pickle.dumps({"label_names": list("abcdefghij")})}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in parts.items():
            member = tarfile.TarInfo(f"{CIFAR10.base_folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in parts.items()}
    monkeypatch.setattr(CIFAR10, "train_list", [[f"data_batch_{n}", md5[f"data_batch_{n}"]] for n in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5["test_batch"]]])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": md5["batches.meta"]}
    monkeypatch.setattr(CIFAR10, "meta", meta)
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(archive.getvalue()).hexdigest())
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:9/never")
    data, weights = (
        Remote(address, hashlib.sha256(content).hexdigest(), len(content))
        for address, content in (
            (cifar10.ARCHIVE.address, archive.getvalue()),
            (INCEPTION.remote().address, b"weights" * 100),
        )
    )
    server.files |= {data.name: archive.getvalue(), weights.name: b"weights" * 100}
    monkeypatch.setattr(cifar10.Cifar10, "remotes", (data,))
    monkeypatch.setattr(type(INCEPTION), "remote", lambda self: weights)
    monkeypatch.setattr(scores, "load_extractor", lambda *a: first_pixels())
    return rows


def _prepare(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    capsys.readouterr()
    found = run(["prepare", *map(str, arguments)])
    text = "".join(capsys.readouterr())
    assert found == code, text
    assert "Traceback" not in text and "defect" not in text
    return text


def test_cifar10_and_inception_into_one_folder(
    server: Server, cifar: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, mirror = tmp_path / "lab", f"{server.address}/good"
    data = {"name": "cifar10", "size": 32, "channels": 3}
    config = write_config(tmp_path, data=data, evaluation__extractor="inception")
    text = _prepare(capsys, folder, "--config", config, "--mirror", mirror)
    assert '--data-root "$PWD/cifar10" --weights "$PWD/weights/weights-inception-2015-12-05-6726825d.pth"' in text
    assert "--config config.yaml" in text and (folder / "config.yaml").read_text() == config.read_text()

    sums = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
    manifest = json.loads((folder / "manifest.json").read_text())
    assert sums == {name: entry["sha256"] for name, entry in manifest["files"].items()}
    assert {name: sha256_of(folder / name) for name in sums} == sums
    assert sums["cifar10/cifar-10-python.tar.gz"] == cifar10.CIFAR10.remotes[0].sha256
    assert [name.split("-")[0] for name in sums if name.startswith("cache/")] == ["cache/fid"]
    assert "colgan-search launch --config config.yaml --data-root" in (folder / "README.md").read_text()

    moved = folder.rename(tmp_path / "carried")  # as on another machine; the server is not asked again
    server.files.clear()
    real = load_images(DataSettings(name="cifar10", root=str(moved / "cifar10"), size=32))
    np.testing.assert_array_equal(real.images.numpy(), cifar.reshape(50, 3, 32, 32))
    statistics = next((moved / "cache").glob("fid-*.npz"))
    with np.load(statistics) as found:  # the stand-in's features are the first two pixels
        np.testing.assert_allclose(found["mu"], cifar[:, :2].mean(0), rtol=1e-6)
    before = statistics.stat().st_mtime_ns
    assert _prepare(capsys, moved, "--config", config, "--mirror", mirror).count("its SHA-256 is right") == 2
    assert statistics.stat().st_mtime_ns == before


def test_a_study_fetches_cifar10_by_the_same_rule(
    server: Server, cifar: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (known,), settings = cifar10.CIFAR10.remotes, DataSettings(name="cifar10", root=str(tmp_path / "new"), size=32)
    wrong, good = (replace(known, address=f"{server.address}/{what}/{known.name}") for what in ("wrong", "good"))
    monkeypatch.setattr(cifar10.Cifar10, "remotes", (wrong,))
    with pytest.raises(DataError, match=r"could not be downloaded .*not the expected file"):
        load_images(settings)
    assert not (tmp_path / "new").exists()
    monkeypatch.setattr(cifar10.Cifar10, "remotes", (good,))
    np.testing.assert_array_equal(load_images(settings).images.numpy(), cifar.reshape(50, 3, 32, 32))


def test_a_download_that_fails_ends_the_command_and_can_be_taken_up(
    server: Server, cifar: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {"name": "cifar10", "size": 32, "channels": 3}
    config = write_config(tmp_path, data=data, evaluation__extractor="inception")
    for how, code in (("404", 2), ("wrong", 2), ("truncated", 2), ("gone", 1), ("503", 1)):
        mirror = f"{server.address}/{how}"
        assert "error: http" in _prepare(capsys, tmp_path / "lab", "--config", config, "--mirror", mirror, code=code)
        assert [path.name for path in (tmp_path / "lab").rglob("*") if path.suffix != ".lock"] == ["cifar10"]
    _prepare(capsys, tmp_path / "lab", "--config", config, "--mirror", f"{server.address}/good", "--no-statistics")
    assert (tmp_path / "lab" / "manifest.json").is_file() and not (tmp_path / "lab" / "cache").exists()


def test_digits_need_nothing_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: pytest.fail("went to the network"))
    config = write_config(tmp_path)
    text = _prepare(capsys, "lab", "--config", config, "--json")
    found = json.loads(next(line for line in text.splitlines() if line.startswith("{")))
    kinds = sorted(name.split("/")[1].split("-")[0] + Path(name).suffix for name in found["files"])
    assert kinds == ["classifier.json", "classifier.safetensors", "fid.npz"]
    assert found["options"] == '--config config.yaml --work-dir "$PWD"'
    monkeypatch.chdir(tmp_path / "lab")
    before = {path: path.stat().st_mtime_ns for path in Path("cache").iterdir() if path.suffix != ".lock"}
    train = ("train", "--config", "config.yaml", "--graph", "mad-gan", "--out", "run", "--work-dir", ".")
    assert run(list(train)) == 0
    assert before == {path: path.stat().st_mtime_ns for path in Path("cache").iterdir() if path.suffix != ".lock"}

    # a search in it scores with the prepared classifier and statistics too
    monkeypatch.setattr(classifier, "train_classifier", lambda *a: pytest.fail("trained a classifier of its own"))
    monkeypatch.setattr(fid, "_compute", lambda *a: pytest.fail("computed the statistics again"))
    url = f"sqlite:///{Path.cwd() / 'studies.db'}"
    create_or_open(open_storage(url, create=True), load_config("config.yaml"), "small", 1).storage.close()
    assert work(WorkRequest("small", url, Path.cwd()), threading.Event()).accepted == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("lab --config nowhere", "'nowhere' is neither"),
        ("lab --config small.yaml --mirror host/x", "--mirror 'host/x' is not allowed"),
        ("lab --config small.yaml --device tpu", "unknown device"),
        ("small.yaml --config small.yaml", "is a file, not a folder"),
        ("", "Missing argument 'folder'"),
    ],
)
def test_bad_input(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path)
    assert expected in _prepare(capsys, *arguments.split(), code=2)
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_the_published_digests() -> None:
    # Keras, torchvision and torch-fidelity carry these in their sources.
    assert cifar10.ARCHIVE.sha256 == "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
    assert cifar10.ARCHIVE.address == CIFAR10.url and cifar10.ARCHIVE.name == CIFAR10.filename
    weights = INCEPTION.remote()
    digits = weights.name.rsplit("-", 1)[1].removesuffix(".pth")
    assert weights.sha256.startswith(digits) and len(weights.sha256) == 64
