"""Commands that run inside the test's own process."""

import logging
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from optuna.trial import FrozenTrial

from colgan_search.search.budget.slots import Slots
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.storage import Storage
from colgan_search.search.database.tables import now, studies
from colgan_search.search.proposing import propose
from tests.integration.cli_helpers import fake_study, optuna_study, small_config
from tests.integration.file_server import Server


@pytest.fixture
def quiet_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a command changes in this process is put back: signals, log handlers."""
    monkeypatch.delenv("COLGAN_STORAGE", raising=False)
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)}
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    yield
    for number, handler in signals.items():
        signal.signal(number, handler)
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.go_on.set()
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def storage(prepared_url: str) -> Iterator[Storage]:
    """An open database of each kind."""
    opened = open_storage(prepared_url)
    yield opened
    opened.close()


def _old_study(storage: Storage, monkeypatch: pytest.MonkeyPatch, total: int) -> Slots:
    # The test's server is young; its start would be a time of grace.
    monkeypatch.setattr("colgan_search.search.budget.slots.server_started", lambda: sa.literal(0.0))
    study = Slots(storage, "u")
    study.begin_study(total)
    with storage.transaction() as db:
        db.execute(studies.update().values(contact=now(), grace_until=0.0))
    return study


@pytest.fixture
def four(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Slots:
    """A study of four slots whose leases can be taken over as soon as they run out."""
    return _old_study(storage, monkeypatch, 4)


@pytest.fixture
def one(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Slots:
    """The same, of one slot."""
    return _old_study(storage, monkeypatch, 1)


@pytest.fixture
def trials(storage_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[FrozenTrial]:
    """The trials of a study of 4 results, 3 done and 1 running, in the storage that COLGAN_STORAGE names."""
    study = fake_study(storage_url, small_config(tmp_path), total=4, done=3)
    claim = study.slots.claim("host:2:00000002", 60.0)
    assert claim is not None
    propose.assign(study, claim)
    study.storage.close()
    monkeypatch.setenv("COLGAN_STORAGE", storage_url)
    monkeypatch.chdir(tmp_path)
    return optuna_study(storage_url).trials
