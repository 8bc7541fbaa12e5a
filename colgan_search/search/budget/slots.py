"""The exactly-once budget: T slots, each with a lease, a fencing token and at most one accepted result."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import sqlalchemy as sa

from colgan_search.errors import StudyError
from colgan_search.search import trust
from colgan_search.search.budget import draining
from colgan_search.search.budget.faults import GRAPH, MACHINE, VANISHED, VANISHED_REASON, Faults
from colgan_search.search.budget.slot_records import (
    ACCEPTED,
    DONE,
    FAILED,
    FAILING,
    FREE,
    LEASED,
    LOST,
    Claim,
)
from colgan_search.search.budget.slot_table import SlotTable
from colgan_search.search.database.tables import CLOCK_STEP_SECONDS, now, past, server_started, slots, studies, workers


class Slots(SlotTable):
    """All slots of one study, and what happens to them. Every method is one transaction; times are the database's."""

    def begin_study(self, total: int) -> None:
        """Records the total of a new study; does nothing if it is recorded already."""
        with self.storage.transaction() as db:
            if db.execute(sa.select(studies.c.uid).where(studies.c.uid == self.uid)).first() is None:
                db.execute(studies.insert().values(uid=self.uid, total=total))

    def set_total(self, total: int) -> None:
        """Changes the total. StudyError, and no change, if more slots than that have been begun."""
        with self.storage.transaction() as db:
            self._lock_study(db)
            self._require_total(db, total)
            db.execute(studies.update().where(studies.c.uid == self.uid).values(total=total))

    def lock(self, db: sa.Connection) -> None:
        """Nobody else claims a slot until the transaction ends. StudyError if the study is gone."""
        self._lock_study(db)

    def make_room(self, db: sa.Connection, count: int, waiting: int, grow: bool) -> int:
        """The total with room for `count` trials that are to be enqueued beside the `waiting` ones: with `grow` raised
        by so many, else as it is. StudyError if the slots that nobody has begun do not suffice; in the transaction that
        enqueues them."""
        total = int(self._lock_study(db).total)
        if grow:
            db.execute(studies.update().where(studies.c.uid == self.uid).values(total=total + count))
            return total + count
        # One that is leased may be about to get its trial: from a history without the new ones.
        taken = slots.c.state.not_in(LOST) & (slots.c.trial_number.is_not(None) | (slots.c.state == LEASED))
        left = max(0, total - self._count(db, taken) - waiting)
        if count > left:
            raise StudyError(
                f"{left} of the study's {total} slots are left to be taken, and {count} are asked for; "
                "with `grow` the study's total grows instead"
            )
        return total

    def lower_total(self, total: int) -> None:
        """Lowers the total to this one, or to what has been begun if that is more; never raises it."""
        with self.storage.transaction() as db:
            row = self._lock_study(db)
            lower = max(total, self._count(db, slots.c.state.not_in(LOST)), 1)
            if lower < row.total:
                db.execute(studies.update().where(studies.c.uid == self.uid).values(total=lower))

    def require_total(self, total: int) -> None:
        """StudyError if `set_total` would refuse the total as things stand."""
        with self.storage.engine.connect() as db:
            self._require_total(db, total)

    def _require_total(self, db: sa.Connection, total: int) -> None:
        begun = self._count(db, slots.c.state.not_in(LOST))
        done = self._count(db, slots.c.state.in_((ACCEPTED, DONE)))
        if total < begun:
            running = f" and {begun - done} more are in progress" if begun > done else ""
            raise StudyError(
                f"`trials` {total} is the study's total, but {done} are done{running}; name at least {begun}"
            )

    def claim(self, worker: str, lease_seconds: float, max_vanished: int | None = None) -> Claim | None:
        """Takes a slot that is free or whose lease ran out, or else opens the next one; None if there is none.

        A worker has one slot at a time: one that holds a slot gets that one again, so that no slot is lost when the
        answer to a claim is. Slots on which this worker itself faulted come last, and are left to others as long as
        any of them is at work. A lease that lies further ahead than `lease_seconds` has run out too. None counts as run
        out in the first `lease_seconds` after the server's start, after a time in which nobody could renew, or after
        the clock was set back: owners go first. A slot whose lease ran out under `max_vanished`
        workers (None = any number) without any progress is closed as failing: its graph may kill its process.
        None as well while the study's workers are asked to drain: `budget` says so.
        """
        with self.storage.transaction() as db:
            study = self._lock_study(db)
            mine = (slots.c.state == LEASED) & (slots.c.worker == worker)
            ready = (slots.c.state == FREE) | mine
            over, drain = self._note_contact(db, lease_seconds)
            if drain:
                return None
            if over:
                ready |= (slots.c.state == LEASED) & past(slots.c.lease_until, lease_seconds)
            rows = self._rows(db, slots.c.uid == self.uid, ready)
            held = [row for row in rows if row.state == LEASED and row.worker == worker]
            fresh = [row for row in rows if worker not in Faults(row.faults).workers]
            if not held and not fresh:
                opened, lost = self._opened(db)
                if opened - lost < study.total:
                    return self._open(db, opened, worker, lease_seconds)
                if self._count(db, (slots.c.state == LEASED) & ~past(slots.c.lease_until, lease_seconds)):
                    return None
            for row in held or fresh or rows:
                late = row.state == LEASED and not held
                if late and self._note_vanished(db, row, max_vanished) == FAILING:
                    continue
                token = row.token if held else row.token + 1
                changes = {"state": LEASED, "token": token, "worker": worker, "lease_until": now() + lease_seconds}
                db.execute(self._row(row.slot).values(changes))
                return Claim(row.slot, token, row.trial_number, taken_over=late)
        # Slots were closed as failing, or there were none; others may be opened in the place of the closed ones.
        return self.claim(worker, lease_seconds, max_vanished) if rows else None

    def _open(self, db: sa.Connection, slot: int, worker: str, lease_seconds: float) -> Claim:
        db.execute(
            slots.insert().values(
                uid=self.uid,
                slot=slot,
                state=LEASED,
                token=1,
                worker=worker,
                lease_until=now() + lease_seconds,
            )
        )
        return Claim(slot, 1, None, taken_over=False)

    def _note_contact(self, db: sa.Connection, lease_seconds: float) -> tuple[bool, bool]:
        """Whether leases that ran out may be taken over now, and whether workers are asked to drain.

        Begins a time of grace after an outage.
        """
        # Owners renew every quarter of a lease. If nobody did for half of one, nobody could: soon all look stale.
        # Not twice in a row, or contacts that are always slow would put every takeover off for ever.
        silent = (studies.c.contact < now() - lease_seconds / 2) & (now() > studies.c.grace_until + lease_seconds)
        set_back = studies.c.contact > now() + CLOCK_STEP_SECONDS  # until they renew, all leases lie too far ahead
        grace = sa.case((silent | set_back, now() + lease_seconds), else_=studies.c.grace_until)
        study = studies.c.uid == self.uid
        db.execute(studies.update().where(study).values(contact=now(), grace_until=grace))
        over = past(studies.c.grace_until, lease_seconds) & past(server_started() + lease_seconds, lease_seconds)
        row = db.execute(sa.select(over, draining.asked(self.uid)).where(study)).first()
        return (False, False) if row is None else (bool(row[0]), bool(row[1]))

    def bind(self, claim: Claim, trial_number: int, db: sa.Connection | None = None) -> bool:
        """Gives the slot its Optuna trial, once. False if the lease is lost, or either of them is bound already.

        With `db`, in the transaction that makes the trial.
        """
        try:
            with nullcontext(db) if db is not None else self.storage.transaction() as here:
                return self._update(here, claim, slots.c.trial_number.is_(None), trial_number=trial_number)
        except sa.exc.IntegrityError:
            return False

    def renew(self, claim: Claim, lease_seconds: float, drain: Callable[[], None] = lambda: None) -> bool:
        """Extends the lease from now. False if another worker has taken the slot over.

        `drain` is called if the study's workers are asked to drain: it is read with the lease.
        """
        with self.storage.transaction() as db:
            _, asked = self._note_contact(db, lease_seconds)
            renewed = self._update(db, claim, lease_until=now() + lease_seconds)
        if asked:
            drain()
        return renewed

    def accept(self, claim: Claim, outcome: str) -> bool:
        """Records the slot's one result. False, and nothing recorded, if the slot was claimed again. Safe to repeat.

        A slot that was given back meanwhile (its worker died with the result on disk) still takes it.
        """
        with self.storage.transaction() as db:
            if self._update(db, claim, states=(LEASED, FREE), state=ACCEPTED, outcome=outcome):
                return True
            row = self._row_of(db, claim)
            return row is not None and row.token == claim.token and row.outcome == outcome

    def release(self, claim: Claim, fault: str | None = None, max_faults: int | None = None) -> bool:
        """Gives the slot back, with the reason if that was a fault; False if the lease was lost.

        A slot on which `max_faults` different workers faulted is closed as failing instead. None: the machine was at
        fault, which does not count.
        """
        with self.storage.transaction() as db:
            row = self._row_of(db, claim)
            if row is None:
                return False
            faults = Faults(row.faults)
            if fault is not None:
                # A slot without a trial has no graph that could be at fault.
                graph = max_faults is not None and row.trial_number is not None
                faults.add(row.worker, fault, self._now(db), GRAPH if graph else MACHINE)
            counts = fault is not None and row.trial_number is not None
            poisoned = counts and max_faults is not None and faults.against_graph >= max_faults
            state = FAILING if poisoned else FREE
            return self._update(db, claim, state=state, lease_until=0.0, faults=faults.text)

    def release_of(self, names: Sequence[str], max_vanished: int | None = None) -> int:
        """Gives back every slot that these workers hold; for workers known to be dead. The number of slots.

        `max_vanished` as in `claim`.
        """
        with self.storage.transaction() as db:
            self._lock_study(db)
            held = (slots.c.uid == self.uid) & (slots.c.state == LEASED) & slots.c.worker.in_(names)
            rows = self._rows(db, held)
            for row in rows:
                state = self._note_vanished(db, row, max_vanished)
                db.execute(self._row(row.slot).where(held).values(state=state, lease_until=0.0))
            asking = (studies.c.uid == self.uid) & studies.c.ask_owner.in_(names)
            db.execute(studies.update().where(asking).values(ask_until=0.0))
            return len(rows)

    def forgive(self, claim: Claim, epoch: int) -> None:
        """The trial has come to `epoch` (1, 2, ...): workers that vanished over it earlier do not count any more."""
        with self.storage.transaction() as db:
            row = self._row_of(db, claim)
            if row is not None and (faults := Faults(row.faults)).forgive(epoch):
                self._update(db, claim, faults=faults.text)

    def _note_vanished(self, db: sa.Connection, row: Any, limit: int | None) -> str:
        """Records that the slot's worker is gone without a word; FREE, or FAILING if that was once too often."""
        seen = (workers.c.uid == self.uid) & (workers.c.worker == row.worker)
        seen &= workers.c.trial_number == row.trial_number
        epoch = db.execute(sa.select(workers.c.epoch).where(seen)).scalar() or 0
        epoch = epoch if trust.is_number(epoch) else 0  # it is only what the worker said of itself
        faults = Faults(row.faults)
        faults.add(row.worker, VANISHED_REASON, self._now(db), VANISHED, epoch)
        state = FAILING if limit is not None and faults.vanished >= limit and row.trial_number is not None else FREE
        changes = {"faults": faults.text} | ({"state": state} if state == FAILING else {})
        db.execute(self._row(row.slot).where(slots.c.token == row.token, slots.c.state == LEASED).values(changes))
        return state

    def mark_told(self, slot: int, db: sa.Connection | None = None) -> None:
        """Records that Optuna knows how the slot ended; with `db`, in the transaction that tells it."""
        ended = sa.case((slots.c.state == ACCEPTED, DONE), else_=FAILED)
        with nullcontext(db) if db is not None else self.storage.transaction() as here:
            here.execute(self._row(slot).where(slots.c.state.in_((ACCEPTED, FAILING))).values(state=ended))
