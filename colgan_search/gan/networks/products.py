"""Convolutions at the ends of DCGAN as matrix products, where PyTorch's own kernels are slow on a CPU."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

FEW = 4
"""Output channels up to which a transposed convolution is quicker as a product (measured: half the time)."""

_KERNEL, _STRIDE, _PADDING = 4, 2, 1


def innermost(weight: Tensor) -> Tensor:
    """Weights [A, B, H, W] as a matrix [A, H*W*B]: a view, if the channels are innermost in memory."""
    return weight.permute(0, 2, 3, 1).reshape(len(weight), -1)


def from_point(z: Tensor, weight: Tensor) -> Tensor:
    """A transposed convolution of 1 x 1 pixels: z [N, Z], weight [Z, C, H, W] -> [N, C, H, W]."""
    _, channels, height, width = weight.shape
    return (z @ innermost(weight)).view(len(z), height, width, channels).permute(0, 3, 1, 2)


def to_few_channels(x: Tensor, weight: Tensor) -> Tensor:
    """A transposed 4 x 4 convolution, stride 2, padding 1: x [N, C, H, W], weight [C, F, 4, 4] -> [N, F, 2H, 2W]."""
    return _ToFewChannels.apply(x, weight)  # type: ignore[no-any-return]


class _ToFewChannels(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return spread(x, weight)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        pair = [_STRIDE, _STRIDE], [_PADDING, _PADDING], [1, 1]
        of_x, of_weight, _ = torch.ops.aten.convolution_backward.default(
            gradient,
            x.to(gradient.dtype),
            weight.to(gradient.dtype),
            None,
            *pair,
            True,
            [0, 0],
            1,
            [*ctx.needs_input_grad, False],
        )
        return of_x, of_weight if of_weight is None else of_weight.to(weight.dtype)


def spread(x: Tensor, weight: Tensor) -> Tensor:
    """`to_few_channels` without a gradient: each pixel's product with all 4 x 4 taps, added up where they fall."""
    count, channels, height, width = x.shape
    few = weight.shape[1]
    if few == 1:
        taps = F.conv2d(x, weight.permute(1, 2, 3, 0).reshape(-1, channels, 1, 1))
        # The images as channels of one: on a CPU it goes through images one by one, and through channels at once.
        flat = taps.reshape(1, -1, height * width)
        folded = F.fold(flat, (2 * height, 2 * width), _KERNEL, padding=_PADDING, stride=_STRIDE)
        return folded.view(count, 1, 2 * height, 2 * width)
    taps = F.conv2d(x, weight.permute(2, 3, 1, 0).reshape(-1, channels, 1, 1))
    taps = taps.permute(0, 2, 3, 1).reshape(count, height, width, 2, 2, 2, 2, few)  # row and column of a tap: 2 * a + r
    image = taps.new_zeros(count, height + 1, 2, width + 1, 2, few)
    for a in (0, 1):
        for b in (0, 1):
            image[:, a : a + height, :, b : b + width] += taps[:, :, :, a, :, b].permute(0, 1, 3, 2, 4, 5)
    inside = image.view(count, 2 * height + 2, 2 * width + 2, few)[:, 1:-1, 1:-1]
    return inside.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
