"""What each way of training faster gains on a CPU, one switched off at a time.

    python -m benchmarks train_step --device cpu --blocks 60

One process, one thread. In every round each variant makes some iterations, so that a machine that slows down slows all
of them; ratios are taken within a round. Times are the thread's CPU time, which neighbours disturb less than the wall
clock's (given beside it).
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks import plain
from colgan_search.config import TrainingSettings
from colgan_search.extensions.fast import REFERENCE, USUAL, FastSettings
from colgan_search.gan.finite_watch import FiniteWatch
from colgan_search.gan.lessons import Lessons
from colgan_search.gan.networks.dcgan import DcganSettings
from colgan_search.gan.state import layout, new_state
from colgan_search.gan.steps import discriminator_phase, generator_phase
from colgan_search.gan.transfers.features import FeatureTransferSettings
from colgan_search.presets import preset
from colgan_search.roster import Roster

K, BATCH = 3, 32
ITERATIONS = 2
"""Of one variant in one round."""
PROGRESS = 0.5


@dataclass(frozen=True)
class Case:
    """Networks and images: feature transfer, all through, k = 3, spectral norm."""

    size: int
    channels: int
    width: int
    z: int
    layers: tuple[int, ...]
    alpha: float


CASES = {
    "digits": Case(16, 1, 32, 8, (2,), 156.0),
    "32 x 32": Case(32, 3, 32, 100, (2, 3), 1000.0),
}
OFF: dict[str, FastSettings] = {
    name: USUAL.model_copy(update={name: getattr(REFERENCE, name)})
    for name in FastSettings.model_fields
    if getattr(USUAL, name) != getattr(REFERENCE, name)
} | {"all": REFERENCE}
PREDICTED: dict[str, dict[str, float]] = {
    "digits": {
        "plain": 1.5,
        "all": 1.3,
        "spectral": 1.15,
        "one_pass": 1.1,
        "matrix_products": 1.12,
        "one_adam": 1.02,
        "channels_last": 1.06,
        "losses_every": 1.01,
    },
    "32 x 32": {
        "plain": 1.25,
        "all": 1.1,
        "spectral": 1.04,
        "one_pass": 1.02,
        "matrix_products": 1.06,
        "one_adam": 1.01,
        "channels_last": 1.06,
        "losses_every": 1.0,
    },
}
"""Times as slow without it, from counts of operations and the time of single kernels."""


def measure(rounds: int) -> dict[str, Any]:
    """Case -> variant -> milliseconds, and how many times slower than the fast path, predicted and measured."""
    return {name: _measure(name, case, rounds) for name, case in CASES.items()}


def _measure(name: str, case: Case, rounds: int) -> dict[str, Any]:
    variants = {"fast": _ours(case, USUAL), "plain": _plain(case)} | {
        f"without {off}": _ours(case, settings) for off, settings in OFF.items()
    }
    cpu: dict[str, list[float]] = {variant: [] for variant in variants}
    wall: dict[str, list[float]] = {variant: [] for variant in variants}
    for iterate in variants.values():
        for _ in range(3):
            iterate()
    order = list(variants)
    for _ in range(rounds):
        order.append(order.pop(0))  # nobody always comes after the same
        for variant in order:
            begun, spent = time.perf_counter(), time.thread_time()
            for _ in range(ITERATIONS):
                variants[variant]()
            cpu[variant].append(1e3 * (time.thread_time() - spent) / ITERATIONS)
            wall[variant].append(1e3 * (time.perf_counter() - begun) / ITERATIONS)
    rows = {}
    for variant in variants:
        times_slower = [ours / fast for ours, fast in zip(cpu[variant], cpu["fast"], strict=True)]
        low, middle, high = statistics.quantiles(times_slower, n=4)
        rows[variant] = {
            "cpu_ms": round(statistics.median(cpu[variant]), 2),
            "fastest_cpu_ms": round(min(cpu[variant]), 2),
            "wall_ms": round(statistics.median(wall[variant]), 2),
            "times_slower": round(middle, 3),
            "quartiles": [round(low, 3), round(high, 3)],
            "predicted": PREDICTED[name].get(variant.removeprefix("without ")),
        }
    return rows


def _ours(case: Case, fast: FastSettings) -> Callable[[], None]:
    graph = preset("all-through", Roster(K))
    network = DcganSettings(width=case.width, z=case.z)
    state = new_state(
        graph.roster,
        network,
        TrainingSettings(epochs=1, batch=BATCH, learning_rate=2e-3, betas=(0.0, 0.9)),
        size=case.size,
        channels=case.channels,
        iterations_per_epoch=1,
        seed=3,
        device=torch.device("cpu"),
        fast=fast,
    )
    lessons = Lessons.of(graph, FeatureTransferSettings(kind="features", layers=case.layers, alpha=case.alpha))
    real = _real(case).contiguous(memory_format=layout(fast))
    watch = FiniteWatch(fast.losses_every)

    def iterate() -> None:
        own_z = [[torch.randn(BATCH, case.z) for _ in range(K)]]
        losses = discriminator_phase(state, lessons, PROGRESS, [[real] * K], own_z, "per_generator")
        losses |= generator_phase(state, lessons, PROGRESS, torch.randn(BATCH, case.z))
        watch.see(1, losses)

    return iterate


def _plain(case: Case) -> Callable[[], None]:
    built = plain.build(K, case.size, case.channels, case.width, case.z, 2e-3, (0.0, 0.9), "cpu")
    graph, real = plain.all_through(K), _real(case)

    def iterate() -> None:
        own_z = [torch.randn(BATCH, case.z, 1, 1) for _ in range(K)]
        z = torch.randn(BATCH, case.z, 1, 1)
        plain.iteration(graph, *built, real, own_z, z, PROGRESS, case.layers, case.alpha)

    return iterate


def _real(case: Case) -> torch.Tensor:
    return torch.rand(BATCH, case.channels, case.size, case.size, generator=torch.Generator().manual_seed(1)) * 2 - 1
