"""A time of its own for the threads of a simulation: who waits lets the others run, and time jumps to the next of them.

Threads and events as `threading` has them, by greenlets: all in one thread of the system, in the same order each time.
"""

import heapq
import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import greenlet


class Life:
    """What some threads share: they vanish together, without a word."""

    def __init__(self) -> None:
        self.alive = True
        self.tasks: set[Task] = set()
        """Kept, or the end of a greenlet that nobody knows would run its `finally`: a killed process runs none."""


class Task(greenlet.greenlet):
    """A thread of the simulation."""

    life: Life
    purpose: str | None = None
    """What its statements are counted as."""


class _Wait:
    def __init__(self, task: Task) -> None:
        self.task = task
        self.over = False


class VirtualTime:
    """Seconds since `start`; belongs to the thread that makes it, which also calls `run`."""

    def __init__(self, start: float = 0.0) -> None:
        self.now = start
        self._hub = greenlet.getcurrent()
        self._queue: list[tuple[float, int, _Wait]] = []
        self._numbers = itertools.count()
        self._lives: set[Life] = set()

    def spawn(self, call: Callable[[], object], life: Life, after: float = 0.0) -> None:
        """Begins a thread in so many seconds."""
        self._lives.add(life)

        def run() -> None:
            try:
                call()
            finally:
                life.tasks.discard(task)

        task = Task(run, self._hub)
        task.life = life
        life.tasks.add(task)
        self._wake(_Wait(task), self.now + after)

    def run(self) -> None:
        """Until nobody waits for a time any more. What a thread raises is raised here."""
        while self._queue:
            at, _, wait = heapq.heappop(self._queue)
            if wait.over or not wait.task.life.alive:
                continue
            wait.over = True
            self.now = at
            wait.task.switch()

    def pause(self, seconds: float | None, waits: list[_Wait] | None = None) -> None:
        """The calling thread waits; None = until one of those who know `waits` wakes it."""
        task = greenlet.getcurrent()
        assert isinstance(task, Task), "only threads of the simulation can wait in its time"
        if not task.life.alive:
            return  # it is being buried
        wait = _Wait(task)
        if waits is not None:
            waits.append(wait)
        if seconds is not None:
            self._wake(wait, self.now + max(seconds, 0.0))
        self._hub.switch()

    def wake(self, waits: list[_Wait]) -> None:
        """All of these go on now."""
        for wait in waits:
            if not wait.over:
                self._wake(wait, self.now)
        waits.clear()

    def _wake(self, wait: _Wait, at: float) -> None:
        heapq.heappush(self._queue, (at, next(self._numbers), wait))

    def bury(self) -> None:
        """Ends every thread that is left; what their `finally` does happens now."""
        for life in self._lives:
            life.alive = False
            for task in list(life.tasks):
                task.throw(greenlet.GreenletExit)

    @property
    def time(self) -> Any:
        """In the place of the module `time`."""
        return SimpleNamespace(monotonic=lambda: self.now, sleep=self.pause)

    @property
    def threading(self) -> Any:
        """In the place of the module `threading`."""
        return SimpleNamespace(Event=lambda: Event(self), Thread=lambda **given: Thread(self, **given))


class Event:
    """`threading.Event`."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self._set = False
        self._waits: list[_Wait] = []

    def is_set(self) -> bool:
        """True after `set`."""
        return self._set

    def set(self) -> None:
        """Wakes all who wait."""
        self._set = True
        self._time.wake(self._waits)

    def wait(self, timeout: float | None = None) -> bool:
        """Until it is set, or so many seconds; whether it is set."""
        if not self._set:
            self._time.pause(timeout, self._waits)
            self._waits = [wait for wait in self._waits if not wait.over]
        return self._set


class Thread:
    """`threading.Thread`, of the life that starts it."""

    def __init__(self, time: VirtualTime, target: Callable[[], object], name: str = "", daemon: bool = True) -> None:
        self._time = time
        self._target = target
        self._ended = Event(time)

    def start(self) -> None:
        """Begins it."""

        def run() -> None:
            try:
                self._target()
            finally:
                self._ended.set()

        task = greenlet.getcurrent()
        assert isinstance(task, Task), "only threads of the simulation start others"
        self._time.spawn(run, task.life)

    def join(self, timeout: float | None = None) -> None:
        """Until it has ended, or so many seconds."""
        self._ended.wait(timeout)
