"""A whole search of the digits: this program, and the plain reference run the obvious way and run well.

    python -m benchmarks search --json --rows search-rows.jsonl

Every round is three searches. Ours is `launch` with one-thread workers, one per core: it proposes, trains, scores (FID
as well), keeps everything in its database and draws the best graph. The plain reference is given the graphs that ours
has chosen, in one process with PyTorch's own number of threads, or in one-thread processes side by side. The time of
each is that from the start of its first process to the end of its last, its classifier's training included. Nothing
else should run on the machine. With --rows, what is measured is kept as it comes, and the same command goes on.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import joblib

from benchmarks import plain_trials, same_scores
from benchmarks.benchmark import Benchmark
from benchmarks.processes import run
from benchmarks.rows import Rows
from benchmarks.timing import spread
from benchmarks.trial import CONFIG
from colgan_search import __version__, results
from colgan_search.cli.configs import set_by
from colgan_search.config import StudyConfig, load_config
from colgan_search.graph import KnowledgeTransferGraph

OURS, OBVIOUS, WELL = "colgan-search", "plain, one process", "plain, one-thread processes"


def options(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--trials", type=int, default=24, help="of one search (default 24)")
    parser.add_argument("--rounds", type=int, default=2, help="of all three searches (default 2)")
    parser.add_argument("--processes", type=int, default=joblib.cpu_count(), help="side by side, else one per core")
    parser.add_argument("--plain-threads", type=int, help="of the plain reference in one process, else PyTorch's own")
    parser.add_argument("--score-seeds", type=int, default=5, help="trainings whose scores are compared (default 5)")
    parser.add_argument("--graph", default="all-through", help="their graph (default all-through)")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", help="another value for a key of the config")
    parser.add_argument("--rows", type=Path, help="JSON lines of what is measured; the same command goes on from them")


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """All rounds, then both programs' scores."""
    config = set_by(load_config(CONFIG), asked.set)
    settings = {
        "trials": asked.trials,
        "processes": asked.processes,
        "plain_threads": asked.plain_threads,
        "device": asked.device,
        "set": asked.set or [],
        "graph": asked.graph,
        "version": __version__,
    }
    rows = Rows(asked.rows, settings)
    for number in range(1, asked.rounds + 1):
        ours = rows.get(f"{OURS}, {number}", lambda number=number: _ours(asked, number))  # type: ignore[misc]
        plain = [(OBVIOUS, 1, asked.plain_threads), (WELL, asked.processes, 1)]
        for name, processes, threads in plain if number % 2 else reversed(plain):
            rows.get(
                f"{name}, {number}",
                lambda processes=processes, threads=threads, ours=ours: _plain(  # type: ignore[misc]
                    config, ours, processes, threads, asked.device
                ),
            )
    scores = same_scores.measure(config, asked.graph, asked.score_seeds, asked.device, rows)
    return {"settings": settings, "rounds": asked.rounds, **_summary(rows, asked.rounds), "scores": scores}


def _ours(asked: argparse.Namespace, number: int) -> dict[str, Any]:
    """One search by `launch`, of another seed in every round."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "colgan_search", "launch", "--config", CONFIG]
        words += ["--trials", str(asked.trials), "--workers", str(asked.processes), "--device", asked.device]
        words += ["--work-dir", folder, "--storage", f"sqlite:///{folder}/study.db"]
        for changed in (*(asked.set or ()), "runtime.threads=1", f"seed={number}"):
            words += ["--set", changed]
        row = _run(words)
        found = sorted(results(CONFIG, storage=f"sqlite:///{folder}/study.db"), key=lambda trial: trial.number)
    return row | {
        "graphs": [trial.graph.to_text() for trial in found if trial.graph is not None],
        "values": [round(trial.value, 4) for trial in found if trial.value is not None],
        "threads": 1,
        "processes": asked.processes,
    }


def _plain(
    config: StudyConfig, ours: dict[str, Any], processes: int, threads: int | None, device: str
) -> dict[str, Any]:
    """The same graphs by the plain reference."""
    graphs = [plain_trials.edges_of(KnowledgeTransferGraph.from_text(text)) for text in ours["graphs"]]
    seeds = list(range(len(graphs)))
    job = plain_trials.job_of(plain_trials.Setting.of(config), graphs, seeds, processes, threads, device)
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder, "job.json"), Path(folder, "out.json")
        given.write_text(json.dumps(job), encoding="utf-8")
        row = _run([sys.executable, "-m", "benchmarks.plain_trials", str(given), str(made)])
        out = json.loads(made.read_text(encoding="utf-8"))
    values = [round(max(scores), 4) for scores in out["is"]]
    return row | {"values": values, "threads": out["threads"], "processes": processes}


def _run(words: Sequence[str]) -> dict[str, Any]:
    load = round(os.getloadavg()[0], 2)
    return run(words).rounded() | {"load_before": load}


def _summary(rows: Rows, rounds: int) -> dict[str, Any]:
    """Trials per hour of each, and how many times those of the plain reference ours are, within a round."""
    found = {
        name: [rows.kept[f"{name}, {number}"] for number in range(1, rounds + 1)] for name in (OURS, OBVIOUS, WELL)
    }
    return {
        "searches": {
            name: {
                "trials_per_hour": spread([3600 * len(one["values"]) / one["wall"] for one in ran], 1),
                "trials_per_cpu_hour": spread([3600 * len(one["values"]) / one["cpu"] for one in ran], 1),
                "wall_seconds": spread([one["wall"] for one in ran], 1),
                "load_before": [one["load_before"] for one in ran],
                "threads": ran[0]["threads"],
                "processes": ran[0]["processes"],
                "best_is": [max(one["values"]) for one in ran],
            }
            for name, ran in found.items()
        },
        "times_as_many": {
            name: {
                "by_the_clock": spread(
                    [their["wall"] / our["wall"] for their, our in zip(ran, found[OURS], strict=True)]
                ),
                "by_cpu_time": spread([their["cpu"] / our["cpu"] for their, our in zip(ran, found[OURS], strict=True)]),
            }
            for name, ran in found.items()
            if name != OURS
        },
    }


def _ratios(seconds: str, theirs: list[dict[str, Any]], ours: list[dict[str, Any]]) -> list[float]:
    """Of one trial, within each round."""
    return [
        (their[seconds] / len(their["values"])) / (our[seconds] / len(our["values"]))
        for their, our in zip(theirs, ours, strict=True)
    ]


def lines(result: dict[str, Any]) -> Iterator[str]:
    """One for each way of running, one for the scores."""
    for name, one in result["searches"].items():
        per_hour, per_cpu = one["trials_per_hour"]["median"], one["trials_per_cpu_hour"]["median"]
        yield (
            f"{name} ({one['processes']} processes of {one['threads']} threads): {per_hour} trials per hour, "
            f"{per_cpu} per hour of CPU time"
        )
    for name, ratio in result["times_as_many"].items():
        clock, cpu = ratio["by_the_clock"], ratio["by_cpu_time"]
        yield f"times the trials per hour of {name}: {clock['median']} by the clock, {cpu['median']} by CPU time"
    yield from same_scores.lines(result["scores"])


SEARCH = Benchmark(
    "search",
    "a whole search of the digits: trials per hour of this program and of the plain reference, and their scores",
    options,
    measure,
    lines,
    packages=("torch", "torch-fidelity", "numpy", "optuna"),
)
