"""Whole trials of the plain reference on the digits: trained, scored on the way and at the end, as a config says.

    python -m benchmarks.plain_trials JOB.json OUT.json

is the script that somebody without this program would write around it: all trials one after another in one process, or
shared by several (`processes`). `benchmarks.search` makes the job.
"""

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from benchmarks import plain
from colgan_search.config import StudyConfig
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.roster import Node

Edges = dict[tuple[Any, int], str]


@dataclass(frozen=True)
class Setting:
    """The numbers of a digits config that the plain reference needs."""

    k: int
    size: int
    width: int
    nz: int
    layers: tuple[int, ...] | None
    alpha: float
    epochs: int
    batch: int
    lr: float
    betas: tuple[float, float]
    images: int
    splits: int
    scoring_batch: int
    every_epochs: int | None
    interim_images: int
    classifier_epochs: int

    @classmethod
    def of(cls, config: StudyConfig) -> "Setting":
        """Those of `config`: scikit-learn's digits, DCGAN, a classifier's scores."""
        network, transfer, training, evaluation = config.network, config.transfer, config.training, config.evaluation
        return cls(
            k=config.k,
            size=config.data.size,
            width=network.width,  # type: ignore[attr-defined]
            nz=network.z,
            layers=getattr(transfer, "layers", None) or None,  # no layers = the images themselves
            alpha=transfer.alpha,  # type: ignore[attr-defined]
            epochs=training.epochs,
            batch=training.batch,
            lr=training.learning_rate,
            betas=training.betas,
            images=evaluation.images,
            splits=evaluation.splits,
            scoring_batch=evaluation.batch,
            every_epochs=evaluation.every_epochs,
            interim_images=evaluation.interim_images,
            classifier_epochs=evaluation.classifier_epochs,
        )


def edges_of(graph: KnowledgeTransferGraph) -> Edges:
    """The graph as the plain reference has it."""

    def key(node: Node) -> Any:
        return "D" if node.letter == "D" else node.index + 1

    return {(key(edge.source), key(edge.target)): gate.name for edge, gate in graph.items()}


def train_generators(setting: Setting, edges: Edges, seed: int, images: Any, device: str, on_epoch: Any = None) -> Any:
    """The generators that one training leaves."""
    torch.manual_seed(seed)
    return plain.train(
        edges,
        setting.k,
        images,
        width=setting.width,
        nz=setting.nz,
        layers=setting.layers,
        alpha=setting.alpha,
        epochs=setting.epochs,
        batch=setting.batch,
        lr=setting.lr,
        betas=setting.betas,
        device=device,
        on_epoch=on_epoch,
    )


def trial(setting: Setting, edges: Edges, seed: int, images: Any, judge: Any, device: str = "cpu") -> list[float]:
    """One trial, its interim scores included; every generator's final IS."""

    def scores(generators: Any, count: int, splits: int) -> list[float]:
        return [
            plain.inception_score(generator, judge, setting.nz, count, splits, setting.scoring_batch, device)
            for generator in generators
        ]

    def on_epoch(epoch: int, generators: Any) -> None:
        if setting.every_epochs is not None and epoch % setting.every_epochs == 0 and epoch < setting.epochs:
            scores(generators, setting.interim_images, 1)

    generators = train_generators(setting, edges, seed, images, device, on_epoch)
    return scores(generators, setting.images, setting.splits)


def judge_of(setting: Setting, device: str) -> tuple[Any, Any]:
    """Images and the classifier that scores, trained."""
    torch.manual_seed(0)
    images, labels = plain.digits(setting.size)
    return images, plain.train_classifier(images, labels, setting.classifier_epochs, device)


_in_this_process: dict[str, Any] = {}


def _begin(setting: Setting, images: Any, judge: Any, threads: int | None, device: str) -> None:
    if threads is not None:
        torch.set_num_threads(threads)
    _in_this_process.update(setting=setting, images=images, judge=judge, device=device)


def _one(edges: Edges, seed: int) -> list[float]:
    here = _in_this_process
    return trial(here["setting"], edges, seed, here["images"], here["judge"], here["device"])


def run(job: dict[str, Any]) -> dict[str, Any]:
    """All trials of a job: their scores, and the threads of a process."""
    threads, device, processes = job["threads"], job["device"], job["processes"]
    if threads is not None:
        torch.set_num_threads(threads)
    setting = Setting(**job["setting"])
    graphs = [{(source, target): gate for source, target, gate in edges} for edges in job["graphs"]]
    begin = (setting, *judge_of(setting, device), threads, device)
    if processes == 1:
        _begin(*begin)
        scores = list(map(_one, graphs, job["seeds"]))
    else:
        with ProcessPoolExecutor(processes, get_context("spawn"), _begin, begin) as pool:
            scores = list(pool.map(_one, graphs, job["seeds"]))
    return {"threads": torch.get_num_threads(), "processes": processes, "is": scores}


def job_of(
    setting: Setting, graphs: Sequence[Edges], seeds: Sequence[int], processes: int, threads: int | None, device: str
) -> dict[str, Any]:
    """What `run` takes, as JSON; `threads` None = PyTorch's own choice."""
    return {
        "setting": asdict(setting),
        "graphs": [[[source, target, gate] for (source, target), gate in edges.items()] for edges in graphs],
        "seeds": list(seeds),
        "processes": processes,
        "threads": threads,
        "device": device,
    }


if __name__ == "__main__":
    made = run(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    Path(sys.argv[2]).write_text(json.dumps(made), encoding="utf-8")
