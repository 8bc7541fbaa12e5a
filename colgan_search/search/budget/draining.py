"""The mark by which all workers of a study drain, wherever they are: a row that claims and renewals read with them."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from colgan_search.search.database.storage import Storage
from colgan_search.search.database.tables import files

MARK = "drain"
"""Name of the row among a study's shared files; no file that workers share can be called so."""


def asked(uid: str) -> sa.ColumnElement[bool]:
    """True if the workers of the study are asked to drain, as a part of another statement."""
    return sa.exists().where(files.c.uid == uid, files.c.name == MARK)


def ask(storage: Storage, uid: str) -> None:
    """Asks all workers of the study, and those that come, to drain, until it is lifted."""
    insert = sqlite.insert if storage.is_sqlite else postgresql.insert
    with storage.transaction() as db:
        db.execute(insert(files).values(uid=uid, name=MARK, content=b"").on_conflict_do_nothing())


def lift(storage: Storage, uid: str) -> bool:
    """Workers may work again. False if they were not asked to drain."""
    with storage.transaction() as db:
        return db.execute(files.delete().where(files.c.uid == uid, files.c.name == MARK)).rowcount > 0
