"""The contract of the slots, on both kinds of database."""

import json

import pytest
import sqlalchemy as sa

from colgan_search.errors import StudyError
from colgan_search.search.budget.slot_records import Budget, Claim
from colgan_search.search.budget.slots import Slots
from colgan_search.search.database.storage import Storage
from colgan_search.search.database.tables import now, slots, workers
from tests.integration.slots_helpers import LEASE, claim_for, let_run_out


def test_a_claim_opens_slots_in_order_until_the_total(four: Slots) -> None:
    claims = [claim_for(four, f"w{i}") for i in range(4)]
    assert [(c.slot, c.token, c.trial_number, c.taken_over) for c in claims] == [(i, 1, None, False) for i in range(4)]
    assert four.claim("w4", LEASE) is None
    assert four.budget() == Budget(total=4, done=0, running=4, free=0, failed=0)


def test_a_worker_that_claims_again_gets_the_slot_that_it_holds(four: Slots) -> None:
    first = claim_for(four, "w")
    assert four.bind(first, 17)
    assert claim_for(four, "w") == Claim(first.slot, first.token, 17, taken_over=False)
    assert four.budget().running == 1


def test_studies_of_one_database_do_not_see_each_other(four: Slots) -> None:
    other = Slots(four.storage, "other")
    other.begin_study(1)
    assert claim_for(other, "w").slot == 0
    assert other.claim("v", LEASE) is None
    assert claim_for(four, "v").slot == 0


def test_an_accepted_result_is_kept_once(four: Slots) -> None:
    claim = claim_for(four, "w")
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
    old = claim_for(four, "paused")
    assert four.bind(old, 0)
    let_run_out(four, old)
    new = claim_for(four, "other")
    assert new == Claim(old.slot, 2, 0, taken_over=True)
    assert four.renew(old, LEASE) is False
    assert four.accept(old, "late") is False
    assert four.release(old, "late fault") is False
    assert four.bind(old, 1) is False
    assert four.renew(new, LEASE) is True
    assert four.accept(new, "right") is True
    assert four.accept(old, "right") is False, "the same text under an old token is another attempt's"
    ((fault,),) = [closing.faults for closing in four.closings()]
    assert fault["worker"] == "paused" and "vanished" in fault["reason"], "not the late one"


def test_a_lease_that_ran_out_is_its_owners_until_somebody_takes_it(four: Slots) -> None:
    claim = claim_for(four, "slow")
    let_run_out(four, claim)
    assert four.renew(claim, LEASE) is True
    assert claim_for(four, "other").slot == 1, "the renewed lease holds again"


def test_a_renewed_lease_lasts_from_now_on_the_databases_clock(four: Slots) -> None:
    claim = claim_for(four, "w")
    assert four.renew(claim, 500.0)
    with four.storage.engine.connect() as db:
        left = db.execute(sa.select(slots.c.lease_until - now())).scalar()
    assert left is not None and 450.0 < left <= 500.0


def test_a_slot_given_back_is_the_next_to_be_claimed_with_its_trial(four: Slots) -> None:
    claim = claim_for(four, "w")
    assert four.bind(claim, 5)
    assert four.release(claim) is True
    assert four.budget() == Budget(total=4, done=0, running=0, free=1, failed=0)
    assert claim_for(four, "v") == Claim(0, 2, 5, taken_over=False)


def test_a_result_on_disk_is_taken_from_a_slot_that_its_dead_worker_lost_but_not_after_a_newclaim_for(
    four: Slots,
) -> None:
    first, second = claim_for(four, "a"), claim_for(four, "b")
    assert four.bind(first, 0) and four.bind(second, 1)
    assert four.release_of(["a", "b"]) == 2
    assert four.accept(first, "spooled") is True
    again = claim_for(four, "c")
    assert again.slot == second.slot
    assert four.accept(second, "spooled") is False


def test_only_the_dead_workers_slots_are_given_back(four: Slots) -> None:
    dead, alive = claim_for(four, "dead"), claim_for(four, "alive")
    done = claim_for(four, "done")
    assert four.accept(done, "x")
    assert four.release_of(["dead", "done"]) == 1
    assert four.renew(dead, LEASE) is False
    assert four.renew(alive, LEASE) is True


