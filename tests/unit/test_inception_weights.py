"""Inception weights from outside: missing, broken, malicious or badly downloaded ones are refused, never executed."""

import pickle
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from colgan_search.config import EvaluationSettings
from colgan_search.errors import DataError
from colgan_search.evaluation import inception, inception_file
from colgan_search.evaluation.extractors import Extractor, load_extractor
from colgan_search.extensions.datasets import Remote
from tests.unit.evaluation_helpers import CPU, Evil, digits


def _save_zip(path: Path, marker: Path) -> None:
    torch.save({"fc.weight": torch.zeros(2), "evil": Evil(marker)}, path)


def _save_legacy(path: Path, marker: Path) -> None:
    torch.save({"evil": Evil(marker)}, path, _use_new_zipfile_serialization=False)


def _save_plain_pickle(path: Path, marker: Path) -> None:
    path.write_bytes(pickle.dumps(Evil(marker), protocol=2))


def _save_garbage(path: Path, marker: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


def _save_empty(path: Path, marker: Path) -> None:
    path.touch()


def _save_truncated(path: Path, marker: Path) -> None:
    torch.save({"fc.weight": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:-1500])


def _save_list(path: Path, marker: Path) -> None:
    torch.save([torch.zeros(2)], path)


def _save_another_network(path: Path, marker: Path) -> None:
    torch.save(torch.nn.Linear(2, 2).state_dict(), path)


@pytest.mark.parametrize(
    "save",
    [
        _save_zip,
        _save_legacy,
        _save_plain_pickle,
        _save_garbage,
        _save_empty,
        _save_truncated,
        _save_list,
        _save_another_network,
    ],
)
def test_wrong_inception_weights_are_refused_and_never_executed(tmp_path: Path, save: Any) -> None:
    path, marker = tmp_path / "weights.pth", tmp_path / "evil"
    save(path, marker)
    settings = EvaluationSettings(extractor="inception", weights=str(path))
    with pytest.raises(DataError) as caught:
        load_extractor(settings, digits(10), tmp_path, CPU)
    assert str(path) in str(caught.value)
    assert "https://" in str(caught.value) and "evaluation.weights" in str(caught.value)
    assert not marker.exists(), "the file was executed"


def test_missing_inception_weights_are_named(tmp_path: Path) -> None:
    settings = EvaluationSettings(extractor="inception", weights=str(tmp_path / "nowhere.pth"))
    with pytest.raises(DataError, match=r"nowhere\.pth: no such file") as caught:
        load_extractor(settings, digits(10), tmp_path, CPU)
    assert "https://github.com/toshas/torch-fidelity" in str(caught.value)


def test_the_address_is_torch_fidelitys() -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    assert inception_file.WEIGHTS.address == URL_INCEPTION_V3


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty torch hub, and a server folder beside it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    (tmp_path / "server").mkdir()
    return tmp_path


def _serve(monkeypatch: pytest.MonkeyPatch, file: Path, content: bytes = b"") -> None:
    """`file` as the weights on the network, and `content` as what the file should hold."""
    monkeypatch.setattr(inception_file, "WEIGHTS", Remote(file.as_uri(), sha256(content).hexdigest(), len(content)))


def test_download_that_fails_says_what_to_do(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _serve(monkeypatch, hub / "server" / "weights-0123456789.pth")
    with pytest.raises(DataError) as caught:
        inception.load_inception()
    assert "could not be downloaded" in str(caught.value) and "evaluation.weights" in str(caught.value)
    assert str(inception_file.hub_path()) in str(caught.value)
    assert not inception_file.hub_path().exists()


def test_download_is_checked_against_its_digest(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"these are not the weights"
    file = hub / "server" / "weights-0123456789.pth"
    file.write_bytes(content[:-1])
    _serve(monkeypatch, file, content)
    with pytest.raises(DataError, match="could not be downloaded"):
        inception.load_inception()
    assert [path.name for path in inception_file.hub_path().parent.iterdir() if path.suffix == ".pth"] == []

    file.write_bytes(content)
    with pytest.raises(DataError, match="refused as Inception weights"):  # whole, but still no weights
        inception.load_inception()
    assert inception_file.hub_path().read_bytes() == content
    inception_is_here = inception_file.hub_path().stat().st_mtime_ns
    file.unlink()
    with pytest.raises(DataError, match="refused as Inception weights"):  # there already: nothing is fetched
        inception.load_inception()
    assert inception_file.hub_path().stat().st_mtime_ns == inception_is_here


def test_grey_images_are_repeated_for_a_colour_module() -> None:
    class Channels(torch.nn.Module):
        def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
            assert images.shape == (2, 3, 4, 4)
            return images.float().mean((2, 3)), images.float().amax((2, 3))

        @staticmethod
        def convert_features_tuple_to_dict(found: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
            return {"fid": found[0], "isc": found[1]}

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return metric

    grey = torch.arange(32, dtype=torch.uint8).reshape(2, 1, 4, 4)
    features, logits = Extractor("inception", "", Channels(), colour_only=True)(grey)
    assert features.tolist() == [[7.5] * 3, [23.5] * 3]
    assert logits.tolist() == [[15.0] * 3, [31.0] * 3]
