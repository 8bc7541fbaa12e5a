"""Workers killed and paused at random moments: exactly T results, one per slot, each from its own graph and seed."""

import random
import signal
import time
from pathlib import Path

import pytest

from tests.fleet import Fleet, assert_exact, fake_config, make_study, slot_tokens

LEASE_SECONDS = 4.0


def _run_under_fire(
    url: str, work_dir: Path, *, workers: int, total: int, seconds: float, every: float, kills: int, seed: int
) -> dict[str, int]:
    """Kills a random worker every `every` seconds, `kills` in all, and replaces it; pauses another past its lease."""
    print(f"seed {seed}")
    dice = random.Random(seed)
    config = fake_config(service={"lease_seconds": LEASE_SECONDS})
    study = make_study(url, total, config)
    counts = {"killed": 0, "paused": 0}
    with Fleet(url, work_dir, seconds) as fleet:
        fleet.start(workers)
        paused: dict[object, float] = {}
        until = time.monotonic() + 400
        while not study.slots.budget().finished:
            assert time.monotonic() < until, fleet.log()
            time.sleep(every)
            now = time.monotonic()
            for process in [p for p, since in paused.items() if now - since > LEASE_SECONDS + 1.5]:
                fleet.signal(process, signal.SIGCONT)  # type: ignore[arg-type]
                del paused[process]
            awake = [process for process in fleet.living if process not in paused]
            if len(awake) > 1 and counts["killed"] < kills:
                victim = dice.choice(awake)
                fleet.kill(victim)
                counts["killed"] += 1
                awake.remove(victim)
            if not paused and awake:
                sleeper = dice.choice(awake)
                fleet.signal(sleeper, signal.SIGSTOP)
                paused[sleeper] = now
                counts["paused"] += 1
            fleet.start(workers - len(fleet.living))
        for process in paused:
            fleet.signal(process, signal.SIGCONT)  # type: ignore[arg-type]
        codes = fleet.wait()
        log = fleet.log()
    study.storage.close()
    assert set(codes) <= {0, -signal.SIGKILL}, (codes, log)
    assert codes.count(-signal.SIGKILL) == counts["killed"]
    assert_exact(url, total, config=config)
    print(counts, "claims per slot:", slot_tokens(url))
    return counts


@pytest.mark.parametrize("seed", [1])
def test_six_workers_killed_and_paused(prepared_url: str, tmp_path: Path, seed: int) -> None:
    counts = _run_under_fire(prepared_url, tmp_path, workers=6, total=24, seconds=0.2, every=0.7, kills=6, seed=seed)
    assert counts["killed"] >= 2 and counts["paused"] >= 1


@pytest.mark.endurance
@pytest.mark.timeout(600)
def test_sixteen_workers_killed_every_second(prepared_postgres_url: str, tmp_path: Path) -> None:
    counts = _run_under_fire(
        prepared_postgres_url,
        tmp_path,
        workers=16,
        total=200,
        seconds=1.0,
        every=1.0,
        kills=10**6,
        seed=random.randrange(10**6),
    )
    assert counts["killed"] >= 10 and counts["paused"] >= 2
