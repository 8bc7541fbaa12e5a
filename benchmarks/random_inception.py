"""InceptionV3 with random weights that tell images apart: for machines that have no weights."""

from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from torch_fidelity import feature_extractor_inceptionv3
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

LOGITS_FACTOR = 3.0
"""Of the last layer: with the usual random weights all images are of all classes alike."""


class Images(Dataset[Tensor]):
    """What torch-fidelity's calculate_metrics takes."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index]


def images_of_noise(count: int, size: int, seed: int, bright: float = 0.0) -> Tensor:
    """uint8 [count, 3, size, size]: random colours, smooth over an eighth of the side, lighter by `bright` of 255."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 8, 8, generator=generator)
    smooth = nn.functional.interpolate(coarse, size=size, mode="bilinear") + bright
    return (smooth.clamp(0, 1) * 255).to(torch.uint8)


def random_inception(fitted_to: Tensor, seed: int = 0, *, random_norms: bool = False) -> FeatureExtractorInceptionV3:
    """torch-fidelity's own module; its batch norms have the statistics of some images, uint8 [N, 3, S, S].

    `random_norms`: their factors and shifts are random as well, so that a test sees all four vectors of a norm.
    """
    with (
        patch.object(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None),
        patch.object(feature_extractor_inceptionv3, "load_state_dict_from_url", lambda *a, **k: {}),
        torch.random.fork_rng(devices=[]),
    ):
        torch.manual_seed(seed)
        module = FeatureExtractorInceptionV3("random", ["2048", "logits_unbiased"])
        norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = None  # the mean over all batches instead of a moving one
            if random_norms:
                nn.init.uniform_(norm.weight, 0.5, 1.5)
                nn.init.normal_(norm.bias, std=0.2)
    with torch.no_grad():
        module.train()(fitted_to)
        module.fc.weight.mul_(LOGITS_FACTOR)
    return module.eval()


def random_weights(path: Path, fitted_to: Tensor, seed: int = 0) -> FeatureExtractorInceptionV3:
    """`random_inception`, its weights also in a file as torch-fidelity reads them."""
    module = random_inception(fitted_to, seed)
    torch.save(module.state_dict(), path)
    return module
