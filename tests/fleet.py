"""Fake workers as real processes, and what must be true of the database when they are done."""

import contextlib
import json
import multiprocessing
import os
import re
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import optuna
import psutil
import psycopg2
import sqlalchemy as sa
from optuna.trial import FrozenTrial, TrialState

from colgan_search.config import StudyConfig, parse_config
from colgan_search.search.budget.slot_records import Claim
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.urls import normalise_url
from colgan_search.search.study.opening import OpenStudy, create_or_open
from colgan_search.seeds import derive_seed
from tests import fake_worker

# A worker's imports take seconds of processor time; forked from one process that has them, it starts at once.
forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(["tests.warm"])

DRAIN_SECONDS = 30.0
"""A drain must have ended by then."""

WAIT_SECONDS = 240.0
"""Longer than anything here takes on a busy machine, shorter than a test may take."""


def fake_config(name: str = "fake", k: int = 2, seed: int = 7, **sections: dict[str, Any]) -> StudyConfig:
    """A study of random graphs with leases of three seconds; sections replace or add settings."""
    data: dict[str, Any] = {
        "name": name,
        "k": k,
        "seed": seed,
        "data": {"name": "digits", "size": 16, "channels": 1},
        "transfer": {"kind": "image"},
        "search": {"sampler": "random"} | sections.pop("search", {}),
        "service": {"lease_seconds": 3.0} | sections.pop("service", {}),
    }
    return parse_config(data | sections, "test")


def make_study(url: str, total: int, config: StudyConfig | None = None, name: str | None = None) -> OpenStudy:
    """A new study (or the one that is there), in a storage that the test closes or forgets."""
    config = config or fake_config()
    return create_or_open(open_storage(url, create=True), config, name or config.name, total)


def hold_a_slot(study: OpenStudy, worker: str = "the test") -> Claim:
    """A slot that stays `worker`'s until it is released: a thread renews it."""
    lease = study.config.service.lease_seconds
    claim = study.slots.claim(worker, lease)
    assert claim is not None

    def keep() -> None:
        held = True
        while held:
            time.sleep(lease / 4)
            with contextlib.suppress(sa.exc.DBAPIError):  # a paused process may lock all others out for a while
                held = study.slots.renew(claim, lease)

    threading.Thread(target=keep, daemon=True).start()
    return claim


class Fleet:
    """Worker processes of one study and one work folder; a context that ends what is left of them."""

    def __init__(
        self,
        url: str,
        work_dir: Path,
        seconds: float,
        study: str = "fake",
        orders: str = "",
        log_dir: Path | None = None,
    ) -> None:
        self.url, self.work_dir, self.seconds, self.study, self.orders = url, work_dir, seconds, study, orders
        self.log_dir = log_dir or work_dir
        self.processes: list[BaseProcess] = []
        self.started = 0

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            if process.is_alive():
                process.kill()
        for process in self.processes:
            process.join()

    def start(self, count: int = 1, orders: str | None = None) -> BaseProcess:
        """Starts `count` workers; gives the last one."""
        for _ in range(count):
            log_file = self.log_dir / f"worker-{self.started}.log"
            arguments = (self.url, self.study, self.work_dir, self.seconds, orders or self.orders, log_file)
            process = forks.Process(target=fake_worker.serve, args=arguments, daemon=True)
            process.start()
            self.processes.append(process)
            self.started += 1
        return self.processes[-1]

    @property
    def living(self) -> list[BaseProcess]:
        return [process for process in self.processes if process.is_alive()]

    def kill(self, process: BaseProcess) -> None:
        """SIGKILL, and waits until it is gone."""
        process.kill()
        process.join()

    def signal(self, process: BaseProcess, number: signal.Signals) -> bool:
        """Sends a signal; False if the process has ended by itself."""
        assert process.pid is not None
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return False
        return True

    def pause(self, process: BaseProcess) -> None:
        """SIGSTOP, outside of any transaction: nobody has to wait for a lock that a paused process holds."""
        assert process.pid is not None
        until = time.monotonic() + WAIT_SECONDS
        while True:
            os.kill(process.pid, signal.SIGSTOP)
            wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, "the worker pauses")
            if not _locked(self.url):
                return
            os.kill(process.pid, signal.SIGCONT)
            assert time.monotonic() < until, "never outside of a transaction"
            time.sleep(0.02)

    def wait(self, seconds: float = WAIT_SECONDS) -> list[int | None]:
        """Waits for all workers; their exit codes in the order of their start."""
        until = time.monotonic() + seconds
        for process in self.processes:
            process.join(max(0.0, until - time.monotonic()))
        return [process.exitcode for process in self.processes]

    def runs(self) -> dict[int, int]:
        """Trial -> how often its experiment was begun, by what the workers wrote."""
        begun = re.compile(r" trial (\d+) (?:begun|continued|taken over): ")
        logs = [(self.log_dir / f"worker-{i}.log").read_text(encoding="utf-8") for i in range(self.started)]
        return dict(Counter(int(number) for log in logs for number in begun.findall(log)))

    def log(self) -> str:
        """The end of what the workers wrote that failed, or else of the last ones; for a failed assertion."""
        codes = [process.exitcode for process in self.processes]
        odd = [i for i, code in enumerate(codes) if code not in (0, -signal.SIGKILL)] or range(len(codes))[-4:]
        files = [self.log_dir / f"worker-{i}.log" for i in odd]
        return "\n".join(f"== {f.name}\n{f.read_text(encoding='utf-8')[-3000:]}" for f in files if f.exists())