def test_a_trial_belongs_to_one_slot_and_a_slot_has_one_trial(four: Slots) -> None:
    first, second = claim_for(four, "a"), claim_for(four, "b")
    assert four.bind(first, 3) is True
    assert four.bind(first, 4) is False, "bound once"
    assert four.bind(second, 3) is False, "another slot has it"
    assert four.bind(second, 4) is True
    assert four.bound_trials() == {0: 3, 1: 4}


def test_own_faulted_slots_come_last(four: Slots) -> None:
    claim = claim_for(four, "w")
    assert four.release(claim, "bad luck", max_faults=3)
    assert claim_for(four, "w").slot == 1
    for slot in (2, 3):
        held = claim_for(four, "w")
        assert four.accept(held, f"r{held.slot}")
        assert claim_for(four, "w").slot == slot
    assert four.accept(claim_for(four, "w"), "r3")
    assert claim_for(four, "w").slot == 0, "when there is nothing else, the faulted one again"


def test_a_faulted_slot_is_left_to_those_who_are_at_work(storage: Storage) -> None:
    study = Slots(storage, "u")
    study.begin_study(2)
    faulted = claim_for(study, "w")
    assert faulted.slot == 0 and study.release(faulted, "bad luck", max_faults=3)
    busy = claim_for(study, "busy")
    assert busy.slot == 0
    assert study.release(busy, "bad luck", max_faults=3)
    other = claim_for(study, "third")
    assert other.slot == 0
    assert study.release(other)
    alive = claim_for(study, "w")
    assert alive.slot == 1, "rather a new one than the one it faulted on"
    assert study.claim("busy", LEASE) is None, "somebody is at work and may take it"
    assert study.accept(alive, "x")
    assert claim_for(study, "busy").slot == 0, "nobody else is at work"


def test_another_worker_takes_the_faulted_slot_first(four: Slots) -> None:
    claim = claim_for(four, "w")
    assert four.release(claim, "bad luck", max_faults=3)
    assert claim_for(four, "v").slot == 0


def test_a_graph_that_faults_on_three_workers_fails_and_its_place_is_filled(storage: Storage) -> None:
    study = Slots(storage, "u")
    study.begin_study(1)
    for worker in ("a", "a", "b", "c"):
        assert study.failures() == []
        held = claim_for(study, worker)
        assert held.slot == 0
        assert held.trial_number is not None or study.bind(held, 0)
        assert study.release(held, f"reason of {worker}", max_faults=3)
    (failure,) = study.failures()
    assert failure.trial_number == 0 and failure.outcome is None
    assert [(f["worker"], f["reason"]) for f in failure.faults] == [(w, f"reason of {w}") for w in "aabc"]
    assert study.closings() == [failure], "Optuna is to be told"
    assert study.budget() == Budget(total=1, done=0, running=0, free=0, failed=1)
    other = claim_for(study, "d")
    assert (other.slot, other.token) == (1, 1)
    assert study.accept(other, "x")
    assert study.budget() == Budget(total=1, done=1, running=0, free=0, failed=1)
    assert study.claim("e", LEASE) is None
    study.mark_told(0)
    assert study.failures() == [failure], "still shown after Optuna knows"
    assert [closing.slot for closing in study.closings()] == [1]


def _vanish(study: Slots, worker: str, limit: int) -> Claim:
    """`worker` takes a slot and is never heard of again."""
    claim = study.claim(worker, LEASE, limit)
    assert claim is not None
    assert claim.trial_number is not None or study.bind(claim, claim.slot)
    let_run_out(study, claim)
    return claim


def test_a_graph_over_which_workers_vanish_again_and_again_fails(one: Slots) -> None:
    for number in range(3):
        claim = _vanish(one, f"w{number}", 3)
        assert (claim.slot, claim.token, claim.taken_over) == (0, number + 1, number > 0)
        assert one.failures() == []
    other = one.claim("next", LEASE, 3)
    assert other is not None and (other.slot, other.token) == (1, 1), "its place is filled"
    (failure,) = one.failures()
    assert [fault["worker"] for fault in failure.faults] == ["w0", "w1", "w2"]
    assert all("vanished in the middle of the trial" in fault["reason"] for fault in failure.faults)
    assert one.accept(other, "x") and one.budget() == Budget(total=1, done=1, running=0, free=0, failed=1)


