"""The contract of the slots, on both kinds of database. Lease times are injected by moving them in the database."""

import json
import threading
from collections import Counter
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from colgan_search.errors import StudyError
from colgan_search.search.slots import Budget, Claim, Slots
from colgan_search.search.storage import Storage, open_storage
from colgan_search.search.tables import now, slots, studies

LEASE = 60.0


@pytest.fixture
def storage(prepared_url: str) -> Iterator[Storage]:
    opened = open_storage(prepared_url, create=True)
    yield opened
    opened.close()


@pytest.fixture
def four(storage: Storage) -> Slots:
    """A study of four slots whose leases can be taken over as soon as they run out."""
    study = Slots(storage, "u")
    study.begin_study(4)
    _now_is_calm(study)
    return study


def _now_is_calm(study: Slots) -> None:
    """Somebody has reached the database just now, and the time of grace is over."""
    with study.storage.transaction() as db:
        db.execute(studies.update().values(contact=now(), grace_until=0.0))


def _let_run_out(study: Slots, claim: Claim, seconds_ago: float = 1.0) -> None:
    with study.storage.transaction() as db:
        db.execute(slots.update().where(slots.c.slot == claim.slot).values(lease_until=now() - seconds_ago))


def _claim(study: Slots, worker: str) -> Claim:
    claim = study.claim(worker, LEASE)
    assert claim is not None
    return claim


@pytest.fixture(autouse=True)
def _server_started_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's server is young; its start would be a time of grace."""
    monkeypatch.setattr("colgan_search.search.slots.server_started", lambda: sa.literal(0.0))


def test_a_claim_opens_slots_in_order_until_the_total(four: Slots) -> None:
    claims = [_claim(four, f"w{i}") for i in range(4)]
    assert [(c.slot, c.token, c.trial_number, c.taken_over) for c in claims] == [(i, 1, None, False) for i in range(4)]
    assert four.claim("w4", LEASE) is None
    assert four.budget() == Budget(total=4, done=0, running=4, free=0, failed=0)


def test_a_worker_that_claims_again_gets_the_slot_that_it_holds(four: Slots) -> None:
    first = _claim(four, "w")
    assert four.bind(first, 17)
    assert _claim(four, "w") == Claim(first.slot, first.token, 17, taken_over=False)
    assert four.budget().running == 1


def test_studies_of_one_database_do_not_see_each_other(four: Slots) -> None:
    other = Slots(four.storage, "other")
    other.begin_study(1)
    assert _claim(other, "w").slot == 0
    assert other.claim("v", LEASE) is None
    assert _claim(four, "v").slot == 0


def test_an_accepted_result_is_kept_once(four: Slots) -> None:
    claim = _claim(four, "w")
    assert four.bind(claim, 0)
    assert four.accept(claim, "result") is True
    assert four.accept(claim, "result") is True, "told again after a lost answer"
    assert four.accept(claim, "another") is False
    assert [closing.outcome for closing in four.closings()] == ["result"]
    assert four.release(claim) is False, "what is accepted is not given back"
    four.mark_told(claim.slot)
    assert four.closings() == []
    assert four.accept(claim, "result") is True, "told again long after"
    assert four.budget() == Budget(total=4, done=1, running=0, free=0, failed=0)


def test_an_old_token_can_do_nothing_any_more(four: Slots) -> None:
    old = _claim(four, "paused")
    assert four.bind(old, 0)
    _let_run_out(four, old)
    new = _claim(four, "other")
    assert new == Claim(old.slot, 2, 0, taken_over=True)
    assert four.renew(old, LEASE) is False
    assert four.accept(old, "late") is False
    assert four.release(old, "late fault") is False
    assert four.bind(old, 1) is False
    assert four.renew(new, LEASE) is True
    assert four.accept(new, "right") is True
    assert four.accept(old, "right") is False, "the same text under an old token is another attempt's"
    assert [closing.faults for closing in four.closings()] == [()]


def test_a_lease_that_ran_out_is_its_owners_until_somebody_takes_it(four: Slots) -> None:
    claim = _claim(four, "slow")
    _let_run_out(four, claim)
    assert four.renew(claim, LEASE) is True
    assert _claim(four, "other").slot == 1, "the renewed lease holds again"


def test_a_renewed_lease_lasts_from_now_on_the_databases_clock(four: Slots) -> None:
    claim = _claim(four, "w")
    assert four.renew(claim, 500.0)
    with four.storage.engine.connect() as db:
        left = db.execute(sa.select(slots.c.lease_until - now())).scalar()
    assert left is not None and 450.0 < left <= 500.0