def wait_until(true: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Waits for a state; the test fails if it does not come."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"waited {seconds} s in vain: {what}"
        time.sleep(0.05)


def rows_of(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Reads the database with its plain driver, past all our own code."""
    address = normalise_url(url)
    if address.get_backend_name() == "sqlite":
        connection: Any = sqlite3.connect(str(address.database))
    else:
        connection = psycopg2.connect(
            host=address.host,
            port=address.port,
            user=address.username,
            password=address.password,
            dbname=address.database,
        )
    try:
        cursor = connection.cursor()
        cursor.execute(statement)
        return list(cursor.fetchall())
    finally:
        connection.close()


def _locked(url: str) -> bool:
    """True if somebody is in the middle of a transaction."""
    address = normalise_url(url)
    if address.get_backend_name() != "sqlite":
        others = "pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND"
        wait_until(lambda: not rows_of(url, f"SELECT 1 FROM {others} state = 'active'"), "the server's answers")
        return bool(rows_of(url, f"SELECT 1 FROM {others} state LIKE 'idle in transaction%'"))
    connection = sqlite3.connect(str(address.database), timeout=0.2, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return True
    finally:
        connection.close()
    return False


def at_work(url: str) -> int:
    """The number of workers that have got a trial."""
    return len(rows_of(url, "SELECT DISTINCT worker FROM colgan_slots WHERE trial_number IS NOT NULL"))


def training(url: str) -> bool:
    """True if a trial has reported a score."""
    return any(trial.intermediate_values for trial in optuna_trials(url))


def optuna_trials(url: str, name: str = "fake") -> list[FrozenTrial]:
    """All trials as Optuna's own API shows them to anybody."""
    text = normalise_url(url).render_as_string(hide_password=False)
    storage = optuna.storages.RDBStorage(text)
    try:
        return optuna.load_study(study_name=name, storage=storage).get_trials()
    finally:
        storage.remove_session()
        storage.engine.dispose()


def slot_tokens(url: str) -> list[int]:
    """How often each slot was claimed."""
    return [token for (token,) in rows_of(url, "SELECT token FROM colgan_slots ORDER BY slot")]


def assert_exact(url: str, total: int, failed: int = 0, config: StudyConfig | None = None) -> None:
    """Exactly `total` results, one per slot, each from the graph and seed recorded for it; nothing left open."""
    config = config or fake_config()
    trials = optuna_trials(url, config.name)
    states = Counter(trial.state for trial in trials)
    assert states == Counter({TrialState.COMPLETE: total, TrialState.FAIL: failed}), states
    rows = rows_of(url, "SELECT slot, state, trial_number, outcome FROM colgan_slots ORDER BY slot")
    assert Counter(state for _, state, _, _ in rows) == Counter({"done": total, "failed": failed})
    assert [slot for slot, *_ in rows] == list(range(total + failed))
    assert sorted(number for _, _, number, _ in rows) == [trial.number for trial in trials]
    by_number = {trial.number: trial for trial in trials}
    for _, state, number, outcome in rows:
        trial = by_number[number]
        assert trial.user_attrs["seed"] == derive_seed(config.seed, "trial", number, "replicate", 0)
        assert _text_of(trial.params, config.k) == trial.user_attrs["graph"]
        if state == "done":
            accepted = json.loads(outcome)
            value = fake_worker.fake_value(trial.user_attrs["graph"], trial.user_attrs["seed"])
            assert trial.value == accepted["value"] == value
            assert (accepted["graph"], int(accepted["seed"])) == (trial.user_attrs["graph"], trial.user_attrs["seed"])
            assert trial.intermediate_values == {1: value}


def _text_of(params: dict[str, str], k: int) -> str:
    """The text form of a trial's parameters, written down here a second time."""
    letters = {"through": "t", "positive": "p", "negative": "n"}
    parts = []
    for target in range(1, k + 1):
        sources = ["D", *(f"G{i}" for i in range(1, k + 1) if i != target)]
        kept = [(s, params[f"{s}->G{target}"]) for s in sources if params[f"{s}->G{target}"] != "cutoff"]
        parts.append(f"G{target}=" + (",".join(f"{s}:{letters[gate]}" for s, gate in kept) or "-"))
    return "/".join(parts)
