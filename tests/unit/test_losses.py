"""Equations 1 to 5 against numbers worked out by hand and against numpy in float64."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image

from colgan_search.losses import (
    adversarial_loss,
    attention_map,
    fake_loss,
    feature_transfer_loss,
    image_transfer_loss,
    real_loss,
)

RANDOM = np.random.default_rng(11)


def cross_entropy64(logits: np.ndarray, index: int) -> float:
    """-log softmax, written out."""
    e = np.exp(logits.astype(np.float64))
    return float(np.mean(-np.log(e[:, index] / e.sum(1))))


def test_cross_entropies_by_hand() -> None:
    # softmax of (0, ln 2, ln 5) is (1/8, 2/8, 5/8): k = 2, the last class is "real"
    logits = torch.tensor([[0.0, math.log(2), math.log(5)]])
    assert fake_loss(logits, 1).item() == pytest.approx(math.log(8), abs=1e-6)
    assert fake_loss(logits, 2).item() == pytest.approx(math.log(4), abs=1e-6)
    assert real_loss(logits).item() == pytest.approx(math.log(8 / 5), abs=1e-6)
    assert adversarial_loss(logits).item() == pytest.approx(math.log(8 / 5), abs=1e-6)


def test_cross_entropies_against_numpy() -> None:
    logits = RANDOM.normal(size=(9, 4)) * 5
    tensor = torch.from_numpy(logits).float()
    assert real_loss(tensor).item() == pytest.approx(cross_entropy64(logits, 3), rel=1e-5)
    assert adversarial_loss(tensor).item() == pytest.approx(cross_entropy64(logits, 3), rel=1e-5)
    for i in (1, 2, 3):
        assert fake_loss(tensor, i).item() == pytest.approx(cross_entropy64(logits, i - 1), rel=1e-5)


def test_softmax_is_applied_once() -> None:
    # A sure and right discriminator has a loss of almost 0; with softmax applied twice it cannot fall below 0.55.
    logits = torch.tensor([[0.0, 0.0, 30.0]])
    assert real_loss(logits).item() < 1e-9
    # and a sure and wrong one is not bounded by 1.55
    assert fake_loss(logits, 1).item() == pytest.approx(30.0, abs=1e-4)


def test_two_outputs_under_softmax_are_one_sigmoid() -> None:
    # k = 1, one DCGAN: its usual single output is the difference of ours, its loss PyTorch's binary cross-entropy
    logits = torch.from_numpy(RANDOM.normal(size=(9, 2)) * 5)
    single, binary = logits[:, 1] - logits[:, 0], torch.nn.functional.binary_cross_entropy_with_logits
    ones = torch.ones(9, dtype=torch.float64)
    assert real_loss(logits).item() == pytest.approx(binary(single, ones).item(), rel=1e-12)
    assert fake_loss(logits, 1).item() == pytest.approx(binary(single, 0 * ones).item(), rel=1e-12)
    assert adversarial_loss(logits).item() == pytest.approx(binary(single, ones).item(), rel=1e-12)


def test_large_logits_stay_finite() -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    loss = real_loss(logits)
    loss.backward()
    assert loss.item() == pytest.approx(1e4)
    assert logits.grad is not None and torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("generator", [0, 3, -1])
def test_a_generator_that_is_not_there(generator: int) -> None:
    with pytest.raises(ValueError, match="k = 2"):
        fake_loss(torch.zeros(1, 3), generator)


def test_attention_map_by_hand() -> None:
    # two channels, positions a and b: Q = (1 + 7)/2 = 4 and (2 + 4)/2 = 3, norm 5
    features = torch.tensor([[[[1.0, math.sqrt(2)]], [[math.sqrt(7), 2.0]]]])
    assert attention_map(features).tolist() == [pytest.approx([0.8, 0.6])]


def test_attention_map_against_numpy() -> None:
    features = RANDOM.normal(size=(5, 6, 3, 4))
    Q = (features**2).mean(1).reshape(5, 12)
    q = Q / np.sqrt((Q**2).sum(1, keepdims=True))
    ours = attention_map(torch.from_numpy(features))
    assert ours.shape == (5, 12)
    np.testing.assert_allclose(ours.numpy(), q, rtol=1e-12)


def test_attention_map_of_nothing_is_nothing() -> None:
    features = torch.zeros(2, 3, 4, 4, requires_grad=True)
    q = attention_map(features)
    q.sum().backward()
    assert q.abs().sum().item() == 0.0
    assert features.grad is not None and torch.isfinite(features.grad).all()


def test_feature_transfer_by_hand() -> None:
    # layer 1: differences (1, 0, 2, 1) and (0, 0, 0, 0); layer 2: (3, 1) and (1, 1)
    student = [torch.tensor([[1.0, 0, 2, 1], [0, 0, 0, 0]]), torch.tensor([[3.0, 1], [1, 1]])]
    teacher = [torch.zeros(2, 4), torch.zeros(2, 2)]
    mean = feature_transfer_loss(student, teacher, alpha=10.0)
    total = feature_transfer_loss(student, teacher, alpha=10.0, reduction="sum")
    assert mean.item() == pytest.approx(10 * (6 / 8 + 12 / 4) / 2)
    assert total.item() == pytest.approx(10 * (6 / 2 + 12 / 2) / 2)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_transfer_losses_against_numpy(reduction: str) -> None:
    student, teacher = ([RANDOM.normal(size=(4, n)) for n in (16, 64, 9)] for _ in range(2))
    elements = (lambda d: d.mean(1)) if reduction == "mean" else (lambda d: d.sum(1))
    layers = [float(elements((s - t) ** 2).mean()) for s, t in zip(student, teacher, strict=True)]
    ours = feature_transfer_loss(
        [torch.from_numpy(s) for s in student],
        [torch.from_numpy(t) for t in teacher],
        alpha=7.0,
        reduction=reduction,  # type: ignore[arg-type]
    )
    assert ours.item() == pytest.approx(7 * sum(layers) / 3, rel=1e-12)

    a, b = RANDOM.uniform(-1, 1, size=(2, 4, 3, 8, 8))
    norm_a, norm_b = (np.sqrt((x**2).sum((1, 2, 3), keepdims=True)) for x in (a, b))
    whole = float(elements(((a / norm_a - b / norm_b) ** 2).reshape(4, -1)).mean())
    ours = image_transfer_loss(
        torch.from_numpy(a),
        torch.from_numpy(b),
        alpha=7.0,
        reduction=reduction,  # type: ignore[arg-type]
    )
    assert ours.item() == pytest.approx(7 * whole, rel=1e-12)


def test_image_transfer_by_hand() -> None:
    # norms 5 and 13, quotients (0.6, 0.8) and (5/13, 12/13): differences 14/65 and -8/65; 2 elements
    student = torch.tensor([[[[3.0, 4.0]]]], dtype=torch.float64)
    teacher = torch.tensor([[[[5.0, 12.0]]]], dtype=torch.float64)
    squares = (14 / 65) ** 2 + (8 / 65) ** 2
    assert image_transfer_loss(student, teacher, alpha=10.0).item() == pytest.approx(10 * squares / 2, rel=1e-12)
    total = image_transfer_loss(student, teacher, alpha=10.0, reduction="sum")
    assert total.item() == pytest.approx(10 * squares, rel=1e-12)
    # the batch is averaged: a second pair that is equal up to its scale adds nothing
    students, teachers = torch.cat([student, teacher * 2]), torch.cat([teacher, teacher])
    assert image_transfer_loss(students, teachers, alpha=10.0).item() == pytest.approx(10 * squares / 4, rel=1e-12)


def test_image_transfer_of_two_real_images() -> None:
    # Two photographs that scikit-learn ships, 64 x 64 in colour, in [-1, 1], at the paper's alpha.
    photographs = [
        load_sample_image(name)[:64, :64].transpose(2, 0, 1) / 127.5 - 1 for name in ("china.jpg", "flower.jpg")
    ]
    s, t = (np.asarray(photograph, np.float64) for photograph in photographs)
    by_hand = 1000 * np.mean((s / math.sqrt((s**2).sum()) - t / math.sqrt((t**2).sum())) ** 2)
    student, teacher = torch.from_numpy(s)[None], torch.from_numpy(t)[None]
    ours = image_transfer_loss(student, teacher, alpha=1000.0).item()
    assert abs(ours - by_hand) <= 1e-12
    assert abs(image_transfer_loss(3 * student, teacher, alpha=1000.0).item() - by_hand) <= 1e-12
    # Without the norm, as in 0.1.0, it would be thousands of times as much.
    assert 1000 * np.mean((s - t) ** 2) > 1000 * by_hand


def test_image_transfer_is_blind_to_the_scale_of_either_side() -> None:
    student, teacher = torch.from_numpy(RANDOM.uniform(-1, 1, size=(2, 4, 3, 8, 8)))
    loss = image_transfer_loss(student, teacher, alpha=7.0)
    assert image_transfer_loss(3 * student, teacher, alpha=7.0).item() == pytest.approx(loss.item(), rel=1e-12)
    assert image_transfer_loss(student, 0.2 * teacher, alpha=7.0).item() == pytest.approx(loss.item(), rel=1e-12)
    # but not to their signs: opposite images are as far apart as can be, ||2 g||^2 = 4
    opposite = image_transfer_loss(student, -student, alpha=1.0, reduction="sum")
    assert opposite.item() == pytest.approx(4.0, rel=1e-12)


def test_image_transfer_of_black_and_grey_images_stays_finite() -> None:
    student = torch.zeros(2, 1, 4, 4, requires_grad=True)
    image_transfer_loss(student, torch.rand(2, 1, 4, 4), alpha=1000.0).backward()
    assert student.grad is not None and torch.isfinite(student.grad).all()


@pytest.mark.parametrize("detach", [True, False])
def test_the_teacher_is_a_constant_unless_told(detach: bool) -> None:
    student, teacher = (torch.rand(2, 1, 4, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    image_transfer_loss(student, teacher, alpha=2.0, detach_teacher=detach).backward()

    def gradient(x: np.ndarray, other: np.ndarray) -> np.ndarray:
        """2 * alpha / 32 * (I - g g^T) (g - h) / ||x|| per sample: the derivative of x / ||x|| projects."""
        found = np.zeros_like(x)
        for n in range(len(x)):
            norm = np.sqrt((x[n] ** 2).sum())
            g, h = x[n] / norm, other[n] / np.sqrt((other[n] ** 2).sum())
            found[n] = 2 * 2.0 / 32 * ((g - h) - g * (g * (g - h)).sum()) / norm
        return found

    s, t = student.detach().numpy(), teacher.detach().numpy()
    assert student.grad is not None
    np.testing.assert_allclose(student.grad.numpy(), gradient(s, t), rtol=1e-9, atol=1e-15)
    if detach:
        assert teacher.grad is None
    else:
        assert teacher.grad is not None
        np.testing.assert_allclose(teacher.grad.numpy(), gradient(t, s), rtol=1e-9, atol=1e-15)


def test_feature_transfer_detaches_every_layer() -> None:
    features = [torch.rand(2, 3, 4, 4, requires_grad=True) for _ in range(4)]
    maps = [attention_map(f) for f in features]
    feature_transfer_loss(maps[:2], maps[2:], alpha=1.0).backward()
    assert all(f.grad is not None and f.grad.abs().sum() > 0 for f in features[:2])
    assert all(f.grad is None for f in features[2:])


def test_shapes_that_would_broadcast_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        feature_transfer_loss([torch.zeros(4, 16)], [torch.zeros(1, 16)], alpha=1.0)
    with pytest.raises(ValueError, match="unknown reduction 'avg'; known are: mean, sum"):
        feature_transfer_loss([torch.zeros(4, 16)], [torch.zeros(4, 16)], alpha=1.0, reduction="avg")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one"):
        feature_transfer_loss([], [], alpha=1.0)
