"""Equations 1 to 5 of the paper (section 3.3) and a loss for discriminators, without the gates: those multiply outside.

Logits are [N, k+1]: class i of the paper (1..k, "made by G_i") is index i-1, class k+1 ("real") is index k.
Every loss is a scalar averaged over the N samples of the batch. Students and teachers see the same z, sample by sample.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Reduction = Literal["mean", "sum"]
_REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda squares: squares.mean(),
    "sum": lambda squares: squares.sum() / len(squares),
}
"""Squared differences [N, L] -> their mean over the batch, averaged or summed over a vector's elements."""


def real_loss(logits: Tensor) -> Tensor:
    """Equation 1, real images: CE(D(x), k+1) for logits D(x) [N, k+1]."""
    return _cross_entropy(logits, logits.shape[1] - 1)


def fake_loss(logits: Tensor, generator: int) -> Tensor:
    """Equation 1, generated images: CE(D(G_i(z_i)), i) for logits [N, k+1] and `generator` i = 1..k."""
    k = logits.shape[1] - 1
    if not 1 <= generator <= k:
        raise ValueError(f"generator is {generator}, but the logits have k = {k} generators")
    return _cross_entropy(logits, generator - 1)


def adversarial_loss(logits: Tensor) -> Tensor:
    """Equation 2 without its gate: CE(D(G_i(z)), k+1) for logits [N, k+1]; low when D takes the images for real."""
    return _cross_entropy(logits, logits.shape[1] - 1)


def attention_map(features: Tensor) -> Tensor:
    """Equation 3: features F [N, C, H, W] -> q = Q / ||Q||_2 [N, H*W] with Q = (1/C) sum_c F_c^2, flattened.

    A map that is zero everywhere stays zero.
    """
    return F.normalize(features.square().mean(dim=1).flatten(1), dim=1)


def feature_transfer_loss(
    student: Sequence[Tensor],
    teacher: Sequence[Tensor],
    *,
    alpha: float,
    reduction: Reduction = "mean",
    detach_teacher: bool = True,
) -> Tensor:
    """Equation 4 without its gate: alpha * mean over layers m of the squared difference of q_s and q_t.

    `student` and `teacher` hold one attention map [N, H_m*W_m] per layer, in the same order. The squared difference
    is averaged over the batch, and over a vector's elements averaged ("mean", our reading) or summed ("sum").
    With `detach_teacher` no gradient flows into the teacher (our reading).
    """
    if len(student) != len(teacher) or not student:
        raise ValueError(f"{len(student)} student and {len(teacher)} teacher layers; both need the same, at least one")
    layers = [
        _squared_difference(q_s, q_t.detach() if detach_teacher else q_t, reduction)
        for q_s, q_t in zip(student, teacher, strict=True)
    ]
    return alpha * torch.stack(layers).mean()


def image_transfer_loss(
    student: Tensor,
    teacher: Tensor,
    *,
    alpha: float,
    reduction: Reduction = "mean",
    detach_teacher: bool = True,
) -> Tensor:
    """Equation 5 without its gate: alpha * the squared difference of g_s and g_t, g = G(z) / ||G(z)||_2.

    `student` and `teacher` are images [N, C, S, S] in [-1, 1]: each is flattened and divided by its own L2 norm, then
    compared as one layer of equation 4. An image that is zero everywhere stays zero.
    """
    return feature_transfer_loss(
        [F.normalize(student.flatten(1), dim=1)],
        [F.normalize(teacher.flatten(1), dim=1)],
        alpha=alpha,
        reduction=reduction,
        detach_teacher=detach_teacher,
    )


def output_transfer_loss(student: Tensor, teacher: Tensor, *, alpha: float, temperature: float) -> Tensor:
    """alpha * T^2 * KL(p_t || p_s), p = softmax(logits / T), for logits [N, k+1] of two discriminators.

    Between discriminators only (the paper's future work; the loss of deep mutual learning, softened, our reading); T^2
    keeps the gradient's size. No gradient flows into the teacher.
    """
    if student.shape != teacher.shape:
        raise ValueError(f"student {tuple(student.shape)} and teacher {tuple(teacher.shape)} differ in shape")
    p_s = F.log_softmax(student / temperature, dim=1)
    p_t = F.log_softmax(teacher.detach() / temperature, dim=1)
    return alpha * temperature**2 * F.kl_div(p_s, p_t, reduction="batchmean", log_target=True)


def _cross_entropy(logits: Tensor, index: int) -> Tensor:
    """Mean over the batch of -log softmax(logits)[index]."""
    return -F.log_softmax(logits, dim=1).select(1, index).mean()


def _squared_difference(a: Tensor, b: Tensor, reduction: Reduction) -> Tensor:
    """(a - b)^2 of vectors [N, L]: reduced over L as told, averaged over N."""
    if a.shape != b.shape:  # broadcasting would hide it
        raise ValueError(f"student {tuple(a.shape)} and teacher {tuple(b.shape)} differ in shape")
    squares = (a - b).square()
    if reduction not in _REDUCTIONS:
        raise ValueError(f"unknown reduction {reduction!r}; known are: {', '.join(_REDUCTIONS)}")
    return _REDUCTIONS[reduction](squares)
