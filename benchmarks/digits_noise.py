"""How well the digits benchmark can tell graphs apart: the noise of measuring, of seeds, and the spread of graphs.

    python -m benchmarks.digits_noise --rows rows.jsonl --report benchmarks/results/digits_noise.json

Trains randomly drawn graphs and the named ones, each from the same number of seeds, with the config of the digits'
Table 3 search. Rows are written as they come; the same command goes on, and `--part 0/2`, `--part 1/2` share the work.
"""

import argparse
import json
import math
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from scipy import stats

from benchmarks.surroundings import surroundings
from colgan_search.bundles.weights import load_generators
from colgan_search.config import StudyConfig, fingerprint, load_config, with_overrides
from colgan_search.experiment import Experiment
from colgan_search.file_names import GENERATORS_FILE, WorkFolder
from colgan_search.gates import PAPER_GATES
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.presets import PRESETS
from colgan_search.roster import Roster
from colgan_search.seeds import derive_seed
from colgan_search.symmetry import canonical

CONFIG = "paper-digits/table3-proposed"
DRAW_SEED = 2026
"""Fixed before anything was trained."""


def graphs(k: int, count: int) -> list[str]:
    """`count` different graphs (up to relabelling), each edge's gate drawn at random, then every preset that fits."""
    draw, found = random.Random(DRAW_SEED), dict[str, str]()
    while len(found) < count:
        graph = canonical(
            KnowledgeTransferGraph(Roster(k), tuple(draw.choice(list(PAPER_GATES)) for _ in range(k * k)))
        )
        found[graph.to_text()] = "random"
    return [*found, *(preset.graph(k).to_text() for preset in PRESETS.values() if preset.fits(k))]


def measure(config: StudyConfig, graph: str, seed: int, again: int, experiment: Experiment) -> dict[str, Any]:
    """One training: its curve, every generator's IS, and the same generators' IS on fresh images, `again` times."""
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        outcome = experiment(
            KnowledgeTransferGraph.from_text(graph), seed, Path(folder), lambda progress: None, lambda: False
        )
        seconds = time.process_time() - started
        size, channels = config.data.size, config.data.channels
        fresh = []
        if outcome.scores is not None:
            generators = load_generators(
                Path(folder) / GENERATORS_FILE,
                config.network,
                config.k,
                size=size,
                channels=channels,
                device=torch.device("cpu"),
            )
            for repeat in range(again):
                scores = experiment.evaluator.score(
                    generators, config.network.z, seed=derive_seed(seed, "fresh images", repeat)
                )
                fresh.append([generator.is_mean for generator in scores.generators])
    return {
        "graph": graph,
        "seed": seed,
        "fingerprint": fingerprint(config),
        "is": [] if outcome.scores is None else [generator.is_mean for generator in outcome.scores.generators],
        "value": outcome.value,
        "curve": {moment.epoch: moment.scores.value for moment in outcome.history},
        "fresh": fresh,
        "cpu_seconds": round(seconds, 1),
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The three noises and what they make of the graphs, as standard deviations of the maximum IS."""
    by_graph: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_graph.setdefault(row["graph"], []).append(row)
    values = [[row["value"] for row in found] for found in by_graph.values()]
    trained = [found for found in by_graph.values() if statistics.fmean(row["value"] for row in found) > 2.0]
    repeats = [
        statistics.variance([max(scores) for scores in [row["is"], *row["fresh"]]]) for row in rows if row["fresh"]
    ]
    means = sorted((statistics.fmean(row["value"] for row in found) for found in trained), reverse=True)
    inside = _mean([statistics.variance([row["value"] for row in found]) for found in trained if len(found) > 1])
    seeds = statistics.fmean(len(found) for found in trained)
    between = max(0.0, statistics.variance(means) - inside / seeds)
    top = trained_top(trained)
    top_means = [statistics.fmean(row["value"] for row in found) for found in top]
    top_inside = _mean([statistics.variance([row["value"] for row in found]) for found in top if len(found) > 1])
    test = stats.f_oneway(*[[row["value"] for row in found] for found in trained if len(found) > 1])
    return {
        "graphs": len(by_graph),
        "graphs_that_learn": len(trained),
        "trainings": sum(map(len, values)),
        "sd_measuring": math.sqrt(_mean(repeats)),
        "sd_seeds": math.sqrt(inside),
        "sd_graphs": math.sqrt(between),
        "sd_seeds_top_third": math.sqrt(top_inside),
        "sd_graphs_top_third": math.sqrt(max(0.0, statistics.variance(top_means) - top_inside / seeds)),
        "range_of_means": [means[-1], means[0]],
        "anova_p": float(test.pvalue),
        "curve": {
            epoch: statistics.fmean(row["curve"][epoch] for found in trained for row in found)
            for epoch in sorted({epoch for row in rows for epoch in row["curve"]}, key=int)
        },
        "cpu_seconds_mean": statistics.fmean(row["cpu_seconds"] for row in rows),
        "cpu_seconds_max": max(row["cpu_seconds"] for row in rows),
        "means": {graph: statistics.fmean(row["value"] for row in found) for graph, found in by_graph.items()},
    }


def trained_top(trained: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """The third of the graphs with the highest means."""
    ranked = sorted(trained, key=lambda found: -statistics.fmean(row["value"] for row in found))
    return ranked[: max(2, len(ranked) // 3)]


def _mean(values: list[float]) -> float:
    return statistics.fmean(values) if values else math.nan


def main() -> None:
    """Trains what is missing of this part, then reports on all rows there are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True, help="JSON lines, one training each; appended to")
    parser.add_argument("--report", type=Path, help="the summary as JSON")
    parser.add_argument("--config", default=CONFIG)
    parser.add_argument("--random", type=int, default=8, help="randomly drawn graphs (default 8)")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each (default 3)")
    parser.add_argument("--again", type=int, default=2, help="scorings of each on fresh images (default 2)")
    parser.add_argument("--part", default="0/1", help="this process's share, e.g. 0/2")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    config = load_config(wanted.config)
    every = config.training.epochs // 4 or 1
    config = with_overrides(config, {"evaluation.every_epochs": every})
    part, parts = map(int, wanted.part.split("/"))
    jobs = [(graph, seed) for seed in range(1, wanted.seeds + 1) for graph in graphs(config.k, wanted.random)]
    experiment = None
    for number, (graph, seed) in enumerate(jobs):
        if number % parts != part or (graph, seed) in {(row["graph"], row["seed"]) for row in read(wanted.rows)}:
            continue
        cache = WorkFolder(wanted.rows.parent / f"{wanted.rows.stem}-work")
        experiment = experiment or Experiment(config, cache, torch.device("cpu"))
        row = measure(config, graph, seed, wanted.again, experiment)
        with wanted.rows.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{graph} seed {seed}: {row['value']:.3f} in {row['cpu_seconds']} s", file=sys.stderr)
    rows = [row for row in read(wanted.rows) if row["fingerprint"] == fingerprint(config)]
    result = {
        **surroundings(f"python -m benchmarks.digits_noise {' '.join(sys.argv[1:])}", "cpu", ("torch",)),
        "config": config.model_dump(mode="json"),
        **summary(rows),
    }
    print(json.dumps(result, indent=1))
    if wanted.report is not None:
        wanted.report.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> list[dict[str, Any]]:
    """The rows so far."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