def test_a_slot_given_back_is_the_next_to_be_claimed_with_its_trial(four: Slots) -> None:
    claim = _claim(four, "w")
    assert four.bind(claim, 5)
    assert four.release(claim) is True
    assert four.budget() == Budget(total=4, done=0, running=0, free=1, failed=0)
    assert _claim(four, "v") == Claim(0, 2, 5, taken_over=False)


def test_a_result_on_disk_is_taken_from_a_slot_that_its_dead_worker_lost_but_not_after_a_new_claim(four: Slots) -> None:
    first, second = _claim(four, "a"), _claim(four, "b")
    assert four.bind(first, 0) and four.bind(second, 1)
    assert four.release_of(["a", "b"]) == 2
    assert four.accept(first, "spooled") is True
    again = _claim(four, "c")
    assert again.slot == second.slot
    assert four.accept(second, "spooled") is False


def test_only_the_dead_workers_slots_are_given_back(four: Slots) -> None:
    dead, alive = _claim(four, "dead"), _claim(four, "alive")
    done = _claim(four, "done")
    assert four.accept(done, "x")
    assert four.release_of(["dead", "done"]) == 1
    assert four.renew(dead, LEASE) is False
    assert four.renew(alive, LEASE) is True


def test_a_trial_belongs_to_one_slot_and_a_slot_has_one_trial(four: Slots) -> None:
    first, second = _claim(four, "a"), _claim(four, "b")
    assert four.bind(first, 3) is True
    assert four.bind(first, 4) is False, "bound once"
    assert four.bind(second, 3) is False, "another slot has it"
    assert four.bind(second, 4) is True
    assert four.bound_trials() == {0: 3, 1: 4}


def test_own_faulted_slots_come_last(four: Slots) -> None:
    claim = _claim(four, "w")
    assert four.release(claim, "bad luck", max_faults=3)
    assert _claim(four, "w").slot == 1
    for slot in (2, 3):
        held = _claim(four, "w")
        assert four.accept(held, f"r{held.slot}")
        assert _claim(four, "w").slot == slot
    assert four.accept(_claim(four, "w"), "r3")
    assert _claim(four, "w").slot == 0, "when there is nothing else, the faulted one again"


def test_a_faulted_slot_is_left_to_those_who_are_at_work(storage: Storage) -> None:
    study = Slots(storage, "u")
    study.begin_study(2)
    faulted = _claim(study, "w")
    assert faulted.slot == 0 and study.release(faulted, "bad luck", max_faults=3)
    busy = _claim(study, "busy")
    assert busy.slot == 0
    assert study.release(busy, "bad luck", max_faults=3)
    other = _claim(study, "third")
    assert other.slot == 0
    assert study.release(other)
    alive = _claim(study, "w")
    assert alive.slot == 1, "rather a new one than the one it faulted on"
    assert study.claim("busy", LEASE) is None, "somebody is at work and may take it"
    assert study.accept(alive, "x")
    assert _claim(study, "busy").slot == 0, "nobody else is at work"


def test_another_worker_takes_the_faulted_slot_first(four: Slots) -> None:
    claim = _claim(four, "w")
    assert four.release(claim, "bad luck", max_faults=3)
    assert _claim(four, "v").slot == 0


def test_a_graph_that_faults_on_three_workers_fails_and_its_place_is_filled(storage: Storage) -> None:
    study = Slots(storage, "u")
    study.begin_study(1)
    for worker in ("a", "a", "b", "c"):
        assert study.failures() == []
        held = _claim(study, worker)
        assert held.slot == 0
        assert held.trial_number is not None or study.bind(held, 0)
        assert study.release(held, f"reason of {worker}", max_faults=3)
    (failure,) = study.failures()
    assert failure.trial_number == 0 and failure.outcome is None
    assert [(f["worker"], f["reason"]) for f in failure.faults] == [(w, f"reason of {w}") for w in "aabc"]
    assert study.closings() == [failure], "Optuna is to be told"
    assert study.budget() == Budget(total=1, done=0, running=0, free=0, failed=1)
    other = _claim(study, "d")
    assert (other.slot, other.token) == (1, 1)
    assert study.accept(other, "x")
    assert study.budget() == Budget(total=1, done=1, running=0, free=0, failed=1)
    assert study.claim("e", LEASE) is None
    study.mark_told(0)
    assert study.failures() == [failure], "still shown after Optuna knows"
    assert [closing.slot for closing in study.closings()] == [1]


def test_faults_without_a_trial_never_fail_a_slot(four: Slots) -> None:
    for worker in "abcd":
        assert four.release(_claim(four, worker), "no sampler", max_faults=3)
    assert four.failures() == [] and four.budget().free == 1


