"""Workers killed and paused at random moments: exactly T results, one per slot, each from its own graph and seed."""

import os
import random
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from optuna.trial import TrialState

from tests.fleet import Fleet, assert_exact, fake_config, hold_a_slot, make_study, optuna_trials, rows_of, slot_tokens

LEASE_SECONDS = 4.0


def _run_under_fire(
    url: str,
    work_dir: Path,
    *,
    workers: int,
    total: int,
    seconds: float,
    every: float,
    kills: int,
    at_least: dict[str, int],
    seed: int,
) -> int:
    """Kills a random worker every `every` seconds, `kills` in all, and replaces it; pauses another past its lease.

    Gives the number of results that Optuna has in the end.
    """
    print(f"seed {seed}")
    dice = random.Random(seed)
    config = fake_config(service={"lease_seconds": LEASE_SECONDS})
    study = make_study(url, total, config)
    counts = {"killed": 0, "paused": 0}
    # Until `at_least` so much has happened the test itself has one slot: the study cannot be done before.
    held = hold_a_slot(study)
    holding = True
    with Fleet(url, work_dir, seconds) as fleet:
        fleet.start(workers)
        paused: dict[BaseProcess, float] = {}
        until = time.monotonic() + 400
        while not study.slots.budget().finished:
            assert time.monotonic() < until, fleet.log()
            time.sleep(every)
            now = time.monotonic()
            for process in [p for p, since in paused.items() if now - since > LEASE_SECONDS + 1.5]:
                fleet.signal(process, signal.SIGCONT)
                del paused[process]
            # While one is paused, perhaps with SQLite's lock, this could wait for ever.
            if holding and not paused and all(counts[what] >= least for what, least in at_least.items()):
                holding = not study.slots.release(held)
            awake = [process for process in fleet.living if process not in paused]
            if len(awake) > 1 and counts["killed"] < kills:
                victim = dice.choice(awake)
                fleet.kill(victim)
                counts["killed"] += victim.exitcode == -signal.SIGKILL  # or else it had ended by itself
                awake.remove(victim)
            # One that is paused while it opens the database finds its connection ended, and says so and leaves.
            entered = {int(name.split(":")[1]) for (name,) in rows_of(url, "SELECT worker FROM colgan_workers")}
            ready = [process for process in awake if process.pid in entered]
            if not paused and ready:
                sleeper = dice.choice(ready)
                if fleet.signal(sleeper, signal.SIGSTOP):
                    paused[sleeper] = now
                    counts["paused"] += 1
            fleet.start(workers - len(fleet.living))
        for process in paused:
            fleet.signal(process, signal.SIGCONT)
        codes = fleet.wait()
        log = fleet.log()
    study.storage.close()
    assert set(codes) <= {0, -signal.SIGKILL}, (codes, log)
    assert codes.count(-signal.SIGKILL) == counts["killed"]
    assert_exact(url, total, config=config)
    print(counts, "claims per slot:", slot_tokens(url))
    return sum(trial.state == TrialState.COMPLETE for trial in optuna_trials(url))


@pytest.mark.parametrize("seed", [1])
def test_six_workers_killed_and_paused(prepared_url: str, tmp_path: Path, seed: int) -> None:
    results = _run_under_fire(
        prepared_url,
        tmp_path,
        workers=6,
        total=24,
        seconds=0.2,
        every=0.7,
        kills=6,
        at_least={"killed": 2, "paused": 1},
        seed=seed,
    )
    assert results == 24


@pytest.mark.endurance
@pytest.mark.timeout(600)
def test_sixteen_workers_killed_every_second(prepared_postgres_url: str, tmp_path: Path) -> None:
    results = _run_under_fire(
        prepared_postgres_url,
        tmp_path,
        workers=16,
        total=200,
        seconds=1.0,
        every=1.0,
        kills=10**6,
        at_least={"killed": 10, "paused": 2},
        seed=int(os.environ.get("COLGAN_TEST_SEED", random.randrange(10**6))),
    )
    assert results == 200
