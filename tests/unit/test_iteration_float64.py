"""One whole iteration of the paper's section 3.3, re-derived in float64 with none of the package's code.

Networks, spectral norm, losses, gates and Adam are written out here; the package's losses, gradients and new weights
must agree with them to 1e-5.
"""

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from colgan_search.extensions.fast import FastSettings
from colgan_search.gan.lessons import Lessons
from colgan_search.gan.state import TrainingState
from colgan_search.gan.steps import discriminator_phase, generator_phase
from colgan_search.gan.transfers.features import FeatureTransferSettings
from colgan_search.gan.transfers.image import ImageTransferSettings
from colgan_search.graph import KnowledgeTransferGraph
from tests.unit.gan_helpers import fresh, network, pictures, training

GRAPH = "G1=D:t,G2:p,G3:n/G2=D:p,G1:t/G3=G1:n,G2:p"
"""Every gate on an adversarial and on a transfer edge; G3 has no adversarial edge, G3 -> G2 is cut off."""

ALPHA = 30.0
BATCH = 8


class Reference:
    """G_1..G_3 and D in float64, started from the state's weights, moments and power iteration vectors."""

    def __init__(self, state: TrainingState) -> None:
        self.d = _double(state.discriminators[0])
        self.g = [_double(generator) for generator in state.generators]
        self.d_moments = _moments(state.discriminator_optimizers[0])
        self.g_moments = [_moments(optimizer) for optimizer in state.generator_optimizers]

    def generate(self, i: int, z: Tensor) -> list[Tensor]:
        """The feature maps of G_i's three layers after the activation; the last is the image."""
        w = self.g[i - 1]
        x, maps = z.double()[:, :, None, None], []
        for layer in range(3):
            x = F.conv_transpose2d(
                x, w[f"convolutions.{layer}.weight"], stride=2 if layer else 1, padding=1 if layer else 0
            )
            if layer < 2:
                x = torch.relu(_batch_norm(x, w[f"activations.{layer}.0.weight"], w[f"activations.{layer}.0.bias"]))
            else:
                x = torch.tanh(x)
            maps.append(x)
        return maps

    def logits(self, x: Tensor) -> Tensor:
        """D(x); each call makes one power iteration per layer."""
        last = max(int(name.split(".")[1]) for name in self.d if name.startswith("convolutions."))
        for index in range(last + 1):
            name = f"convolutions.{index}."
            spectral = f"{name}parametrizations.weight.original" in self.d
            weight = self._spectral(name) if spectral else self.d[f"{name}weight"]
            stride, padding = (1, 0) if index == last else (2, 1)
            x = F.conv2d(x, weight, self.d.get(f"{name}bias"), stride=stride, padding=padding)
            if index == last:
                break
            norm = f"activations.{index}.0."
            if f"{norm}weight" in self.d:
                x = _batch_norm(x, self.d[f"{norm}weight"], self.d[f"{norm}bias"])
            x = torch.where(x > 0, x, 0.2 * x)
        return x[:, :, 0, 0]

    def _spectral(self, name: str) -> Tensor:
        prefix = f"{name}parametrizations.weight."
        weight = self.d[prefix + "original"]
        matrix = weight.flatten(1)
        with torch.no_grad():
            u = _unit(matrix @ self.d[prefix + "0._v"])
            v = _unit(matrix.T @ u)
        self.d[prefix + "0._u"], self.d[prefix + "0._v"] = u, v
        return weight / (u @ (matrix @ v))


def _double(module: torch.nn.Module) -> dict[str, Tensor]:
    learned = dict(module.named_parameters())
    return {
        name: value.detach().double().clone().requires_grad_(name in learned)
        for name, value in module.state_dict().items()
        if value.is_floating_point()
    }


def _moments(optimizer: torch.optim.Optimizer) -> list[Any]:
    found = [copy.deepcopy(optimizer.state.get(p, {})) for p in optimizer.param_groups[0]["params"]]
    return [
        (float(m["step"]), m["exp_avg"].double(), m["exp_avg_sq"].double()) if m else (0.0, 0.0, 0.0) for m in found
    ]


def _unit(vector: Tensor) -> Tensor:
    return vector / vector.norm()


