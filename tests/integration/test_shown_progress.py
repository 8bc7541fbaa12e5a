"""How often a worker says how far it is: each second in a small study, more rarely the more train."""

from unittest.mock import patch

import pytest

pytest.importorskip("greenlet")

from benchmarks.virtual_time import Life, VirtualTime
from colgan_search.records import Progress
from colgan_search.search.budget.workers import Registry
from colgan_search.search.delivering import keeper
from colgan_search.search.delivering.keeper import Keeper
from colgan_search.search.proposing.propose import assign
from tests.fleet import fake_config, make_study

SECONDS = 60


@pytest.mark.parametrize(("training", "said"), [(4, 60), (60, 20), (2000, 2)])
def test_the_more_train_the_more_rarely_each_says_how_far_it_is(training: int, said: int, prepared_url: str) -> None:
    """A minute of simulated training beside so many, with a lease of 90 s: renewals at 23 and 46 s say it anyway."""
    study = make_study(prepared_url, training, fake_config(service={"lease_seconds": 90.0}))
    claim = study.slots.claim("the test", 90.0)
    assert claim is not None
    assignment, virtual, times = assign(study, claim), VirtualTime(1000.0), []

    def train() -> None:
        with Keeper(study, claim, "the test", virtual.threading.Event()) as kept:
            kept.training_begins(assignment)
            for done in range(SECONDS):
                kept.on_progress(Progress(epoch=1, epochs=1, iteration=done, iterations=SECONDS))
                virtual.pause(1.0)

    with (
        patch.object(keeper, "threading", virtual.threading),
        patch.object(keeper, "time", virtual.time),
        patch.object(type(study.slots), "leased", lambda slots: training),
        patch.object(Registry, "update", lambda *_: times.append(virtual.now)),
    ):
        virtual.spawn(train, Life())
        virtual.run()
    assert abs(len(times) - said) <= 2, times
    study.storage.close()


def test_slots_in_work_are_counted(prepared_url: str) -> None:
    study = make_study(prepared_url, 5)
    assert study.slots.leased() == 0
    claims = [study.slots.claim(f"worker {number}", 90.0) for number in range(3)]
    assert claims[0] is not None and study.slots.leased() == 3
    study.slots.release(claims[0])
    assert study.slots.leased() == 2
    study.storage.close()
