"""Many threads at the slots of one study: the budget is exact."""

import json
import threading
from collections import Counter

import pytest
import sqlalchemy as sa

from colgan_search.search.budget.slot_records import Budget
from colgan_search.search.budget.slots import Slots
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.tables import slots
from tests.integration.slots_helpers import LEASE


def test_exact_budget_under_eight_threads_that_die_and_fault(prepared_url: str) -> None:
    """Every thread claims under new names, drops some claims for good and lets others fault; 40 results, no more."""
    total, seen = 40, []
    opened = [open_storage(prepared_url, create=True) for _ in range(8)]
    Slots(opened[0], "u").begin_study(total)
    trial_numbers = iter(range(10_000))
    lock = threading.Lock()

    def work(number: int) -> None:
        study = Slots(opened[number], "u")
        for turn in range(1000):
            claim = study.claim(f"{number}-{turn}", LEASE)
            if claim is None:
                if study.budget().finished:
                    return
                continue
            if claim.trial_number is None:
                with lock:
                    assert study.bind(claim, next(trial_numbers))
            if turn % 5 == 1:
                study.release_of([f"{number}-{turn}"])
            elif turn % 5 == 2:
                study.release(claim, "fault", max_faults=3)
            elif study.accept(claim, json.dumps([number, turn])):
                with lock:
                    seen.append(claim.slot)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    with opened[0].engine.connect() as db:
        states = Counter(db.execute(sa.select(slots.c.state)).scalars())
    for one in opened:
        one.close()
    assert len(seen) == len(set(seen)) == total
    assert states["accepted"] == total and set(states) <= {"accepted", "failing"}


@pytest.mark.slow
def test_the_total_changes_under_claiming_workers_and_stays_exact(prepared_url: str) -> None:
    opened = [open_storage(prepared_url, create=True) for _ in range(4)]
    Slots(opened[0], "u").begin_study(10)
    accepted: list[int] = []
    grown = threading.Event()

    def work(number: int) -> None:
        study = Slots(opened[number], "u")
        for turn in range(100_000):
            final = grown.is_set()
            claim = study.claim(f"{number}-{turn}", LEASE)
            if claim is not None and study.accept(claim, "x"):
                accepted.append(claim.slot)
            if claim is None and final:
                return

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for total in (12, 15, 20):
        Slots(opened[3], "u").set_total(total)
    grown.set()
    for thread in threads:
        thread.join(120)
    budget = Slots(opened[3], "u").budget()
    for one in opened:
        one.close()
    assert sorted(accepted) == list(range(20))
    assert budget == Budget(total=20, done=20, running=0, free=0, failed=0)
