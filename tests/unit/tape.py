"""A CUDA graph's behaviour on the CPU: operators are recorded with their tensors, undone, and done again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from colgan_search.gan.captured import Recorder

REFUSED = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default, torch.ops.aten.equal.default}
"""Operators whose result Python waits for: CUDA refuses them while it records."""


UNSAID = {torch.ops.aten.native_batch_norm.default: (3, 4)}
"""Operators that write over arguments of which their schema does not say so: running mean and variance."""


class Tape(TorchDispatchMode):
    """Every operator that runs inside, with its very tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []
        self._born: set[int] = set()
        self._before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs it, after keeping what it will write over."""
        kwargs = kwargs or {}
        if func in REFUSED:
            raise RuntimeError(f"{func} is not permitted when stream is capturing")
        for number, argument in enumerate(func._schema.arguments):
            written = argument.alias_info is not None and argument.alias_info.is_write
            if written or number in UNSAID.get(func, ()):
                given = args[number] if number < len(args) else kwargs.get(argument.name)
                for tensor in tree_leaves(given):
                    self._keep(tensor)
        found = func(*args, **kwargs)
        self.calls.append((func, args, kwargs, found))
        for tensor in self._new(func, found):
            self._born.add(tensor.untyped_storage()._cdata)
        return found

    def _keep(self, tensor: Any) -> None:
        if not isinstance(tensor, Tensor):
            return
        storage = tensor.untyped_storage()
        if storage._cdata not in self._born and storage._cdata not in self._before:
            self._before[storage._cdata] = storage, storage.clone()

    @staticmethod
    def _new(func: Any, found: Any) -> list[Tensor]:
        """What it has made, and not only passed on or looked at in another way."""
        several = found if isinstance(found, (tuple, list)) and len(func._schema.returns) > 1 else (found,)
        pairs = zip(func._schema.returns, several, strict=False)
        return [
            leaf
            for returned, one in pairs
            if returned.alias_info is None
            for leaf in tree_leaves(one)
            if isinstance(leaf, Tensor)
        ]

    def undo(self) -> None:
        """What was there before is as it was."""
        for storage, before in self._before.values():
            storage.copy_(before)

    def replay(self) -> None:
        """All operators once more, into the same tensors."""
        with torch.no_grad():
            for func, args, kwargs, found in self.calls:
                again = func(*args, **kwargs)
                for old, new in zip(self._new(func, found), self._new(func, again), strict=True):
                    old.copy_(new)


class TapeRecorder(Recorder):
    """Records on tapes; one list of all recorders, to look at."""

    made: list["TapeRecorder"] = []  # noqa: RUF012 - emptied by each test

    def __init__(self, device: torch.device) -> None:
        assert device.type == "cpu"
        self.replays = self.released = 0
        TapeRecorder.made.append(self)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Nothing to do."""
        yield

    def release(self) -> None:
        """Counts."""
        self.released += 1

    def record(self, work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """See `Recorder.record`."""
        tape = Tape()
        try:
            with tape:
                found = work()
        finally:
            tape.undo()

        def replay() -> None:
            self.replays += 1
            tape.replay()

        return replay, found
