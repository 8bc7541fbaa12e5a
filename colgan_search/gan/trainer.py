"""Trains one knowledge transfer graph: one loop that reads top to bottom (section 3.3 of the paper)."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from colgan_search.config import NetworkSettings, RuntimeSettings, TrainingSettings, TransferSettings
from colgan_search.errors import ConfigError, Interrupted, OutOfMemory, in_one_line
from colgan_search.gan.building import check_settings
from colgan_search.gan.captured import iterating
from colgan_search.gan.checkpoint import CheckpointFile
from colgan_search.gan.finite_watch import FiniteWatch, OnLosses
from colgan_search.gan.iteration import Drawn, Iteration, real_batches
from colgan_search.gan.lessons import Lessons
from colgan_search.gan.state import TrainingState, draw_z, new_state, node_seed
from colgan_search.gates import progress_at
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.roster import Node

ACCURACIES_EVERY = 8
"""Iterations between those in which it is counted how many images the discriminators know."""


def train(
    graph: KnowledgeTransferGraph,
    real: Tensor,  # uint8 [M, C, S, S], 0..255; copied to the device once
    network: NetworkSettings,
    transfer: TransferSettings,
    training: TrainingSettings,
    runtime: RuntimeSettings,
    *,
    discriminator_transfer: TransferSettings | None = None,  # needed where a graph has an edge D_a -> D_b
    seed: int,  # weights, order of the real images and every z follow from it; no global random state is used
    device: torch.device,
    checkpoint: CheckpointFile | None = None,  # resumed from if it holds something; None = nothing is saved
    on_start: Callable[[TrainingState], None] = lambda state: None,  # once, with the state as new or as resumed
    on_epoch: Callable[[TrainingState], None] = lambda state: None,  # after every epoch; may change `extra` and modes
    on_iteration: Callable[[int], None] = lambda iteration: None,  # iterations finished, 1..T
    on_losses: OnLosses | None = None,  # and D's accuracies; every value before `on_epoch` and before a checkpoint
    should_stop: Callable[[], bool] = lambda: False,  # asked before every iteration
    clock: Callable[[], float] = time.monotonic,  # seconds
) -> TrainingState:
    """Trains `graph` for `training.epochs` epochs and returns the final state, networks in train mode.

    An interrupted and resumed training equals an uninterrupted one: bit for bit on one kind of CPU with one number of
    threads, and on CUDA with `runtime.deterministic`. `on_epoch` sees every epoch once on that path; if it raises
    Interrupted, the resumed training calls it again for the same epoch.

    Raises ConfigError (settings that do not fit each other or the images), Diverged (a loss is NaN or Inf),
    Interrupted (`should_stop` said so, or `on_epoch` did; the checkpoint is saved), DiskFull, and OutOfMemory.
    """
    images, channels, size, _ = real.shape
    roster = graph.roster
    check_settings(network, transfer, discriminator_transfer, size=size, channels=channels)
    lessons = Lessons.of(graph, transfer, discriminator_transfer)
    turns = real_batches(training, graph.k)
    require_images(images, training, graph.k)
    per_epoch = images // (training.batch * turns)  # what is left over is dropped: our reading

    with deterministic(runtime, device), _memory_faults(device), ExitStack() as stack:
        # Networks, optimizers and random states, new or as they were left
        state = new_state(
            roster,
            network,
            training,
            size=size,
            channels=channels,
            iterations_per_epoch=per_epoch,
            seed=seed,
            device=device,
            fast=runtime.fast,
        )
        if checkpoint is not None and (saved := checkpoint.load()) is not None:
            state.restore(saved)
        on_start(state)
        iteration = Iteration(state, lessons, real.to(device), training, runtime.fast)
        iterate = stack.enter_context(iterating(iteration, on_losses is not None))
        watch = FiniteWatch(runtime.fast.losses_every, on_losses)
        saved_at = clock()

        def save() -> None:
            watch.check()  # a diverged training is never saved
            if checkpoint is not None:
                checkpoint.save(state.to_checkpoint())

        while True:
            # End of an epoch
            if state.epoch > state.reported:
                try:
                    on_epoch(state)
                except Interrupted:
                    save()
                    raise
                finally:
                    state.train_mode()
                state.reported = state.epoch
            if state.iteration == state.iterations:
                save()
                return state

            # Start of an epoch, or where a resumed one goes on
            orders = [_order(images, seed, node, state.epoch).to(device) for node in roster.discriminator_nodes]
            for position in range(state.iteration % per_epoch, per_epoch):
                if should_stop():
                    save()
                    raise Interrupted(
                        f"stopped after iteration {state.iteration} of {state.iterations}; it can be resumed"
                    )

                # An epoch sees every image once
                start = position * turns * training.batch
                numbers = [
                    torch.split(order[start : start + turns * training.batch], training.batch) for order in orders
                ]

                if training.ramp == "iteration":
                    progress = progress_at(state.iteration, state.iterations)
                else:
                    progress = progress_at(state.epoch, training.epochs)

                # The discriminators, every generator from its own fresh z; then the generators, one z shared by all
                own_z = [
                    [draw_z(random, training.batch, network.z, device) for _ in state.generators]
                    for random in state.own_z
                ]
                shared_z = draw_z(state.shared_z, training.batch, network.z, device)
                counted = on_losses is not None and state.iteration % ACCURACIES_EVERY == 0
                losses, right = iterate(Drawn(numbers, own_z, shared_z), progress, counted)

                # Moving averages
                for average, generator in zip(state.averages, state.generators, strict=False):
                    average.update_parameters(generator)

                # Progress
                state.iteration += 1
                watch.see(state.iteration, {**losses, **right})
                on_iteration(state.iteration)
                if checkpoint is not None and clock() - saved_at >= 60.0 * runtime.checkpoint_minutes:
                    save()
                    saved_at = clock()
            watch.check()


def require_images(images: int, training: TrainingSettings, k: int) -> None:
    """ConfigError if the real images are too few for a single iteration."""
    needed = training.batch * real_batches(training, k)
    if images < training.batch:
        raise ConfigError(
            f"training.batch: {training.batch} is not allowed: there are only {images} real images; "
            "a batch has at most as many"
        )
    if images < needed:
        raise ConfigError(
            f"training.batch: {training.batch} is not allowed with real_batches fresh: an iteration of k = {k} fresh "
            f"batches takes {needed} images, and there are only {images} real images; lower training.batch, or set "
            "training.real_batches to shared"
        )


def _order(images: int, seed: int, node: Node, epoch: int) -> Tensor:
    """The order int64 [images] in which epoch 0..E-1 shows a discriminator the real images; none of it is stored."""
    return torch.randperm(images, generator=torch.Generator().manual_seed(node_seed(seed, "order", node, epoch)))


@contextmanager
def deterministic(runtime: RuntimeSettings, device: torch.device) -> Iterator[None]:
    """CUDA's deterministic algorithms while inside, if the settings ask for them; the CPU's are so anyway."""
    if device.type != "cuda" or not runtime.deterministic:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS refuses to be deterministic without it
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextmanager
def _memory_faults(device: torch.device) -> Iterator[None]:
    """Running out of memory as an error that says what would help."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not (
            isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
        ):
            raise
        raise OutOfMemory(
            f"out of memory on {device} while training; a smaller training.batch or network.width needs less, "
            f"and so do fewer workers per device ({in_one_line(error)})"
        ) from error