def _batch_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    mean = x.mean((0, 2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt() * weight[:, None, None] + bias[:, None, None]


def _ce(logits: Tensor, index: int) -> Tensor:
    return -(logits[:, index].exp() / logits.exp().sum(1)).log().mean()


def _q(features: Tensor) -> Tensor:
    Q = (features**2).mean(1).reshape(len(features), -1)
    return Q / (Q**2).sum(1, keepdim=True).sqrt()


def _g(images: Tensor) -> Tensor:
    """Equation 5's vectors: each image divided by its own L2 norm."""
    flat = images.reshape(len(images), -1)
    return flat / (flat**2).sum(1, keepdim=True).sqrt()


def _adam(weights: dict[str, Tensor], moments: list[Any], gradients: dict[str, Tensor | None]) -> None:
    """One step in place: lr 2e-3, betas (0.5, 0.999), eps 1e-8."""
    names = [name for name, value in weights.items() if value.requires_grad]
    with torch.no_grad():
        for index, name in enumerate(names):
            if (g := gradients[name]) is None:  # no path from the loss to this weight
                continue
            step, m, v = moments[index]
            step, m, v = step + 1, 0.5 * m + 0.5 * g, 0.999 * v + 0.001 * g * g
            moments[index] = (step, m, v)
            weights[name] -= 2e-3 * (m / (1 - 0.5**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)


def _grads(loss: Tensor, weights: dict[str, Tensor]) -> dict[str, Tensor | None]:
    names = [name for name, value in weights.items() if value.requires_grad]
    found = torch.autograd.grad(loss, [weights[n] for n in names], retain_graph=True, allow_unused=True)
    return dict(zip(names, found, strict=True))


@pytest.mark.parametrize("norm", ["spectral", "spectral-replacing", "batch"])
@pytest.mark.parametrize("kind", ["image", "features"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("steps", ["per_generator", "per_batch", "joint"])
def test_one_iteration(norm: str, kind: str, reduction: str, steps: str) -> None:
    settings = {"kind": kind, "alpha": ALPHA, "reduction": reduction}
    models = {"image": ImageTransferSettings, "features": FeatureTransferSettings}
    transfer = models[kind](**settings, layers=(1, 2) if kind == "features" else ())
    how = training(discriminator_steps=steps)
    state = fresh(3, net=network(discriminator_norm=norm), how=how, size=16, fast=FastSettings(one_adam=False))
    lessons = Lessons.of(KnowledgeTransferGraph.from_text(GRAPH), transfer)
    random = torch.Generator().manual_seed(1)

    for progress in (0.0, 0.5, 1.0):
        real = pictures(BATCH, size=16).double() / 127.5 - 1
        own = [torch.randn(BATCH, 6, generator=random) for _ in range(3)]
        z = torch.randn(BATCH, 6, generator=random)
        reference = Reference(state)

        # --- reference, phase 1 ---
        d_losses, pending = {}, []
        for i in (1, 2, 3):
            fake = reference.generate(i, own[i - 1])[-1].detach()
            on_real = _ce(reference.logits(real), 3)
            if steps == "per_batch":
                _adam(reference.d, reference.d_moments, _grads(on_real, reference.d))
                on_fake = _ce(reference.logits(fake), i - 1)
                _adam(reference.d, reference.d_moments, _grads(on_fake, reference.d))
                d_losses[f"D on G{i}"] = (on_real + on_fake).item()
                continue
            loss = on_real + _ce(reference.logits(fake), i - 1)
            d_losses[f"D on G{i}"] = loss.item()
            pending.append(_grads(loss, reference.d))
            if steps == "per_generator":
                _adam(reference.d, reference.d_moments, pending.pop())
        if steps == "joint":
            total = {name: sum(g[name] for g in pending) for name in pending[0]}
            _adam(reference.d, reference.d_moments, total)  # type: ignore[arg-type]

        # --- package, phase 1 ---
        ours = discriminator_phase(state, lessons, progress, [[real.float()] * 3], [own], steps)  # type: ignore[arg-type]
        assert {name: loss.item() for name, loss in ours.items()} == pytest.approx(d_losses, abs=1e-5)
        _agree(_double(state.discriminators[0]), reference.d)
        # The two agree up to here; phase 2 starts from the same weights, so that errors do not add up
        reference.d = _double(state.discriminators[0])

        # --- reference, phase 2: edge -> (source, gate's weight), from GRAPH ---
        edges = {
            1: {0: 1.0, 2: progress, 3: 1 - progress},
            2: {0: progress, 1: 1.0},
            3: {1: 1 - progress, 2: progress},
        }
        maps = {i: reference.generate(i, z) for i in (1, 2, 3)}
        g_losses, g_gradients = {}, {}
        for i, sources in edges.items():
            whole: Tensor | float = 0.0
            for source, weight in sources.items():
                if source == 0:
                    loss = _ce(reference.logits(maps[i][-1]), 3)
                else:
                    pairs = [(maps[i][m], maps[source][m].detach()) for m in ((0, 1) if kind == "features" else (2,))]
                    vectors = [(_q(s), _q(t)) if kind == "features" else (_g(s), _g(t)) for s, t in pairs]
                    layers = [((s - t) ** 2).mean(0) for s, t in vectors]
                    loss = ALPHA * sum(v.mean() if reduction == "mean" else v.sum() for v in layers) / len(layers)
                g_losses[f"{'D' if source == 0 else f'G{source}'}->G{i}"] = loss.item()
                whole = whole + weight * loss
            g_gradients[i] = _grads(whole, reference.g[i - 1])  # type: ignore[arg-type]
            _adam(reference.g[i - 1], reference.g_moments[i - 1], g_gradients[i])

        # --- package, phase 2 ---
        ours = generator_phase(state, lessons, progress, z)
        assert {name: loss.item() for name, loss in ours.items()} == pytest.approx(g_losses, rel=1e-5, abs=1e-5)
        for i, generator in enumerate(state.generators, start=1):
            largest = max(g.abs().max().item() for g in g_gradients[i].values() if g is not None)
            for name, parameter in generator.named_parameters():
                theirs = g_gradients[i][name]
                if theirs is None:
                    assert parameter.grad is None
                else:
                    assert parameter.grad is not None
                    error = (parameter.grad.double() - theirs).abs().max().item()
                    assert error <= 1e-5 * max(1.0, largest), (i, name, error)
            _agree(_double(generator), reference.g[i - 1])


def _agree(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    """Learned weights equal to 1e-5; a step is 2e-3, and Adam turns a gradient of rounding size into up to one step."""
    errors = torch.cat([(ours[n] - theirs[n]).detach().flatten().abs() for n in ours if ours[n].requires_grad])
    assert math.isfinite(errors.sum().item())
    assert errors.quantile(0.99).item() <= 1e-5, errors.max().item()
