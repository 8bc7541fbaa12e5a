"""Spectral norm and what follows it as one step, for several batches at once.

PyTorch's own makes one power iteration at every forward pass and divides the weights by sigma. Here the output is
divided, so that batches which would have met the weights one after another, each with its own sigma, can be one batch;
the count of power iterations, u, v and every sigma stay what they were, but for rounding.
"""

from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from colgan_search.gan.networks.products import FEW, innermost, spread


@dataclass(frozen=True)
class Sigmas:
    """What the power iterations of J batches have found of one weight [A, B, H, W]."""

    u: Tensor  # [J, A]
    v: Tensor  # [J, H*W*B], in the order of `innermost`
    inverse: Tensor  # [J], 1 / sigma


@torch.no_grad()
def iterate(convolution: Any, batches: int) -> Sigmas:
    """As many power iterations as that many forward passes in train mode would make; u and v are kept for the next.

    In float32 also under autocast.
    """
    parts = convolution.parametrizations.weight
    weight, norm = parts.original, parts[0]
    kind = weight.device.type
    if not torch.is_autocast_enabled(kind):  # entering a context costs as much as a power iteration
        return _iterate(weight, norm, batches)
    with torch.autocast(kind, enabled=False):
        return _iterate(weight, norm, batches)


_VECTORS = attrgetter("_u", "_v")
"""The buffers' names in every state_dict of PyTorch's spectral norm; `get_buffer` takes as long as a product."""


def _iterate(weight: Tensor, norm: Any, batches: int) -> Sigmas:
    _, inputs, height, width = weight.shape
    matrix = innermost(weight)
    transposed = matrix.t()
    kept_u, kept_v = _VECTORS(norm)
    v = kept_v.view(inputs, height, width).permute(1, 2, 0).flatten()
    us, vs, lengths = [], [], []
    for _ in range(batches):
        for _ in range(norm.n_power_iterations):
            u = torch.mv(matrix, v)  # not divided by its length before all of them are at hand
            v = torch.mv(transposed, u)
            length = torch.linalg.vector_norm(v)
            v = v / length
        us.append(u)
        vs.append(v)
        lengths.append(length)
    every_u = torch.stack(us)
    of_u = torch.linalg.vector_norm(every_u, dim=1)
    every_u = every_u / of_u[:, None]
    kept_u.copy_(every_u[-1])
    kept_v.copy_(v.view(height, width, inputs).permute(2, 0, 1).flatten())
    return Sigmas(every_u, torch.stack(vs), of_u / torch.stack(lengths))  # sigma = u . W v = |W^T u|


def judge(x: Tensor, convolution: Any, slope: float, *, products: bool, sigmas: Sigmas) -> Tensor:
    """LeakyReLU(convolution(x)) with the weights over each batch's sigma; slope 1 = no activation.

    `x` [J*N, B, H, W] holds J batches of N samples, one after the other. Under autocast the convolution and its
    gradients are in half precision, everything of sigma's in float32.
    """
    weight = convolution.parametrizations.weight.original
    how = (list(convolution.stride), list(convolution.padding), slope, products)
    return _Judge.apply(x, weight, convolution.bias, sigmas, how)  # type: ignore[no-any-return]


class _Judge(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, sigmas: Sigmas, how: Any) -> Tensor:
        stride, padding, slope, products = how
        ctx.whole = products and stride == [1, 1] and padding == [0, 0] and x.shape[2:] == weight.shape[2:]
        if ctx.whole:
            y = F.linear(innermost(x), innermost(weight))[:, :, None, None]
        else:
            y = F.conv2d(x, weight, None, stride, padding)
        batches = y.view(sigmas.inverse.shape[0], -1, *y.shape[1:])
        torch.addcmul(bias.view(-1, 1, 1), batches, sigmas.inverse.view(-1, 1, 1, 1, 1), out=batches)
        if slope != 1.0:
            F.leaky_relu_(y, slope)
        ctx.save_for_backward(x, weight, bias, y)
        ctx.sigmas, ctx.how = sigmas, how
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        x, weight, bias, y = ctx.saved_tensors
        stride, padding, slope, products = ctx.how
        u, v, inverse = ctx.sigmas.u, ctx.sigmas.v, ctx.sigmas.inverse
        for_x, for_weight = ctx.needs_input_grad[:2]
        x_half, weight_half = x.to(y.dtype), weight.to(y.dtype)  # what the convolution met, under autocast
        inner = gradient if slope == 1.0 else torch.ops.aten.leaky_relu_backward.default(gradient, y, slope, True)
        batches = inner.view(inverse.shape[0], -1, *inner.shape[1:])
        of_x: Tensor | None
        direct: Tensor | None = None  # the weight's gradient with sigma held
        of_bias = of_weight = None
        if for_weight:
            of_biases = batches.sum((1, 3, 4), dtype=bias.dtype)
            of_bias = of_biases.sum(0)
            # The gradient before the activation times its input is the gradient after it times its output.
            pairs = zip(_rows(gradient, of_biases).unbind(), _rows(y, of_biases).unbind(), strict=True)
            along = torch.stack([torch.dot(g, out) for g, out in pairs]) - of_biases @ bias
        scale = inverse.view(-1, 1, 1, 1, 1)
        scaled = (batches.mul_(scale) if slope != 1.0 else (batches * scale).to(y.dtype)).flatten(0, 1)
        if ctx.whole:
            flat = scaled.flatten(1)
            of_x = (flat @ innermost(weight_half)).view(len(x), *x.shape[2:], -1).permute(0, 3, 1, 2) if for_x else None
            direct = flat.t() @ innermost(x_half) if for_weight else None
        else:
            few = products and for_x and (stride, padding) == ([2, 2], [1, 1]) and weight.shape[1] <= FEW
            of_x = spread(scaled, weight_half) if few and weight.shape[2:] == (4, 4) else None
            mask = [for_x and of_x is None, for_weight, False]
            if any(mask):
                pair = stride, padding, [1, 1], False, [0, 0], 1
                rest, full, _ = torch.ops.aten.convolution_backward.default(
                    scaled, x_half, weight_half, None, *pair, mask
                )
                of_x = rest if of_x is None else of_x
                direct = innermost(full) if for_weight else None
        if direct is not None:
            # d sigma / d W = u v^T, and the output goes with 1 / sigma
            whole = torch.addmm(direct.to(weight.dtype), (u * (along * inverse)[:, None]).t(), v, alpha=-1)
            height, width = weight.shape[2:]
            of_weight = whole.view(len(weight), height, width, -1).permute(0, 3, 1, 2)
        return of_x, of_weight, of_bias, None, None


def _rows(images: Tensor, of_biases: Tensor) -> Tensor:
    """[J*N, A, H, W] as [J, N*H*W*A], in the precision of what J sums are kept in."""
    return images.permute(0, 2, 3, 1).reshape(len(of_biases), -1).to(of_biases.dtype)
