"""What the tests of the slots share. Lease times are injected by moving them in the database."""

from colgan_search.search.budget.slot_records import Claim
from colgan_search.search.budget.slots import Slots
from colgan_search.search.database.tables import now, slots

LEASE = 600.0


def let_run_out(study: Slots, claim: Claim, seconds_ago: float = 1.0) -> None:
    """As if the slot's lease had run out so long ago."""
    with study.storage.transaction() as db:
        db.execute(slots.update().where(slots.c.slot == claim.slot).values(lease_until=now() - seconds_ago))


def claim_for(study: Slots, worker: str) -> Claim:
    """The slot that `worker` gets; there is one."""
    claim = study.claim(worker, LEASE)
    assert claim is not None
    return claim
