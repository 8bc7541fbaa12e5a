"""Our step is PyTorch's: the same bits of weights and moments, for whatever has a gradient and nothing else."""

import copy

import pytest
import torch
from torch import Tensor, nn

from colgan_search.gan.adam import Adam


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.Flatten(), nn.LazyLinear(4), nn.Linear(4, 2))


def _backward(network: nn.Module, images: Tensor, frozen: bool) -> None:
    """With `frozen`, the last layer gets no gradient."""
    network[:-1](images).square().mean().backward() if frozen else network(images).square().mean().backward()  # type: ignore[index]


@pytest.mark.parametrize("pattern", [(False,) * 6, (True,) * 6, (True, True, False, True, False, False)])
def test_steps_are_pytorchs_to_the_bit(pattern: tuple[bool, ...]) -> None:
    mine = _network()
    images = torch.randn(6, 7, 3, 8, 8)
    mine(images[0])
    theirs = copy.deepcopy(mine)
    how = {"lr": 2e-3, "betas": (0.5, 0.999), "fused": True}
    ours, usual = Adam(mine.parameters(), **how), torch.optim.Adam(theirs.parameters(), **how)
    ours.advance()  # without any gradient: nothing
    for batch, frozen in zip(images, pattern, strict=True):
        ours.forget()
        usual.zero_grad()
        assert all(weight.grad is None for weight in mine.parameters())
        _backward(mine, batch, frozen)
        _backward(theirs, batch, frozen)
        ours.advance()
        usual.step()
        assert all(torch.equal(a, b) for a, b in zip(mine.parameters(), theirs.parameters(), strict=True))
    kept, expected = ours.state_dict(), usual.state_dict()
    assert kept["param_groups"] == expected["param_groups"] and kept["state"].keys() == expected["state"].keys()
    for number, moments in expected["state"].items():
        assert all(torch.equal(value, kept["state"][number][name]) for name, value in moments.items())


def test_a_step_that_a_graph_may_record_is_pytorchs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = Adam([weight], fused=True, capturable=True)
    usual: list[int] = []
    monkeypatch.setattr(Adam, "step", lambda self: usual.append(1))
    for _ in range(3):
        weight.grad = torch.ones(3)
        optimizer.advance()
    assert len(usual) == 3


def test_a_pytorch_without_that_kernel_steps_as_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("colgan_search.gan.adam._KERNELS", (None, None))
    test_steps_are_pytorchs_to_the_bit((False, True, False, True, True, False))


def test_the_kernel_alone_is_called_once_there_are_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    network, steps, usual = _network(), [], torch.optim.Adam.step
    images = torch.randn(4, 7, 3, 8, 8)
    network(images[0])
    optimizer = Adam(network.parameters(), lr=1e-3, fused=True)
    monkeypatch.setattr(Adam, "step", lambda self: (steps.append(1), usual(self))[1])
    for batch in images:
        optimizer.forget()
        _backward(network, batch, False)
        optimizer.advance()
    assert steps == [1]
