"""An iteration as one CUDA graph: recorded once, then replayed without Python and without launching its kernels singly.

What differs from iteration to iteration is copied into tensors that stay where they are: the numbers of the real
images, every z (drawn outside, so that a seed means the same) and the gates' weights.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache

import torch
from torch import Tensor

from colgan_search.errors import in_one_line
from colgan_search.gan.iteration import Drawn, Iteration, Numbers

log = logging.getLogger(__name__)

WARM_UP = 3
"""Iterations before the one that is recorded: libraries choose their kernels and Adam makes its moments in them."""


class Recorder(ABC):
    """How a device records work and does it again."""

    @abstractmethod
    def aside(self) -> AbstractContextManager[None]:
        """Inside, work is done where it will be recorded later."""

    @abstractmethod
    def release(self) -> None:
        """Gives the memory back that no recording holds any more."""

    @abstractmethod
    def record(self, work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """Calls `work` without doing it; what does it, each time that it is called, and where the result will be."""


@cache
def _own_stream(device: torch.device) -> torch.cuda.Stream:
    """One for all trainings of a process: libraries keep memory for every stream that they have met."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


class CudaGraphRecorder(Recorder):
    """PyTorch's CUDA graphs, on a stream of their own."""

    def __init__(self, device: torch.device) -> None:
        self._stream = _own_stream(device)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Before and after it, the streams wait for each other."""
        usual = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(usual)
        try:
            with torch.cuda.stream(self._stream):
                yield
        finally:
            usual.wait_stream(self._stream)

    def record(self, work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """See `Recorder.record`; what `work` raised if something in it cannot be recorded."""
        graph = torch.cuda.CUDAGraph()
        usual = torch.cuda.current_stream(self._stream.device)
        cause: Exception | None = None
        try:
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):  # others may use CUDA
                try:
                    found = work()
                except Exception as error:
                    cause = error
                    raise
        except Exception as error:
            raise cause or error from None  # what ends the recording only says that something was wrong before
        finally:
            torch.cuda.set_stream(usual)  # a recording that fails leaves its own
        return graph.replay, found

    def release(self) -> None:
        """The pools of graphs that are gone, which PyTorch keeps until then."""
        torch.cuda.empty_cache()


RECORDERS: dict[str, Callable[[torch.device], Recorder]] = {"cuda": CudaGraphRecorder}
"""By a device's type; where there is none, nothing is recorded."""


class CapturedIteration:
    """Called as an `Iteration` is: the first WARM_UP as they are, then recorded and replayed.

    Where recording fails, all go on as they are, with a warning, and the state's `fallback` says why.
    """

    def __init__(self, iteration: Iteration, recorder: Recorder, telling: bool) -> None:
        """`telling`: D's accuracies will be asked for at times, so they are always counted in what is recorded."""
        self.iteration = iteration
        self.state = iteration.state
        self._recorder = recorder
        self._telling = telling
        self._before = 0
        self._replay: Callable[[], None] | None = None
        self._names: tuple[list[str], list[str]] = [], []  # of the losses, and of the accuracies
        self._drawn: Drawn | None = None
        self._weights = self._found = torch.empty(0)

    def __call__(self, drawn: Drawn, progress: float, counted: bool) -> Numbers:
        """See `Iteration.__call__`."""
        if self.state.fallback is not None:
            return self.iteration(drawn, progress, counted)
        if self._before < WARM_UP:
            self._before += 1
            with self._recorder.aside():
                return self.iteration(drawn, progress, counted)
        if self._replay is None:
            try:
                self._record(drawn)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                self.state.fallback = f"an iteration cannot be recorded: {in_one_line(error)}"
                log.warning("%s; it goes on without CUDA graphs", self.state.fallback)
                return self(drawn, progress, counted)
        assert self._replay is not None and self._drawn is not None
        for kept, new in zip(self._drawn.tensors, drawn.tensors, strict=True):
            kept.copy_(new)
        self._weights.copy_(self.iteration.weights(progress), non_blocking=True)
        self._replay()
        values = self._found.clone().unbind()  # the next replay writes over them
        losses, right = self._names
        accuracies = dict(zip(right, values[len(losses) :], strict=True)) if counted else {}
        return dict(zip(losses, values, strict=False)), accuracies

    def forget(self) -> None:
        """Lets go of what was recorded, with the gradients that lie in its memory."""
        self._replay = None
        self._drawn = None
        self._weights = self._found = torch.empty(0)
        for optimizer in (*self.state.generator_optimizers, *self.state.discriminator_optimizers):
            optimizer.zero_grad()

    def _record(self, drawn: Drawn) -> None:
        inputs = self._drawn = drawn.copy()
        self._weights = self.iteration.weights(0.0).to(drawn.shared_z.device)
        edges = [edge for edge, _ in self.iteration.lessons.gated]
        weights = dict(zip(edges, self._weights.unbind(), strict=True))

        def work() -> Tensor:
            losses, right = self.iteration(inputs, weights, self._telling)
            self._names = list(losses), list(right)
            return torch.stack([*losses.values(), *right.values()])

        self._replay, self._found = self._recorder.record(work)


@contextmanager
def iterating(iteration: Iteration, telling: bool) -> Iterator[Iteration | CapturedIteration]:
    """The iteration of one training, captured where `fast.cuda_graph` asks for it and the device can."""
    device = iteration.state.device
    if not iteration.fast.cuda_graph or device.type not in RECORDERS:
        yield iteration
        return
    recorder = RECORDERS[device.type](device)
    captured = CapturedIteration(iteration, recorder, telling)
    try:
        yield captured
    finally:
        captured.forget()
        recorder.release()
