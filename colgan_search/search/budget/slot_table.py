"""The slots of a study as the database has them: counted, listed, and found again by their claims."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from colgan_search.errors import StudyError
from colgan_search.search import trust
from colgan_search.search.budget import draining
from colgan_search.search.budget.faults import Faults
from colgan_search.search.budget.slot_records import (
    ACCEPTED,
    DONE,
    FAILED,
    FAILING,
    FREE,
    LEASED,
    LOST,
    Budget,
    Claim,
    Closing,
)
from colgan_search.search.database.storage import Storage
from colgan_search.search.database.tables import now, slots, studies


class SlotTable:
    """Reads the slots of one study, and updates one under its fencing token."""

    def __init__(self, storage: Storage, uid: str) -> None:
        self.storage = storage
        self.uid = uid

    def budget(self) -> Budget:
        """Counts of this moment."""
        with self.storage.engine.connect() as db:
            total, drain = self._aim(db)
            rows = db.execute(
                sa.select(slots.c.state, sa.func.count()).where(slots.c.uid == self.uid).group_by(slots.c.state)
            )
            count = {row.state: int(row[1]) for row in rows}
        return Budget(
            total=total,
            done=count.get(ACCEPTED, 0) + count.get(DONE, 0),
            running=count.get(LEASED, 0),
            free=count.get(FREE, 0),
            failed=count.get(FAILING, 0) + count.get(FAILED, 0),
            draining=drain,
        )

    def leased(self) -> int:
        """How many slots are in work."""
        with self.storage.engine.connect() as db:
            return self._count(db, slots.c.state == LEASED)

    def total(self, db: sa.Connection) -> int:
        """How many results are wanted; 0 if the study is gone."""
        return self._aim(db)[0]

    def _aim(self, db: sa.Connection) -> tuple[int, bool]:
        """How many results are wanted (0 if the study is gone), and whether its workers are asked to drain."""
        which = sa.select(studies.c.total, draining.asked(self.uid).label("drain")).where(studies.c.uid == self.uid)
        row = db.execute(which).first()
        return (0, False) if row is None else (int(trust.row(row, studies, self.storage.name).total), bool(row.drain))

    def closings(self) -> list[Closing]:
        """Slots that have ended here and that Optuna has not been told of."""
        return self._closings(slots.c.state.in_((ACCEPTED, FAILING)))

    def failures(self) -> list[Closing]:
        """Slots whose graph faulted on too many workers, with the reasons."""
        return self._closings(slots.c.state.in_(LOST))

    def faulted(self) -> list[Closing]:
        """Slots over which anything went wrong, however they ended, with the reasons."""
        return self._closings(slots.c.faults != "[]")

    def last_fault(self) -> tuple[int | None, dict[str, Any]] | None:
        """Number of the trial (None if there was none yet) and what went wrong last; None if nothing ever did."""
        which = slots.c.uid == self.uid, slots.c.faults != "[]"
        with self.storage.engine.connect() as db:
            found = db.execute(sa.select(slots.c.trial_number, slots.c.faults).where(*which))
            rows = trust.rows(found, slots, f"{self.storage.name}: study {self.uid}")
        every = [(row.trial_number, entry) for row in rows for entry in Faults(row.faults).entries]
        return max(every, key=lambda one: one[1]["at"] or 0.0, default=None)

    def _closings(self, which: sa.ColumnElement[bool]) -> list[Closing]:
        with self.storage.engine.connect() as db:
            rows = self._rows(db, slots.c.uid == self.uid, which)
        return [
            Closing(row.slot, row.trial_number, row.worker, row.outcome, tuple(Faults(row.faults).entries))
            for row in rows
        ]

    def bound_trials(self, slot: int | None = None, numbers: Sequence[int] = ()) -> dict[int, int]:
        """Slot -> number of its Optuna trial, of all slots that have one; or only of `slot` and those of `numbers`."""
        bound = [slots.c.uid == self.uid, slots.c.trial_number.is_not(None)]
        if slot is not None:
            bound.append((slots.c.slot == slot) | slots.c.trial_number.in_(numbers))
        with self.storage.engine.connect() as db:
            rows = db.execute(sa.select(slots.c.slot, slots.c.trial_number).where(*bound))
            return {row.slot: row.trial_number for row in trust.rows(rows, slots, f"study {self.uid}")}

    def first_claims(self) -> set[int]:
        """Numbers of the trials that are in work for the first time: nobody has left a checkpoint of them."""
        first = slots.c.uid == self.uid, slots.c.state == LEASED, slots.c.token == 1
        with self.storage.engine.connect() as db:
            rows = db.execute(sa.select(slots.c.trial_number).where(*first, slots.c.trial_number.is_not(None)))
            return {row.trial_number for row in trust.rows(rows, slots, f"study {self.uid}")}

    def _opened(self, db: sa.Connection) -> tuple[int, int]:
        """How many slots there are, and how many of them are lost; without counting them all."""
        ours = slots.c.uid == self.uid
        last = sa.select(sa.func.max(slots.c.slot)).where(ours).scalar_subquery()
        lost = sa.select(sa.func.count()).where(ours, slots.c.state.in_(LOST)).scalar_subquery()
        row = db.execute(sa.select(last, lost)).one()
        return (0 if row[0] is None else trust.number(row[0], f"{self.storage.name}: the last slot") + 1), row[1]

    def _now(self, db: sa.Connection) -> float:
        return float(db.execute(sa.select(now())).scalar_one())

    def _rows(self, db: sa.Connection, *which: sa.ColumnElement[bool]) -> list[Any]:
        found = db.execute(sa.select(slots).where(*which).order_by(slots.c.slot))
        return trust.rows(found, slots, f"{self.storage.name}: study {self.uid}")

    def _row_of(self, db: sa.Connection, claim: Claim) -> Any:
        return next(iter(self._rows(db, self._is(claim.slot))), None)

    def _is(self, slot: int) -> sa.ColumnElement[bool]:
        return (slots.c.uid == self.uid) & (slots.c.slot == slot)

    def _row(self, slot: int) -> sa.Update:
        return slots.update().where(self._is(slot))

    def _update(
        self, db: sa.Connection, claim: Claim, *where: sa.ColumnElement[bool], states: Any = (LEASED,), **values: Any
    ) -> bool:
        """Updates the slot if nobody has claimed it after `claim` and it is in one of `states`."""
        held = (slots.c.token == claim.token) & slots.c.state.in_(states)
        return db.execute(self._row(claim.slot).where(held, *where).values(**values)).rowcount == 1

    def _lock_study(self, db: sa.Connection) -> Any:
        row = db.execute(sa.select(studies).where(studies.c.uid == self.uid).with_for_update()).first()
        if row is None:
            raise StudyError("the study's slots are gone from the database; was the study deleted?")
        return trust.row(row, studies, self.storage.name)

    def _count(self, db: sa.Connection, which: sa.ColumnElement[bool]) -> int:
        return db.execute(sa.select(sa.func.count()).where(slots.c.uid == self.uid, which)).scalar() or 0
