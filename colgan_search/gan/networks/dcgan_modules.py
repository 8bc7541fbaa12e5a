"""DCGAN's generator and discriminator (sections 3.1 and 4.1 of the paper), for square images of 8, 16, ... 256 pixels.

At size S both networks have log2(S) - 1 layers: five at 64 x 64. Generator layer m makes 2^(m+1) x 2^(m+1) pixels, and
its channels halve from layer to layer down to `width` at the last hidden one; the discriminator mirrors it.

Our reading, where the paper only says DCGAN: the channel counts, LeakyReLU with slope 0.2, batch norm's weights from
N(1, 0.02) and biases 0 (all as in DCGAN's code), and one power iteration of spectral norm per forward pass.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import cached, is_parametrized

from colgan_search.extensions.family import DiscriminatorNetwork, GeneratorNetwork
from colgan_search.extensions.transfers import Maps
from colgan_search.gan.networks.products import FEW, from_point, to_few_channels
from colgan_search.gan.networks.spectral import iterate, judge

SLOPE = 0.2
"""Of LeakyReLU below zero."""


@dataclass(frozen=True)
class DiscriminatorNorm:
    """Where the discriminator has which norm: its first and last convolution are the ends, the others inside."""

    spectral_at_ends: bool
    spectral_inside: bool
    batch_inside: bool

    @property
    def bias(self) -> bool:
        """On every convolution, unless batch norm supplies it."""
        return not self.batch_inside


NORMS = {
    "spectral": DiscriminatorNorm(spectral_at_ends=True, spectral_inside=True, batch_inside=False),
    "spectral-replacing": DiscriminatorNorm(spectral_at_ends=False, spectral_inside=True, batch_inside=False),
    "batch": DiscriminatorNorm(spectral_at_ends=False, spectral_inside=False, batch_inside=True),
}
"""`network.discriminator_norm` -> what it means (section 3.1: batch normalization changes to SN)."""


class Discriminator(DiscriminatorNetwork):
    """4 x 4 convolutions with stride 2 and LeakyReLU 0.2, then one over the 4 x 4 that is left.

    'batch': DCGAN's own, batch norm on all but the first and the last layer, no biases. 'spectral': spectral norm on
    every convolution, no batch norm (our reading). 'spectral-replacing': spectral norm on those convolutions alone that
    batch norm followed, the first and the last without any norm. Both have a bias on every convolution, where
    DCGAN's own has none (our reading). Layer 1 is the finest; the last, which gives the logits, has no feature map.
    """

    def __init__(self, width: int, layers: int, channels: int, outputs: int, norm: DiscriminatorNorm) -> None:
        super().__init__()
        self.norm = norm
        hidden = [width * 2**depth for depth in range(layers - 1)]
        convolutions: list[nn.Module] = []
        activations: list[nn.Module] = []
        for depth, (before, after) in enumerate(zip([channels, *hidden], hidden, strict=False)):
            spectral = norm.spectral_at_ends if depth == 0 else norm.spectral_inside
            convolutions.append(_convolution(nn.Conv2d(before, after, 4, 2, 1, bias=norm.bias), spectral))
            normed = [_batch_norm(after)] if depth > 0 and norm.batch_inside else []
            activations.append(nn.Sequential(*normed, nn.LeakyReLU(SLOPE, inplace=True)))
        convolutions.append(
            _convolution(nn.Conv2d(hidden[-1], outputs, 4, 1, 0, bias=norm.bias), norm.spectral_at_ends)
        )
        activations.append(nn.Flatten())
        self.convolutions = nn.ModuleList(convolutions)
        self.activations = nn.ModuleList(activations)

    def forward_with_maps(
        self, images: Tensor, layers: Collection[int], maps: Maps = "activation"
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """See `DiscriminatorNetwork.forward_with_maps`."""
        x = images
        found: dict[int, Tensor] = {}
        for number, (convolution, activation) in enumerate(
            zip(self.convolutions, self.activations, strict=True), start=1
        ):
            convolved = _convolved(convolution, x)
            kept = number in layers
            # LeakyReLU works in place: what is kept is not to change.
            x = activation(convolved.clone() if kept and maps == "convolution" else convolved)
            if kept:
                found[number] = x if maps == "activation" else convolved
        return x, found

    def forward_batches(self, batches: Sequence[Tensor]) -> list[Tensor]:
        """See `DiscriminatorNetwork.forward_batches`; as one batch, where no batch norm forbids it."""
        if not (self.training and self.fast.spectral) or self.norm.batch_inside:
            return super().forward_batches(batches)
        if self.fast.one_pass and len({len(images) for images in batches}) == 1:
            return self._forward_batches(batches)
        return [logits for images in batches for logits in self._forward_batches([images])]

    def _forward_batches(self, batches: Sequence[Tensor]) -> list[Tensor]:
        x = torch.cat(list(batches)) if len(batches) > 1 else batches[0]
        for convolution, activation in zip(self.convolutions, self.activations, strict=True):
            if is_parametrized(convolution):
                slope = 1.0 if isinstance(activation, nn.Flatten) else SLOPE
                sigmas = iterate(convolution, len(batches))
                x = judge(x, convolution, slope, products=self.fast.matrix_products, sigmas=sigmas)
            else:
                x = activation(convolution(x))
        return list(x.flatten(1).chunk(len(batches)))


def _convolved(convolution: Any, x: Tensor) -> Tensor:
    """convolution(x); the weights under spectral norm in float32, whatever autocast does with the rest."""
    if not is_parametrized(convolution) or not torch.is_autocast_enabled(x.device.type):
        return convolution(x)  # type: ignore[no-any-return]
    with cached():
        with torch.autocast(x.device.type, enabled=False):
            _ = convolution.weight  # computed here, once, and kept for the next line
        return convolution(x)  # type: ignore[no-any-return]


class Generator(GeneratorNetwork):
    """Transposed convolutions, batch norm and ReLU, tanh at the end; layer 1 is 4 x 4, the last the image."""

    def __init__(self, z: int, width: int, layers: int, channels: int) -> None:
        super().__init__()
        hidden = [width * 2**depth for depth in reversed(range(layers - 1))]
        self.convolutions = nn.ModuleList(
            [
                _convolution(nn.ConvTranspose2d(z, hidden[0], 4, 1, 0, bias=False)),
                *(
                    _convolution(nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False))
                    for before, after in zip(hidden, [*hidden[1:], channels], strict=True)
                ),
            ]
        )
        self.activations = nn.ModuleList(
            [*(nn.Sequential(_batch_norm(width), nn.ReLU(inplace=True)) for width in hidden), nn.Tanh()]
        )

    def forward_with_maps(
        self, z: Tensor, layers: Collection[int], maps: Maps = "activation"
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """See `GeneratorNetwork.forward_with_maps`."""
        x = z[:, :, None, None]
        found: dict[int, Tensor] = {}
        last = len(self.convolutions)
        convolution: Any
        for number, (convolution, activation) in enumerate(
            zip(self.convolutions, self.activations, strict=True), start=1
        ):
            if number == 1 and self.fast.matrix_products:
                convolved = from_point(z, convolution.weight)
            elif number == last and self.fast.matrix_products and convolution.weight.shape[1] <= FEW:
                convolved = to_few_channels(x, convolution.weight)
            else:  # not the module: to find out its output padding, 0, it takes as long as a small product
                convolved = F.conv_transpose2d(x, convolution.weight, None, convolution.stride, convolution.padding)
            x = activation(convolved)
            if number in layers:
                found[number] = x if maps == "activation" else convolved
        return x, found


def _convolution(layer: nn.Module, spectral: bool = False) -> nn.Module:
    """Weights from N(0, 0.02), bias 0; spectral norm last, so that its power iteration starts on these weights."""
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    nn.init.normal_(layer.weight, 0.0, 0.02)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return spectral_norm(layer) if spectral else layer


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    """Weights from N(1, 0.02), bias 0 (our reading)."""
    layer = nn.BatchNorm2d(channels)
    nn.init.normal_(layer.weight, 1.0, 0.02)
    with torch.no_grad():
        layer.bias.zero_()
    return layer