def test_dead_workers_of_this_machine_count_as_vanished(one: Slots) -> None:
    for number in range(3):
        claim = one.claim(f"w{number}", LEASE, 3)
        assert claim is not None and claim.slot == 0 and not claim.taken_over
        assert claim.trial_number is not None or one.bind(claim, 0)
        assert one.release_of([f"w{number}"], 3) == 1
    assert len(one.failures()) == 1
    assert one.budget() == Budget(total=1, done=0, running=0, free=0, failed=1)


def test_progress_forgives_those_who_vanished(one: Slots) -> None:
    for number in range(2):
        _vanish(one, f"w{number}", 3)
    claim = one.claim("good", LEASE, 3)
    assert claim is not None
    assert one.release(claim, "a fault of the usual kind", max_faults=3)
    claim = claim_for(one, "better")
    one.forgive(claim, epoch=1)
    let_run_out(one, claim)
    for number in range(2, 4):
        assert _vanish(one, f"w{number}", 3).slot == 0, "counted from the beginning"
    last = one.claim("last", LEASE, 3)
    assert last is not None and last.slot == 1
    (failure,) = one.failures()
    assert [fault["worker"] for fault in failure.faults] == ["good", "better", "w2", "w3"]


def test_coming_to_the_same_point_again_is_no_progress(one: Slots) -> None:
    """Two workers vanish in epoch 4, another comes to epoch 4 and then to epoch 5."""
    for number in range(2):
        claim = _vanish(one, f"w{number}", 3)
        row = {
            "uid": "u",
            "worker": f"w{number}",
            "process": "{}",
            "device": "cpu",
            "version": "0",
            "state": "training",
        }
        with one.storage.transaction() as db:
            db.execute(workers.insert().values(**row, started=0.0, seen=0.0, trial_number=0, epoch=4))
    claim = claim_for(one, "third")
    one.forgive(claim, epoch=4)
    assert _faults(one, "vanished") == ["w0", "w1"]
    one.forgive(claim, epoch=5)
    assert _faults(one, "vanished") == []


def _faults(study: Slots, kind: str) -> list[str]:
    with study.storage.engine.connect() as db:
        (text,) = db.execute(sa.select(slots.c.faults)).scalars()
    return [fault["worker"] for fault in json.loads(text) if fault["kind"] == kind]


def test_a_machines_faults_do_not_speak_against_the_graph(one: Slots) -> None:
    for number in range(5):
        claim = claim_for(one, f"w{number}")
        assert claim.slot == 0
        assert claim.trial_number is not None or one.bind(claim, 0)
        assert one.release(claim, "DiskFull: no space left", max_faults=None)
    assert _faults(one, "machine") == [f"w{number}" for number in range(5)] and one.failures() == []
    for number in range(3):
        assert one.release(claim_for(one, f"v{number}"), "the graph's", max_faults=3)
    (failure,) = one.failures()
    assert len(failure.faults) == 8


def test_without_a_limit_a_slot_is_redelivered_for_ever(one: Slots) -> None:
    for number in range(30):
        claim = one.claim(f"w{number}", LEASE)
        assert claim is not None and claim.slot == 0
        assert claim.trial_number is not None or one.bind(claim, 0)
        let_run_out(one, claim)


def test_faults_without_a_trial_never_fail_a_slot(four: Slots) -> None:
    for worker in "abcd":
        assert four.release(claim_for(four, worker), "no sampler", max_faults=3)
    assert four.failures() == [] and four.budget().free == 1


def test_the_total_grows_and_shrinks_to_what_was_begun(four: Slots) -> None:
    claims = [claim_for(four, f"w{i}") for i in range(3)]
    assert four.accept(claims[0], "x")
    four.set_total(3)
    assert four.claim("late", LEASE) is None
    with pytest.raises(StudyError, match=r"`trials` 2 .* 1 are done and 2 more are in progress; name at least 3"):
        four.set_total(2)
    assert four.budget().total == 3
    four.set_total(5)
    assert [claim_for(four, w).slot for w in ("x", "y")] == [3, 4]
    assert four.claim("z", LEASE) is None


def test_begin_study_again_changes_nothing(four: Slots) -> None:
    four.begin_study(99)
    assert four.budget().total == 4


def test_slots_of_a_study_that_is_gone_say_so(storage: Storage) -> None:
    with pytest.raises(StudyError, match="was the study deleted"):
        Slots(storage, "nobody").claim("w", LEASE)
