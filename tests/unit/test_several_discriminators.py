"""Two discriminators with transfer between them: one iteration in float64, symmetry, resuming, and what is refused."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from colgan_search.config import RuntimeSettings, TransferSettings
from colgan_search.errors import ConfigError, Interrupted
from colgan_search.gan import iteration
from colgan_search.gan.checkpoint import CheckpointFile
from colgan_search.gan.lessons import Lessons
from colgan_search.gan.state import TrainingState, new_state
from colgan_search.gan.steps import discriminator_phase, generator_phase
from colgan_search.gan.trainer import train
from colgan_search.gan.transfers.features import FeatureTransferSettings
from colgan_search.gan.transfers.outputs import OutputTransferSettings
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.presets import preset
from colgan_search.roster import Roster
from tests.unit.gan_helpers import CPU, FEATURES, IMAGE, digest, network, pictures, training

GRAPH = KnowledgeTransferGraph.from_text("G1=D1:t,D2:p,G2:n/G2=D1:n,G1:t/D1=D2:p/D2=D1:t")
BATCH = 8
ALPHA = 30.0
MAPS = FeatureTransferSettings(layers=(1, 2), alpha=ALPHA)
OUTPUTS = OutputTransferSettings(alpha=3.0, temperature=2.0)


def two(seed: int = 3, **how: Any) -> TrainingState:
    """An untrained state of two generators and two discriminators for grey images of 16 pixels."""
    return new_state(
        Roster(2, 2),
        network(),
        training(**how),
        size=16,
        channels=1,
        iterations_per_epoch=4,
        seed=seed,
        device=CPU,
    )


class Twin:
    """A network's weights in float64, with a forward pass of its own (spectral norm; DCGAN for 16 pixels)."""

    def __init__(self, module: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        learned = {name for name, _ in module.named_parameters()}
        self.w = {
            name: value.detach().double().clone().requires_grad_(name in learned)
            for name, value in module.state_dict().items()
            if value.is_floating_point()
        }
        self.moments = {}
        for name, parameter in module.named_parameters():
            found = optimizer.state.get(parameter, {})
            self.moments[name] = (
                (float(found["step"]), found["exp_avg"].double(), found["exp_avg_sq"].double())
                if found
                else (0.0, torch.zeros_like(parameter).double(), torch.zeros_like(parameter).double())
            )

    def generate(self, z: Tensor) -> list[Tensor]:
        """The maps of a generator's three layers after the activation; the last is the image."""
        x, maps = z.double()[:, :, None, None], []
        for layer in range(3):
            stride, padding = (2, 1) if layer else (1, 0)
            x = F.conv_transpose2d(x, self.w[f"convolutions.{layer}.weight"], stride=stride, padding=padding)
            if layer < 2:
                mean = x.mean((0, 2, 3), keepdim=True)
                x = (x - mean) / (((x - mean) ** 2).mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
                scale, shift = (self.w[f"activations.{layer}.0.{name}"][:, None, None] for name in ("weight", "bias"))
                x = (x * scale + shift).clamp(min=0)
            else:
                x = torch.tanh(x)
            maps.append(x)
        return maps

    def judge(self, x: Tensor, *, iterate: bool = True) -> tuple[Tensor, list[Tensor]]:
        """A discriminator's logits, and the maps of its first two layers; `iterate`: a power iteration per layer."""
        maps = []
        for layer in range(3):
            prefix = f"convolutions.{layer}.parametrizations.weight."
            matrix = self.w[f"{prefix}original"].flatten(1)
            if iterate:
                with torch.no_grad():
                    u = matrix @ self.w[f"{prefix}0._v"]
                    self.w[f"{prefix}0._u"] = u / u.norm()
                    v = matrix.T @ self.w[f"{prefix}0._u"]
                    self.w[f"{prefix}0._v"] = v / v.norm()
            sigma = self.w[f"{prefix}0._u"] @ (matrix @ self.w[f"{prefix}0._v"])
            stride, padding = (2, 1) if layer < 2 else (1, 0)
            bias = self.w[f"convolutions.{layer}.bias"]
            x = F.conv2d(x, self.w[f"{prefix}original"] / sigma, bias, stride=stride, padding=padding)
            if layer < 2:
                x = torch.where(x > 0, x, 0.2 * x)
                maps.append(x)
        return x[:, :, 0, 0], maps

    def step(self, loss: Tensor) -> None:
        """Adam: lr 2e-3, betas (0.5, 0.999), eps 1e-8."""
        names = list(self.moments)
        gradients = torch.autograd.grad(loss, [self.w[n] for n in names], retain_graph=True, allow_unused=True)
        with torch.no_grad():
            for name, g in zip(names, gradients, strict=True):
                if g is None:
                    continue
                t, m, v = self.moments[name]
                t, m, v = t + 1, 0.5 * m + 0.5 * g, 0.999 * v + 0.001 * g * g
                self.moments[name] = t, m, v
                self.w[name] = (
                    self.w[name] - 2e-3 * (m / (1 - 0.5**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
                ).requires_grad_()


def ce(logits: Tensor, index: int) -> Tensor:
    return -(logits[:, index].exp() / logits.exp().sum(1)).log().mean()


def equation_4(student: list[Tensor], teacher: list[Tensor], alpha: float) -> Tensor:
    layers = []
    for a, b in zip(student, teacher, strict=True):
        qs = [(f**2).mean(1).reshape(BATCH, -1) for f in (a, b.detach())]
        q_s, q_t = (q / (q**2).sum(1, keepdim=True).sqrt() for q in qs)
        layers.append(((q_s - q_t) ** 2).mean(0).mean())
    return alpha * sum(layers) / len(layers)  # type: ignore[return-value]


def softened(student: Tensor, teacher: Tensor, alpha: float, temperature: float) -> Tensor:
    p_s = (student / temperature).exp() / (student / temperature).exp().sum(1, keepdim=True)
    p_t = ((teacher / temperature).exp() / (teacher / temperature).exp().sum(1, keepdim=True)).detach()
    return alpha * temperature**2 * (p_t * (p_t / p_s).log()).sum(1).mean()


@pytest.mark.parametrize("kind", ["features", "outputs"])
@pytest.mark.parametrize("steps", ["per_generator", "per_batch", "joint"])
def test_one_iteration(kind: str, steps: str) -> None:
    transfer: TransferSettings = MAPS if kind == "features" else OUTPUTS
    state = two(discriminator_steps=steps)
    lessons = Lessons.of(GRAPH, FEATURES, transfer)
    random = torch.Generator().manual_seed(1)

    for progress in (0.0, 0.4, 1.0):
        real = [pictures(2 * BATCH, size=16)[j * BATCH : (j + 1) * BATCH].double() / 127.5 - 1 for j in range(2)]
        own = [[torch.randn(BATCH, 6, generator=random) for _ in range(2)] for _ in range(2)]
        z = torch.randn(BATCH, 6, generator=random)
        g = [Twin(*pair) for pair in zip(state.generators, state.generator_optimizers * 2, strict=True)]
        d = [Twin(*pair) for pair in zip(state.discriminators, state.discriminator_optimizers, strict=True)]
        gate = [progress, 1.0]  # of D2 -> D1 and of D1 -> D2

        # --- reference, phase 1: for every turn all D learn from what the other was before the step ---
        losses: dict[str, float] = {}
        mutual: dict[str, list[float]] = {"D2->D1": [], "D1->D2": []}
        pending: list[list[Tensor]] = [[], []]
        for turn in range(2):
            fakes = [g[turn].generate(own[j][turn])[-1].detach() for j in range(2)]
            rounds = (("real",), ("generated",)) if steps == "per_batch" else (("real", "generated"),)
            summed = [0.0, 0.0]
            for batches in rounds:
                images = [{"real": real[j], "generated": fakes[j]} for j in range(2)]
                views = [{b: d[1 - j].judge(images[j][b], iterate=False) for b in batches} for j in range(2)]
                totals = []
                for j in range(2):
                    total: Tensor | float = 0.0
                    for b in batches:
                        logits, maps = d[j].judge(images[j][b])
                        loss = ce(logits, 2 if b == "real" else turn)
                        summed[j] += loss.item()
                        their_logits, their_maps = views[j][b]
                        if kind == "features":
                            learned = equation_4(maps, their_maps, ALPHA)
                        else:
                            learned = softened(logits, their_logits, 3.0, 2.0)
                        mutual[f"D{2 - j}->D{j + 1}"].append(learned.item())
                        total = total + loss + gate[j] * learned
                    totals.append(total)
                for j in range(2):
                    if steps == "joint":
                        pending[j].append(totals[j])  # type: ignore[arg-type]
                    else:
                        d[j].step(totals[j])  # type: ignore[arg-type]
            losses |= {f"D{j + 1} on G{turn + 1}": summed[j] for j in range(2)}
        if steps == "joint":
            for j in range(2):
                d[j].step(sum(pending[j]))  # type: ignore[arg-type]
        losses |= {name: sum(values) / len(values) for name, values in mutual.items()}

        # --- package, phase 1 ---
        given = [[real[j].float()] * 2 for j in range(2)]
        ours = discriminator_phase(state, lessons, progress, given, own, steps)  # type: ignore[arg-type]
        assert {name: loss.item() for name, loss in ours.items()} == pytest.approx(losses, abs=1e-5)
        for j in range(2):
            agree(state.discriminators[j], d[j])
        d = [Twin(*pair) for pair in zip(state.discriminators, state.discriminator_optimizers, strict=True)]

        # --- reference, phase 2 ---
        weights = {1: {"D1": 1.0, "D2": progress, "G2": 1 - progress}, 2: {"D1": 1 - progress, "G1": 1.0}}
        maps = {i: g[i - 1].generate(z) for i in (1, 2)}
        losses = {}
        wholes = {}
        for i, sources in weights.items():
            whole: Tensor | float = 0.0
            for source, weight in sources.items():
                if source.startswith("D"):
                    loss = ce(d[int(source[1]) - 1].judge(maps[i][-1])[0], 2)
                else:
                    loss = equation_4(maps[i][:2], maps[int(source[1])][:2], 50.0)
                losses[f"{source}->G{i}"] = loss.item()
                whole = whole + weight * loss
            wholes[i] = whole
        for i in (1, 2):
            g[i - 1].step(wholes[i])  # type: ignore[arg-type]

        # --- package, phase 2 ---
        ours = generator_phase(state, lessons, progress, z)
        assert {name: loss.item() for name, loss in ours.items()} == pytest.approx(losses, rel=1e-5, abs=1e-5)
        for i in range(2):
            agree(state.generators[i], g[i])


def agree(module: torch.nn.Module, twin: Twin) -> None:
    """Learned weights equal to 1e-5; Adam turns a gradient of rounding size into up to one step of 2e-3."""
    errors = torch.cat([(p.double() - twin.w[name]).detach().flatten().abs() for name, p in module.named_parameters()])
    assert (errors > 1e-5).double().mean() < 0.01 and errors.max() < 5e-3


def run(graph: KnowledgeTransferGraph, seed: int = 3, **more: Any) -> TrainingState:
    return train(
        graph,
        pictures(35, size=16),
        network(),
        IMAGE,
        training(),
        RuntimeSettings(),
        discriminator_transfer=more.pop("transfer", MAPS),
        seed=seed,
        device=CPU,
        **more,
    )


@pytest.mark.parametrize("transfer", [MAPS, OUTPUTS], ids=["features", "outputs"])
def test_interrupted_and_resumed_is_undisturbed_in_every_bit(tmp_path: Path, transfer: TransferSettings) -> None:
    whole = digest(run(GRAPH, transfer=transfer))
    asked = itertools.count()
    with pytest.raises(Interrupted):
        run(GRAPH, transfer=transfer, checkpoint=CheckpointFile(tmp_path, "x"), should_stop=lambda: next(asked) == 5)
    resumed = run(GRAPH, transfer=transfer, checkpoint=CheckpointFile(tmp_path, "x"))
    assert digest(resumed) == whole


def test_discriminators_differ_and_draw_z_of_their_own() -> None:
    state = run(preset("gman", Roster(2, 2)))
    first, second = (list(d.parameters()) for d in state.discriminators)
    assert not any(torch.equal(a, b) for a, b in zip(first, second, strict=True) if a.ndim == 4)
    assert not torch.equal(*(random.get_state() for random in two().own_z))


def test_each_discriminator_sees_every_image_once_an_epoch_in_an_order_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, seen = pictures(32, size=16), [[], []]  # type: ignore[var-annotated]
    number = {image.numpy().tobytes(): n for n, image in enumerate(images)}
    phase = iteration.discriminator_phase

    def spied(state: TrainingState, lessons: Lessons, progress: float, real: Any, *rest: Any) -> Any:
        for j, turns in enumerate(real):
            assert all(batch is turns[0] for batch in turns)  # one real batch for all turns of a D
            seen[j] += [number[((x + 1) * 127.5).round().byte().numpy().tobytes()] for x in turns[0]]
        return phase(state, lessons, progress, real, *rest)

    monkeypatch.setattr(iteration, "discriminator_phase", spied)
    train(
        preset("gman", Roster(2, 2)),
        images,
        network(),
        IMAGE,
        training(epochs=1),
        RuntimeSettings(),
        seed=3,
        device=CPU,
    )
    assert [sorted(order) for order in seen] == [list(range(32))] * 2
    assert seen[0] != seen[1]


def test_a_teacher_does_not_move_while_it_teaches() -> None:
    """D1 teaches D2 and learns from nobody: its bits are those of a graph without that edge."""
    state, other = two(), two()
    real = [[pictures(8, size=16).float() / 127.5 - 1] * 2] * 2
    own = [[torch.randn(8, 6, generator=torch.Generator().manual_seed(n)) for n in (1, 2)]] * 2
    for s, text in ((state, "G1=D1:t/G2=D2:t/D1=-/D2=D1:t"), (other, "G1=D1:t/G2=D2:t/D1=-/D2=-")):
        lessons = Lessons.of(KnowledgeTransferGraph.from_text(text), IMAGE, MAPS)
        discriminator_phase(s, lessons, 0.5, real, own, "per_generator")
    ours, theirs = state.discriminators[0].state_dict(), other.discriminators[0].state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not all(
        torch.equal(a, b)
        for a, b in zip(state.discriminators[1].parameters(), other.discriminators[1].parameters(), strict=True)
    )
    assert state.discriminators[0].training


@pytest.mark.parametrize("steps", ["per_generator", "per_batch", "joint"])
def test_relabelled_discriminators_learn_the_same(steps: str) -> None:
    """What D1 and D2 are called does not matter: with their states and batches swapped, the results are swapped."""
    mirrored = GRAPH.relabel([1, 2], [2, 1])
    states = [two(discriminator_steps=steps) for _ in range(2)]
    for part in (states[1].discriminators, states[1].discriminator_optimizers):
        part.reverse()
    real = [[pictures(16, size=16)[j * 8 : j * 8 + 8].float() / 127.5 - 1] * 2 for j in range(2)]
    own = [[torch.randn(8, 6, generator=torch.Generator().manual_seed(2 * j + n)) for n in range(2)] for j in range(2)]
    z = torch.randn(8, 6, generator=torch.Generator().manual_seed(9))
    for _ in range(2):
        for state, graph, order in ((states[0], GRAPH, (0, 1)), (states[1], mirrored, (1, 0))):
            lessons = Lessons.of(graph, IMAGE, MAPS)
            discriminator_phase(state, lessons, 0.3, [real[j] for j in order], [own[j] for j in order], steps)  # type: ignore[arg-type]
            generator_phase(state, lessons, 0.3, z)
    for a, b in zip(states[0].discriminators, reversed(states[1].discriminators), strict=True):
        for p, q in zip(a.parameters(), b.parameters(), strict=True):
            assert torch.allclose(p, q, atol=1e-5)


def test_an_edge_among_discriminators_needs_a_transfer() -> None:
    with pytest.raises(ConfigError, match=r"discriminator_transfer: is missing, and the graph has the edge D2->D1"):
        run(GRAPH, transfer=None)
    assert run(preset("gman", Roster(2, 2)), transfer=None).iteration == 8