def test_the_total_grows_and_shrinks_to_what_was_begun(four: Slots) -> None:
    claims = [_claim(four, f"w{i}") for i in range(3)]
    assert four.accept(claims[0], "x")
    four.set_total(3)
    assert four.claim("late", LEASE) is None
    with pytest.raises(StudyError, match=r"--trials 2 .* 1 are done and 2 more are in progress; name at least 3"):
        four.set_total(2)
    assert four.budget().total == 3
    four.set_total(5)
    assert [_claim(four, w).slot for w in ("x", "y")] == [3, 4]
    assert four.claim("z", LEASE) is None


def test_begin_study_again_changes_nothing(four: Slots) -> None:
    four.begin_study(99)
    assert four.budget().total == 4


def test_slots_of_a_study_that_is_gone_say_so(storage: Storage) -> None:
    with pytest.raises(StudyError, match="was the study deleted"):
        Slots(storage, "nobody").claim("w", LEASE)


class TestGrace:
    """After a time in which nobody could renew, owners go first."""

    def test_no_takeover_for_one_lease_after_a_silence(self, four: Slots) -> None:
        claim = _claim(four, "owner")
        for worker in ("b", "c", "d"):
            _claim(four, worker)
        _let_run_out(four, claim)
        with four.storage.transaction() as db:
            db.execute(studies.update().values(contact=now() - LEASE))
        assert four.claim("thief", LEASE) is None
        assert four.renew(claim, LEASE) is True
        _let_run_out(four, claim)
        with four.storage.transaction() as db:
            db.execute(studies.update().values(grace_until=now() - 1))
        assert _claim(four, "heir").taken_over

    def test_also_if_a_renewal_is_the_first_to_get_through(self, four: Slots) -> None:
        quick, slow = _claim(four, "quick"), _claim(four, "slow")
        for worker in ("c", "d"):
            _claim(four, worker)
        for claim in (quick, slow):
            _let_run_out(four, claim)
        with four.storage.transaction() as db:
            db.execute(studies.update().values(contact=now() - LEASE))
        assert four.renew(quick, LEASE) is True
        assert four.claim("thief", LEASE) is None, "the slow owner has not had its turn"
        assert four.renew(slow, LEASE) is True

    def test_a_study_that_somebody_works_on_has_none(self, four: Slots) -> None:
        claims = [_claim(four, w) for w in "abcd"]
        _let_run_out(four, claims[2])
        for renewed in (True, False):
            with four.storage.transaction() as db:
                db.execute(studies.update().values(contact=studies.c.contact - 0.4 * LEASE))
            assert not renewed or four.renew(claims[0], LEASE)
        assert _claim(four, "heir").slot == 2, "0.8 leases since the last claim, but 0.4 since a renewal"

    def test_contacts_that_are_always_slow_do_not_put_a_takeover_off_for_ever(self, four: Slots) -> None:
        claims = [_claim(four, w) for w in "abcd"]
        _let_run_out(four, claims[0])
        # As if each claim came 0.6 leases after the one before: the clock is moved back in the database.
        taken = []
        for _ in range(6):
            with four.storage.transaction() as db:
                earlier = {"contact": studies.c.contact - 0.6 * LEASE}
                db.execute(studies.update().values(earlier | {"grace_until": studies.c.grace_until - 0.6 * LEASE}))
                db.execute(slots.update().where(slots.c.slot != 0).values(lease_until=now() + LEASE))
            taken.append(four.claim("heir", LEASE))
            if taken[-1] is not None:
                break
        assert taken[0] is None and taken[-1] is not None and taken[-1].slot == 0

    def test_after_the_servers_start(self, four: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
        claims = [_claim(four, w) for w in "abcd"]
        _let_run_out(four, claims[0])
        for ago, takes_over in ((LEASE - 5, False), (LEASE + 5, True)):
            monkeypatch.setattr("colgan_search.search.slots.server_started", lambda ago=ago: now() - ago)
            assert (four.claim("thief", LEASE) is not None) is takes_over


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


def test_leases_do_not_depend_on_the_clients_time_zone(
    prepared_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = open_storage(prepared_postgres_url, create=True)
    monkeypatch.setenv("PGTZ", "Pacific/Auckland")
    far = open_storage(prepared_postgres_url)
    Slots(near, "u").begin_study(1)
    with near.transaction() as db:
        db.execute(studies.update().values(contact=now(), grace_until=0.0))
    with near.engine.connect() as a, far.engine.connect() as b:
        zones = [c.exec_driver_sql("SHOW timezone").scalar() for c in (a, b)]
        times = [c.execute(sa.select(now())).scalar() for c in (a, b)]
    claim = _claim(Slots(near, "u"), "near")
    taken = Slots(far, "u").claim("far", LEASE)
    renewed = Slots(far, "u").renew(claim, LEASE)
    near.close()
    far.close()
    assert zones[0] != zones[1] == "Pacific/Auckland"
    assert abs(times[0] - times[1]) < 5.0
    assert taken is None and renewed is True
