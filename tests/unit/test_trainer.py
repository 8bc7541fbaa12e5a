"""The training loop: what flows where, who moves, and what stops it."""

import pytest
import torch

from colgan_search.config import TransferSettings
from colgan_search.errors import ConfigError, Diverged, TrialFault
from colgan_search.gan import iteration
from colgan_search.gan.finite_watch import FiniteWatch
from colgan_search.gan.lessons import Lessons
from colgan_search.gan.state import TrainingState, draw_z
from colgan_search.gan.steps import discriminator_phase
from colgan_search.gan.transfers.features import FeatureTransferSettings
from colgan_search.graph import KnowledgeTransferGraph
from tests.unit.gan_helpers import (
    CPU,
    FEATURES,
    IMAGE,
    all_gates,
    digest,
    fresh,
    network,
    pictures,
    run,
    same,
    training,
    weights,
)


def graph(text: str) -> KnowledgeTransferGraph:
    return KnowledgeTransferGraph.from_text(text)


def z(seed: int = 0) -> torch.Tensor:
    return draw_z(torch.Generator().manual_seed(seed), 8, 6, CPU)


# The loop as a whole


class Spy:
    """Records what the loop hands to the two phases."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.real: list[torch.Tensor] = []
        """Every different real batch, in order."""
        self.turns: list[list[int]] = []
        """Per iteration, which real batch each turn of D was given."""
        self.own_z: list[torch.Tensor] = []
        self.shared_z: list[torch.Tensor] = []
        self.progress: list[float] = []
        first, second = iteration.discriminator_phase, iteration.generator_phase

        def discriminator_phase(state, lessons, progress, real, own_z, how, *more):  # type: ignore[no-untyped-def]
            (batches,), (own,) = real, own_z  # one discriminator
            assert len(batches) == state.k
            self.turns.append([id(batch) for batch in batches])
            self.real.extend({id(batch): batch for batch in batches}.values())
            self.own_z.extend(own)
            return first(state, lessons, progress, real, own_z, how, *more)

        def generator_phase(state, lessons, progress, z):  # type: ignore[no-untyped-def]
            self.progress.append(progress)
            self.shared_z.append(z)
            return second(state, lessons, progress, z)

        monkeypatch.setattr(iteration, "discriminator_phase", discriminator_phase)
        monkeypatch.setattr(iteration, "generator_phase", generator_phase)


def test_an_epoch_takes_every_image_once_and_drops_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    images = pictures(35)
    run(all_gates(2), images=images)
    assert [tuple(batch.shape) for batch in spy.real] == [(8, 1, 8, 8)] * 8
    number = {image.numpy().tobytes(): n for n, image in enumerate(images)}
    taken = [number[((x + 1) * 127.5).round().byte().numpy().tobytes()] for batch in spy.real for x in batch]
    epochs = taken[:32], taken[32:]
    assert [len(set(epoch)) for epoch in epochs] == [32, 32]
    assert epochs[0] != epochs[1]


def test_a_fresh_real_batch_for_every_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    images = pictures(35)
    state = run(all_gates(2), images=images, how=training(real_batches="fresh"))
    # 35 images make two iterations of 2 x 8; with one batch for all turns they make four
    assert (state.iterations, state.iterations_per_epoch) == (4, 2)
    assert [len(set(turns)) for turns in spy.turns] == [2] * 4
    number = {image.numpy().tobytes(): n for n, image in enumerate(images)}
    taken = [number[((x + 1) * 127.5).round().byte().numpy().tobytes()] for batch in spy.real for x in batch]
    assert len(taken) == 64 and [len(set(taken[:32])), len(set(taken[32:]))] == [32, 32]

    shared = Spy(monkeypatch)
    run(all_gates(2), images=images)
    assert [len(set(turns)) for turns in shared.turns] == [1] * 8


def test_too_few_images_for_fresh_batches_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"training.batch: 8 .* k = 3 fresh batches takes 24 .* 23 real images"):
        run(all_gates(3), images=pictures(23), how=training(real_batches="fresh"))
    assert run(all_gates(3), images=pictures(24), how=training(real_batches="fresh")).iterations == 2


@pytest.mark.parametrize(("steps", "updates"), [("per_generator", 3), ("per_batch", 6), ("joint", 1)])
def test_how_often_the_discriminator_is_updated(steps: str, updates: int) -> None:
    """By Adam's own count after one iteration with three generators: k, 2k, or once."""
    state = fresh(3)
    real, own = pictures(8).float() / 127.5 - 1, [torch.randn(8, 6) for _ in range(3)]
    discriminator_phase(state, Lessons.of(all_gates(3), IMAGE), 0.5, [[real] * 3], [own], steps)  # type: ignore[arg-type]
    counts = {int(moments["step"]) for moments in state.discriminator_optimizers[0].state.values()}
    assert counts == {updates}


def test_discriminator_and_generators_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[str] = []
    for name in ("discriminator_phase", "generator_phase"):
        real = getattr(iteration, name)
        monkeypatch.setattr(iteration, name, lambda *a, n=name, r=real: (turns.append(n), r(*a))[1])
    assert run(all_gates(2)).iterations == 8
    assert turns == ["discriminator_phase", "generator_phase"] * 8


