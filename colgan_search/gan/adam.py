"""PyTorch's fused Adam without what its Python does around the kernel at every step: the same kernel, the same bits."""

from typing import Any

import torch
from torch import Tensor

_KERNELS: tuple[Any, Any] = getattr(torch, "_foreach_add_", None), getattr(torch, "_fused_adam_", None)
"""What `torch.optim.Adam` calls; None in a PyTorch that has it under another name."""


class Adam(torch.optim.Adam):
    """Adam with `fused`; its state, its checkpoints and its numbers are those of PyTorch's own class."""

    def advance(self) -> None:
        """What `step` does: weights without a gradient are left alone, their moments too."""
        (group,) = self.param_groups
        weights: list[Tensor] = [weight for weight in group["params"] if weight.grad is not None]
        if not weights:
            return
        states = [self.state[weight] for weight in weights]
        if group["capturable"] or None in _KERNELS or not all(states):  # the first step makes the moments
            self.step()
            return
        add, step = _KERNELS
        counts = [state["step"] for state in states]
        beta1, beta2 = group["betas"]
        with torch.no_grad():
            add(counts, 1)
            step(
                weights,
                [weight.grad for weight in weights],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                counts,
                lr=group["lr"],
                beta1=beta1,
                beta2=beta2,
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                amsgrad=group["amsgrad"],
                maximize=group["maximize"],
            )

    def forget(self) -> None:
        """What `zero_grad` does: the next backward pass begins without gradients."""
        for group in self.param_groups:
            for weight in group["params"]:
                weight.grad = None
