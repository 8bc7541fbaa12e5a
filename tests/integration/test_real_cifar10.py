"""Real CIFAR-10 images at 32 x 32, narrow networks, a few hundred iterations on the CPU. Skipped without the images."""

import tarfile
from pathlib import Path

import pytest
import torch

from colgan_search.config import DataSettings, RuntimeSettings, TrainingSettings
from colgan_search.gan.datasets.loading import load_images
from colgan_search.gan.networks.dcgan import DcganSettings
from colgan_search.gan.trainer import train
from colgan_search.gan.transfers.features import FeatureTransferSettings
from colgan_search.images import to_pixels
from colgan_search.presets import preset
from colgan_search.roster import Roster

pytestmark = pytest.mark.slow

ARCHIVE = Path(__file__).resolve().parents[3] / "shared" / "data" / "cifar10-train-jpeg.tar.gz"
PER_CLASS = 100


@pytest.mark.slow
@pytest.mark.skipif(not ARCHIVE.exists(), reason="needs the CIFAR-10 images beside the project")
def test_real_images_train(tmp_path: Path) -> None:
    with tarfile.open(ARCHIVE) as archive:
        chosen = [m for m in archive.getmembers() if m.isfile() and int(Path(m.name).stem) < PER_CLASS]
        archive.extractall(tmp_path, members=chosen, filter="data")
    real = load_images(DataSettings(name="imagefolder", root=str(tmp_path / "train"), size=32, channels=3))
    assert real.images.shape == (10 * PER_CLASS, 3, 32, 32) and len(real.classes) == 10
    state = train(
        preset("all-through", Roster(2)),
        real.images,
        DcganSettings(width=8, z=32),
        FeatureTransferSettings(kind="features", layers=(2, 3), alpha=1000.0),
        TrainingSettings(epochs=8, batch=32, learning_rate=2e-3),
        RuntimeSettings(),
        seed=1,
        device=torch.device("cpu"),
    )
    assert state.iteration == 8 * 31
    z = torch.randn(64, 32, generator=torch.Generator().manual_seed(2))
    colours = to_pixels(real.images).mean(dim=(0, 2, 3))
    for generator in state.generators:
        with torch.no_grad():
            images = generator.eval()(z)
        assert images.isfinite().all()
        assert images.std(dim=0).mean() > 0.02, "images differ from one z to another"
        assert (images.mean(dim=(0, 2, 3)) - colours).abs().max() < 0.5, "their colours are near the real ones"
