"""The lock under which a study's next trial is proposed: a lease that its living owner renews."""

import logging
import random
import threading
from contextlib import suppress
from types import TracebackType

import sqlalchemy as sa

from colgan_search.errors import ColganError, Interrupted, StudyError
from colgan_search.search import trust
from colgan_search.search.database.retry import is_outage, one_line
from colgan_search.search.database.tables import now, past, studies
from colgan_search.search.study.opening import OpenStudy

log = logging.getLogger(__name__)

LEASE_SECONDS = 10.0
"""An owner that is killed or paused under the lock holds the others up for so long."""

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
"""Between two looks whether the lock is free."""


class LockLost(ColganError):
    """Another worker has taken the lock over meanwhile; what was proposed under it must not be written."""


class AskLock:
    """A context in which no other worker makes a trial of this study.

    The lease is on the database's clock. A token grows with every taking: whoever comes back too late finds out in
    `give_up`, which belongs into the transaction that writes. `owner` may take its own lock again (the answer to the
    first time was lost, say). `drain` ends the waiting for it with Interrupted.
    """

    def __init__(self, study: OpenStudy, owner: str, drain: threading.Event) -> None:
        self.study = study
        self.owner = owner
        self.drain = drain
        self._token = 0
        self._given_up = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="ask lock", daemon=True)

    def __enter__(self) -> "AskLock":
        pause = FIRST_PAUSE_SECONDS
        # A living owner may take as long as it needs: no limit but the drain.
        while not self._take():
            if self.drain.wait(pause * random.uniform(0.5, 1.5)):
                raise Interrupted("asked to stop while another worker asked for its graph")
            pause = min(1.5 * pause, LONGEST_PAUSE_SECONDS)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        if error is None and not self._given_up:
            with self.study.storage.transaction() as db:
                self.give_up(db)
        elif isinstance(error, Exception) and not is_outage(error):
            with suppress(Exception), self.study.storage.transaction() as db:
                self.give_up(db)

    def _take(self) -> bool:
        free = past(studies.c.ask_until, LEASE_SECONDS) | (studies.c.ask_owner == self.owner)
        changes = {"ask_owner": self.owner, "ask_token": studies.c.ask_token + 1, "ask_until": now() + LEASE_SECONDS}
        with self.study.storage.transaction() as db:
            taken = db.execute(studies.update().where(self._ours, free).values(changes)).rowcount == 1
            token = db.execute(sa.select(studies.c.ask_token).where(self._ours)).scalar()
        if token is None:
            raise StudyError("the study's slots are gone from the database; was the study deleted?")
        self._token = trust.number(token, f"study {self.study.name!r}: ask_token")
        return taken

    def _renew(self) -> None:
        while not self._ended.wait(LEASE_SECONDS / 4):
            try:
                with self.study.storage.transaction() as db:
                    # Not one that was given up just now.
                    self._set_until(db, now() + LEASE_SECONDS, studies.c.ask_until > 0.0)
            except Exception as error:
                log.warning("the ask lock was not renewed: %s", one_line(error))

    def give_up(self, db: sa.Connection) -> None:
        """Frees the lock with the end of this transaction. LockLost if it was taken over."""
        if not self._set_until(db, sa.literal(0.0)):
            raise LockLost("the ask lock was taken over while a graph was proposed")
        self._given_up = True

    def _set_until(self, db: sa.Connection, until: sa.ColumnElement[float], *where: sa.ColumnElement[bool]) -> bool:
        held = studies.c.ask_token == self._token
        return db.execute(studies.update().where(self._ours, held, *where).values(ask_until=until)).rowcount == 1

    @property
    def _ours(self) -> sa.ColumnElement[bool]:
        return studies.c.uid == self.study.uid


def free(study: OpenStudy, owner: str) -> None:
    """Frees the lock if `owner` holds it: for an owner that ends in the middle of its proposal."""
    held = (studies.c.uid == study.uid) & (studies.c.ask_owner == owner)
    with study.storage.transaction() as db:
        db.execute(studies.update().where(held).values(ask_until=0.0))
