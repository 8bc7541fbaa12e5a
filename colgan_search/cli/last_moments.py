"""What `launch` does in the last moments of a study, so that its end does not wait for what could be done before."""

from collections.abc import Callable
from contextlib import suppress

from threadpoolctl import threadpool_limits

from colgan_search.extensions.launchers import Workers
from colgan_search.search.care.monitor import Snapshot
from colgan_search.search.study.opening import OpenStudy


class LastMoments:
    """Makes ready what the end shows: imports as soon as a core is free, numbers when every result is told."""

    def __init__(self, workers: Workers, load: Callable[[], None], compute: Callable[[], None]) -> None:
        """Each is called once at most."""
        self.workers = workers
        self._load: Callable[[], None] | None = load
        self._compute: Callable[[], None] | None = compute

    def look(self, now: Snapshot) -> None:
        """Does what the study's state allows."""
        budget = now.budget
        ended = budget.finished and now.told
        if self.workers.draining:
            return
        if self._load is not None and (ended or (budget.free == 0 and budget.running < self.workers.running)):
            load, self._load = self._load, None
            load()
        if self._compute is not None and ended:
            compute, self._compute = self._compute, None
            compute()


def load_best() -> None:
    """Imports what `show.best` needs."""
    from colgan_search.figures import draw_graph  # noqa: F401
    from colgan_search.search.ranking import naming  # noqa: F401


def compute_best(study: OpenStudy) -> None:
    """The model that `show.best` asks; what is wrong with it, that will say."""
    with suppress(Exception), threadpool_limits(limits=1):  # the workers may still be drawing the study's page
        from colgan_search.search.ranking.naming import named

        named(study)