def test_every_z_is_fresh_and_the_last_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    run(all_gates(3))
    drawn = [*spy.own_z, *spy.shared_z]
    assert len(spy.own_z) == 24 and len(spy.shared_z) == 8
    assert {tuple(d.shape) for d in drawn} == {(8, 6)}
    assert len({d.numpy().tobytes() for d in drawn}) == 32
    values = torch.cat(drawn)
    assert abs(values.mean().item()) < 0.1 and abs(values.std().item() - 1) < 0.1


@pytest.mark.parametrize(
    ("ramp", "expected"), [("iteration", [t / 7 for t in range(8)]), ("epoch", [0.0] * 4 + [1.0] * 4)]
)
def test_progress_runs_from_0_to_1(monkeypatch: pytest.MonkeyPatch, ramp: str, expected: list[float]) -> None:
    spy = Spy(monkeypatch)
    run(all_gates(1), how=training(ramp=ramp))
    assert spy.progress == pytest.approx(expected, abs=1e-12)
    assert (spy.progress[0], spy.progress[-1]) == (0.0, 1.0)


def test_the_same_seed_gives_the_same_bits_whatever_the_global_state() -> None:
    torch.manual_seed(1)
    first = digest(run(all_gates(2)))
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    assert digest(run(all_gates(2))) == first
    assert torch.equal(torch.random.get_rng_state(), before)
    assert digest(run(all_gates(2), seed=4)) != first


def test_a_generator_without_lessons_never_changes() -> None:
    state = run(graph("G1=D:t,G3:t/G2=-/G3=-"))
    untrained = fresh(3)
    for i, moves in ((0, True), (1, False), (2, False)):
        assert same(weights(untrained.generators[i]), weights(state.generators[i])) is not moves
    assert not same(weights(untrained.discriminators[0]), weights(state.discriminators[0]))


@pytest.mark.parametrize("norm", ["spectral", "batch"])
@pytest.mark.parametrize("transfer", [IMAGE, FEATURES], ids=["image", "features"])
def test_callbacks_see_every_iteration_and_epoch(norm: str, transfer: TransferSettings) -> None:
    iterations: list[int] = []
    epochs: list[tuple[int, int, int]] = []

    def on_epoch(state: TrainingState) -> None:
        epochs.append((state.epoch, state.iteration, state.iterations))
        for generator in state.generators:
            generator.eval()

    state = run(
        all_gates(2), transfer, net=network(discriminator_norm=norm), on_epoch=on_epoch, on_iteration=iterations.append
    )
    assert iterations == list(range(1, 9))
    assert epochs == [(1, 4, 8), (2, 8, 8)]
    assert all(network.training for network in (*state.generators, *state.discriminators))


def test_scoring_in_between_does_not_disturb_training() -> None:
    def score(state: TrainingState) -> None:
        for generator in state.generators:
            generator.eval()
            with torch.no_grad():
                generator(torch.randn(4, 6))

    assert digest(run(all_gates(2), on_epoch=score)) == digest(run(all_gates(2)))


def test_a_dcgan_learns_the_brightness_of_its_data() -> None:
    bright = torch.full((64, 1, 8, 8), 230, dtype=torch.uint8)
    state = run(all_gates(1), images=bright, how=training(epochs=12, learning_rate=5e-3))
    before, after = (s.generators[0](z()).mean().item() for s in (fresh(1), state))
    assert abs(before) < 0.2
    assert after > 0.4


# What ends it early


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_divergence_names_the_loss_and_the_iteration(value: float) -> None:
    def poison(state: TrainingState) -> None:
        if state.epoch == 1:
            next(state.generators[1].parameters()).data.fill_(value)

    with pytest.raises(Diverged, match=r"the loss of D on G2 is nan at iteration 5$"):
        run(all_gates(2), on_epoch=poison)


def test_the_watch_waits_but_never_forgets() -> None:
    watch = FiniteWatch()
    for number in range(1, watch.every):
        watch.see(number, {"a": torch.tensor(1.0), "b": torch.tensor(float("nan") if number >= 5 else 0.0)})
    with pytest.raises(Diverged, match="loss of b is nan at iteration 5"):
        watch.see(watch.every, {"a": torch.tensor(1.0), "b": torch.tensor(0.0)})
    watch.check()  # looked at once
    watch.see(1, {"a": torch.tensor(float("-inf"))})
    with pytest.raises(Diverged, match="loss of a is -inf at iteration 1"):
        watch.check()


def test_a_batch_larger_than_the_data() -> None:
    with pytest.raises(ConfigError, match=r"training.batch: 8 .* only 7 real images"):
        run(all_gates(1), images=pictures(7))


def test_images_that_the_network_cannot_make() -> None:
    with pytest.raises(ConfigError, match=r"data.size: 12 "):
        run(all_gates(1), images=pictures(size=12))
    with pytest.raises(ConfigError, match=r"transfer.layers: \[4\]"):
        run(all_gates(2), FeatureTransferSettings(kind="features", layers=(4,)))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes"),
        MemoryError(),
    ],
)
def test_out_of_memory_is_a_fault(error: Exception) -> None:
    def full(iteration: int) -> None:
        raise error

    with pytest.raises(TrialFault, match="out of memory on cpu"):
        run(all_gates(1), on_iteration=full)


def test_other_errors_pass_through_as_they_are() -> None:
    def wrong(iteration: int) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match=r"^a bug$"):
        run(all_gates(1), on_iteration=wrong)
