"""What `launch` does in the last moments of a study, so that its end does not wait for what could be done before."""

from collections.abc import Callable
from contextlib import suppress

from threadpoolctl import threadpool_limits

from colgan_search.extensions.launchers import Workers
from colgan_search.launchers.local import LocalWorkers
from colgan_search.search.budget.workers import WorkerState
from colgan_search.search.care.monitor import Snapshot
from colgan_search.search.study.opening import OpenStudy


class LastMoments:
    """Makes ready what the end shows as soon as a core is free for it, and sends idle workers home at the end."""

    def __init__(self, workers: Workers, prepare: Callable[[], None]) -> None:
        """`prepare` must not mind to be called twice: with the last trials still running, and when all have ended."""
        self.workers = workers
        self._prepare = prepare
        self._prepared = 0

    def look(self, now: Snapshot) -> None:
        """Does what the study's state allows."""
        budget = now.budget
        if budget.finished and now.told and isinstance(self.workers, LocalWorkers):
            self.workers.dismiss([row.worker for row in now.workers if row.state is WorkerState.WAITING])
        idle = budget.free == 0 and budget.running < self.workers.running
        wanted = 2 if budget.finished and now.told else 1 if idle else 0
        if wanted > self._prepared and not self.workers.draining:
            self._prepared = wanted
            self._prepare()


def make_best_ready(study: OpenStudy) -> None:
    """Imports and computes what `show.best` needs; what is wrong with it, that will say."""
    with suppress(Exception), threadpool_limits(limits=1):  # the other cores are the last trials'
        from colgan_search.figures import draw_graph  # noqa: F401
        from colgan_search.search.ranking.naming import named

        named(study)
