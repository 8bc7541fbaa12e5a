"""How long one iteration of training takes: networks of the paper's size, on images of noise.

    python -m benchmarks train_step --device cuda --json
    python -m benchmarks train_step --device cpu --blocks 60 --json   # small images: `benchmarks.techniques`

Every variant is trained in turn, in blocks, and the blocks are repeated, so that a machine that slows down slows all of
them; the plain reference (`benchmarks.plain`) is one of them. Medians over the iterations of all blocks; the first ones
of each block are warm-up.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch

from benchmarks import plain, techniques
from benchmarks.benchmark import Benchmark
from colgan_search.config import FastSettings, RuntimeSettings, TrainingSettings
from colgan_search.gan.networks.dcgan import DcganSettings
from colgan_search.gan.trainer import train
from colgan_search.gan.transfers.features import FeatureTransferSettings
from colgan_search.presets import preset
from colgan_search.roster import Roster

WARM_UP = 5
"""Iterations of a block that are not counted."""
LAYERS = (3, 4)
PLAIN = "plain reference, all-through"


@dataclass(frozen=True)
class Variant:
    """One graph, and how it is computed."""

    graph: str
    k: int = 3
    deterministic: bool = False
    tf32: bool = True
    """May cuDNN use TF32 in convolutions (PyTorch's default)? Without effect on a CPU."""
    precision: Literal["float32", "bfloat16"] = "float32"
    cuda_graph: bool = False


VARIANTS = {
    "all-through": Variant("all-through"),
    "all-through, deterministic": Variant("all-through", deterministic=True),
    "all-through, convolutions in float32": Variant("all-through", tf32=False),
    "all-through, bfloat16": Variant("all-through", precision="bfloat16"),
    "all-through, one CUDA graph": Variant("all-through", cuda_graph=True),
    "all-through, bfloat16, one CUDA graph": Variant("all-through", precision="bfloat16", cuda_graph=True),
    "mad-gan": Variant("mad-gan"),
    "one DCGAN": Variant("dcgan", k=1),
}


def options(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--size", type=int, default=64, help="pixels of an image's side (on a GPU)")
    parser.add_argument("--width", type=int, default=64, help="of the networks (on a GPU)")
    parser.add_argument("--batch", type=int, default=256, help="images (on a GPU)")
    parser.add_argument("--iterations", type=int, default=20, help="counted ones of a block (on a GPU)")
    parser.add_argument("--blocks", type=int, default=2, help="rounds of all variants; on a CPU 50 or more")


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """On a CPU every technique by itself; on a GPU the iteration at the paper's size."""
    device = torch.device(asked.device)
    torch.set_num_threads(1)
    if device.type == "cpu":
        return {"threads": 1, "rounds": asked.blocks, "cases": techniques.measure(asked.blocks)}
    count = (asked.iterations + WARM_UP + 1) * asked.batch
    real = torch.randint(0, 256, (count, 3, asked.size, asked.size), dtype=torch.uint8)
    times: dict[str, list[float]] = {name: [] for name in (PLAIN, *VARIANTS)}
    for _ in range(asked.blocks):
        times[PLAIN] += plain_block(real, asked.width, asked.batch, device)
        for name, variant in VARIANTS.items():
            times[name] += block(variant, real, asked.width, asked.batch, device)
    return {
        "threads": 1,
        "size": asked.size,
        "width": asked.width,
        "batch": asked.batch,
        "peak_GiB": torch.cuda.max_memory_allocated(device) / 2**30,
        "iterations": {name: summary(ms) for name, ms in times.items()},
    }


def lines(result: dict[str, Any]) -> Iterator[str]:
    """One for every variant."""
    for case, rows in result.get("cases", {}).items():
        for name, row in rows.items():
            low, high = row["quartiles"]
            yield (
                f"{case}, {name}: {row['cpu_ms']} ms of CPU time, {row['times_slower']} times the fast path's "
                f"(middle half {low} to {high})"
            )
    for name, row in result.get("iterations", {}).items():
        ratio = result["iterations"][PLAIN]["median_ms"] / row["median_ms"]
        yield f"{name}: {row['median_ms']:.1f} ms, {ratio:.2f} times as fast as the plain reference"


def block(variant: Variant, real: torch.Tensor, width: int, batch: int, device: torch.device) -> list[float]:
    """Milliseconds of every iteration of one short training but the first few."""
    moments = Moments(device)
    with _tf32(variant.tf32):
        train(
            preset(variant.graph, Roster(variant.k)),
            real,
            DcganSettings(width=width, z=100),
            FeatureTransferSettings(kind="features", layers=LAYERS, alpha=1000.0),
            TrainingSettings(epochs=1, batch=batch, precision=variant.precision),
            RuntimeSettings(deterministic=variant.deterministic, fast=FastSettings(cuda_graph=variant.cuda_graph)),
            seed=1,
            device=device,
            on_iteration=moments,
        )
    return moments.between()


def plain_block(real: torch.Tensor, width: int, batch: int, device: torch.device) -> list[float]:
    """The same of the plain reference: k = 3, all through."""
    moments = Moments(device)
    images = real.float() / 127.5 - 1.0
    plain.train(
        plain.all_through(3),
        3,
        images,
        width=width,
        nz=100,
        layers=LAYERS,
        alpha=1000.0,
        epochs=1,
        batch=batch,
        lr=2e-4,
        betas=(0.5, 0.999),
        device=str(device),
        on_iteration=moments,
    )
    return moments.between()


class Moments:
    """Called after every iteration; on a GPU once it has done its work."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.times: list[float] = []

    def __call__(self, iteration: int) -> None:
        """Notes the time."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.times.append(time.perf_counter())

    def between(self) -> list[float]:
        """Milliseconds of the iterations after the warm-up."""
        counted = self.times[WARM_UP:]
        return [1e3 * (later - earlier) for earlier, later in itertools.pairwise(counted)]


def summary(ms: list[float]) -> dict[str, float]:
    """Median and the middle half."""
    low, middle, high = statistics.quantiles(ms, n=4)
    return {
        "median_ms": round(middle, 2),
        "quartile_1": round(low, 2),
        "quartile_3": round(high, 2),
        "counted": len(ms),
    }


@contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


TRAIN_STEP = Benchmark(
    "train_step",
    "milliseconds of one training iteration: fast path, plain reference, one technique switched off at a time",
    options,
    measure,
    lines,
)
