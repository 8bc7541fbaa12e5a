"""After a time in which nobody could renew, owners go first. And whose clock counts."""

import pytest
import sqlalchemy as sa

from colgan_search.search.budget.slots import Slots
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.tables import now, slots, studies
from tests.integration.slots_helpers import LEASE, claim_for, let_run_out


def test_no_takeover_for_one_lease_after_a_silence(four: Slots) -> None:
    claim = claim_for(four, "owner")
    for worker in ("b", "c", "d"):
        claim_for(four, worker)
    let_run_out(four, claim)
    with four.storage.transaction() as db:
        db.execute(studies.update().values(contact=now() - LEASE))
    assert four.claim("thief", LEASE) is None
    assert four.renew(claim, LEASE) is True
    let_run_out(four, claim)
    with four.storage.transaction() as db:
        db.execute(studies.update().values(grace_until=now() - 1))
    assert claim_for(four, "heir").taken_over


def test_also_if_a_renewal_is_the_first_to_get_through(four: Slots) -> None:
    quick, slow = claim_for(four, "quick"), claim_for(four, "slow")
    for worker in ("c", "d"):
        claim_for(four, worker)
    for claim in (quick, slow):
        let_run_out(four, claim)
    with four.storage.transaction() as db:
        db.execute(studies.update().values(contact=now() - LEASE))
    assert four.renew(quick, LEASE) is True
    assert four.claim("thief", LEASE) is None, "the slow owner has not had its turn"
    assert four.renew(slow, LEASE) is True


def test_a_study_that_somebody_works_on_has_none(four: Slots) -> None:
    claims = [claim_for(four, w) for w in "abcd"]
    let_run_out(four, claims[2])
    for renewed in (True, False):
        with four.storage.transaction() as db:
            db.execute(studies.update().values(contact=studies.c.contact - 0.4 * LEASE))
        assert not renewed or four.renew(claims[0], LEASE)
    assert claim_for(four, "heir").slot == 2, "0.8 leases since the last claim, but 0.4 since a renewal"


def test_contacts_that_are_always_slow_do_not_put_a_takeover_off_for_ever(four: Slots) -> None:
    claims = [claim_for(four, w) for w in "abcd"]
    let_run_out(four, claims[0])
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


def test_after_the_servers_start(four: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    claims = [claim_for(four, w) for w in "abcd"]
    let_run_out(four, claims[0])
    for ago, takes_over in ((LEASE - 5, False), (LEASE + 5, True)):
        monkeypatch.setattr("colgan_search.search.budget.slots.server_started", lambda ago=ago: now() - ago)
        assert (four.claim("thief", LEASE) is not None) is takes_over


def _move(four: Slots, seconds: float, slot: int | None = None) -> None:
    """As if the database's clock had been set back so far since everything was written: it all lies ahead."""
    which = slots.c.slot == slot if slot is not None else sa.true()
    with four.storage.transaction() as db:
        db.execute(slots.update().where(which).values(lease_until=slots.c.lease_until + seconds))
        if slot is None:
            later = {"contact": studies.c.contact + seconds, "grace_until": studies.c.grace_until + seconds}
            db.execute(studies.update().values(later))


def test_a_lease_further_ahead_than_a_lease_lasts_has_run_out(four: Slots) -> None:
    for worker in "abcd":
        claim_for(four, worker)
    assert four.claim("thief", LEASE) is None
    _move(four, 3600.0, slot=2)
    heir = claim_for(four, "heir")
    assert heir.slot == 2 and heir.taken_over


def test_after_the_clock_was_set_back_owners_go_first_and_the_dead_ones_slot_is_taken_over(four: Slots) -> None:
    claims = [claim_for(four, worker) for worker in "abcd"]
    _move(four, 3600.0)
    assert four.claim("thief", LEASE) is None, "the living have not had their turn"
    assert all(four.renew(claim, LEASE) for claim in claims[1:])
    with four.storage.transaction() as db:
        assert db.execute(sa.select(studies.c.grace_until - now())).scalar_one() <= LEASE
        db.execute(studies.update().values(grace_until=now() - 1))
    heir = claim_for(four, "heir")
    assert heir.slot == 0 and heir.taken_over
    assert four.claim("thief", LEASE) is None


def test_a_time_of_grace_that_lies_further_ahead_than_a_lease_is_none(four: Slots) -> None:
    claims = [claim_for(four, worker) for worker in "abcd"]
    let_run_out(four, claims[0])
    with four.storage.transaction() as db:
        db.execute(studies.update().values(grace_until=now() + 10 * LEASE))
    assert claim_for(four, "heir").slot == 0


def test_a_server_that_started_later_than_now_has_started_long_ago(
    four: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims = [claim_for(four, worker) for worker in "abcd"]
    let_run_out(four, claims[0])
    monkeypatch.setattr("colgan_search.search.budget.slots.server_started", lambda: now() + 3600.0)
    assert claim_for(four, "heir").slot == 0


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
    claim = claim_for(Slots(near, "u"), "near")
    taken = Slots(far, "u").claim("far", LEASE)
    renewed = Slots(far, "u").renew(claim, LEASE)
    near.close()
    far.close()
    assert zones[0] != zones[1] == "Pacific/Auckland"
    assert abs(times[0] - times[1]) < 600.0, "not the hours between two zones"
    assert taken is None and renewed is True
