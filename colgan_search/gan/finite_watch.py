"""Notices NaN and Inf without waiting for the device at every iteration."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from colgan_search.errors import Diverged

OnLosses = Callable[[Iterable[tuple[int, str, float]]], None]
"""Hears of what was gathered: (iteration 1..T, name, value), some dozens of iterations at a time; must be quick."""


class FiniteWatch:
    """Gathers the losses of some iterations and looks at them all at once."""

    def __init__(self, every: int = 32, on_losses: OnLosses | None = None) -> None:
        self.every = every  # iterations of losses that are gathered before they are looked at
        self.on_losses = on_losses
        self._names: list[tuple[int, str]] = []
        self._losses: list[Tensor] = []
        self._since = 0

    def see(self, iteration: int, losses: Mapping[str, Tensor]) -> None:
        """Takes in the scalar losses of iteration 1..T. Diverged at the latest `every` iterations later."""
        self._names.extend((iteration, name) for name in losses)
        self._losses.extend(losses.values())
        self._since += 1
        if self._since >= self.every:
            self.check()

    def check(self) -> None:
        """Diverged if any loss since the last check is not finite; names the first one and its iteration."""
        names, losses = self._names, self._losses
        self._names, self._losses, self._since = [], [], 0
        if not losses:
            return
        values = torch.stack(losses).tolist()
        if self.on_losses is not None:
            self.on_losses((iteration, name, value) for (iteration, name), value in zip(names, values, strict=True))
        for (iteration, name), value in zip(names, values, strict=True):
            if value != value or abs(value) == float("inf"):
                raise Diverged(f"the loss of {name} is {value} at iteration {iteration}")
