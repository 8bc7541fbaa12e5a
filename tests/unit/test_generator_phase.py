"""The generator phase: which gradients flow, which do not, and what is never computed."""

import pytest
import torch

from colgan_search.gan import steps
from colgan_search.gan.lessons import Lessons
from colgan_search.gan.state import draw_z
from colgan_search.gan.steps import generator_phase
from colgan_search.gan.transfers.image import ImageTransfer, ImageTransferSettings
from colgan_search.gates import CUTOFF
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.roster import generator
from tests.unit.gan_helpers import (
    CPU,
    FEATURES,
    IMAGE,
    all_gates,
    fresh,
    same,
    weights,
)


def graph(text: str) -> KnowledgeTransferGraph:
    return KnowledgeTransferGraph.from_text(text)


def z(seed: int = 0) -> torch.Tensor:
    return draw_z(torch.Generator().manual_seed(seed), 8, 6, CPU)


def test_lessons_hold_only_what_a_graph_needs() -> None:
    lessons = Lessons.of(graph("G1=D:t,G2:p/G2=-/G3=-/G4=D:n"), IMAGE)
    assert [(edge.name, gate.letter) for edge, gate in lessons.edges] == [
        ("D->G1", "t"),
        ("G2->G1", "p"),
        ("D->G4", "n"),
    ]
    assert lessons.students == {generator(1), generator(4)}
    assert lessons.runners == (generator(1), generator(2), generator(4))
    assert lessons.compared == {generator(1), generator(2)}


def test_no_gradient_reaches_a_teacher() -> None:
    state = fresh(2, size=16)
    generator_phase(state, Lessons.of(graph("G1=D:t/G2=G1:t"), FEATURES), 0.5, z())
    taught = [p.grad.clone() for p in state.generators[0].parameters() if p.grad is not None]
    alone = fresh(2, size=16)
    generator_phase(alone, Lessons.of(graph("G1=D:t/G2=-"), FEATURES), 0.5, z())
    assert same(taught, [p.grad for p in alone.generators[0].parameters() if p.grad is not None])
    assert len(taught) == 7
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in state.generators[1].parameters())


def test_a_teacher_that_is_not_detached_learns_from_its_student() -> None:
    not_detached = ImageTransferSettings(kind="image", alpha=20.0, detach_teacher=False)
    gradients = []
    for transfer in (IMAGE, not_detached):
        state = fresh(2)
        generator_phase(state, Lessons.of(graph("G1=D:t/G2=G1:t"), transfer), 0.5, z())
        gradients.append([p.grad for p in state.generators[0].parameters()])
    assert not torch.allclose(gradients[0][0], gradients[1][0])  # type: ignore[arg-type]


def test_a_cut_off_edge_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object, **options: object) -> torch.Tensor:
        raise AssertionError("computed a loss that no gate lets through")

    state = fresh(3)
    monkeypatch.setattr(ImageTransfer, "loss", never)
    losses = generator_phase(state, Lessons.of(graph("G1=D:t/G2=D:p/G3=-"), IMAGE), 0.5, z())
    assert list(losses) == ["D->G1", "D->G2"]
    monkeypatch.undo()
    monkeypatch.setattr(steps, "adversarial_loss", never)
    losses = generator_phase(state, Lessons.of(graph("G1=G2:t/G2=-/G3=-"), IMAGE), 0.5, z())
    assert list(losses) == ["G2->G1"]


def test_networks_that_nobody_needs_do_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    state = fresh(4)
    ran = []
    for i, network in enumerate(state.generators, start=1):
        forward = network.forward_with_maps
        monkeypatch.setattr(network, "forward_with_maps", lambda *a, i=i, f=forward: (ran.append(i), f(*a))[1])
    assert generator_phase(state, Lessons.of(graph("G1=G3:n/G2=-/G3=-/G4=-"), IMAGE), 0.5, z()) != {}
    assert ran == [1, 3]
    assert generator_phase(state, Lessons.of(all_gates(4, CUTOFF), IMAGE), 0.5, z()) == {}
    assert ran == [1, 3]


@pytest.mark.parametrize(("progress", "factor"), [(0.0, 0.0), (0.25, 0.25), (1.0, 1.0)])
def test_gates_scale_the_gradient(progress: float, factor: float) -> None:
    gradients = {}
    for gate in "tpn":
        state = fresh(1)
        generator_phase(state, Lessons.of(graph(f"G1=D:{gate}"), IMAGE), progress, z())
        gradients[gate] = [p.grad for p in state.generators[0].parameters()]
    for through, positive, negative in zip(*gradients.values(), strict=True):
        assert torch.allclose(positive, factor * through, atol=1e-6)  # type: ignore[arg-type, operator]
        assert torch.allclose(negative, (1 - factor) * through, atol=1e-6)  # type: ignore[arg-type, operator]


def test_the_discriminator_rests_in_the_generator_phase() -> None:
    state = fresh(2)
    before = weights(state.discriminators[0])
    power = state.discriminators[0].state_dict()["convolutions.0.parametrizations.weight.0._u"].clone()
    generator_phase(state, Lessons.of(all_gates(2), IMAGE), 0.5, z())
    assert same(before, weights(state.discriminators[0]))
    assert all(p.grad is None for p in state.discriminators[0].parameters())
    # in train mode all the while: its power iteration runs on
    assert not torch.equal(power, state.discriminators[0].state_dict()["convolutions.0.parametrizations.weight.0._u"])
