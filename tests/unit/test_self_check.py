"""The check before a GPU's first training, run on the CPU: agreement, planted errors, and what follows from them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from colgan_search.config import StudyConfig, load_config, with_overrides
from colgan_search.config.fingerprint import result_settings
from colgan_search.experiment import Experiment
from colgan_search.extensions.fast import REFERENCE, USUAL
from colgan_search.file_names import WorkFolder
from colgan_search.gan import self_check as module
from colgan_search.gan.networks import dcgan_modules
from colgan_search.gan.self_check import self_check
from colgan_search.graph import KnowledgeTransferGraph
from tests.unit.gan_helpers import CPU

SMALL = {
    "network.width": 4,
    "training.batch": 64,
    "training.epochs": 1,
    "evaluation.images": 20,
    "evaluation.interim_images": 20,
    "evaluation.classifier_epochs": 1,
    "evaluation.fid": False,
}


def config(name: str = "digits") -> StudyConfig:
    return with_overrides(load_config(name), SMALL)


@pytest.mark.parametrize("name", ["digits", "digits-k2-m2"])
def test_the_fast_path_agrees(name: str) -> None:
    found = self_check(config(name), USUAL, CPU)
    assert found.problem is None
    # It was compared: rounding differs, and by less than what tests/unit/test_fast.py allows.
    assert 0.0 < found.losses < 1e-5 and 0.0 < found.gradients < 1e-4
    assert "agrees with the float32 reference in 3 iterations" in found.words


def test_the_reference_is_itself() -> None:
    found = self_check(config(), REFERENCE, CPU)
    assert (found.problem, found.losses, found.gradients) == (None, 0.0, 0.0)


def scaled(factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The generator's last layer, only where it is computed as a product, is off by a factor."""
    right = dcgan_modules.to_few_channels
    monkeypatch.setattr(dcgan_modules, "to_few_channels", lambda x, weight: right(x, weight) * factor)


@pytest.mark.parametrize(("factor", "refused"), [(1.0 + 1e-7, False), (1.01, True), (float("nan"), True)])
def test_a_wrong_layer_is_refused(factor: float, refused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    scaled(factor, monkeypatch)
    found = self_check(config(), USUAL, CPU)
    assert (found.problem is not None) == refused
    if refused:
        assert "in iteration 1 its losses differ" in found.words and found.words.startswith("fast path off: ")


def test_an_error_of_the_fast_path_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    right = module._generators

    def broken(state: Any, lessons: Any, config: Any, fast: Any, iteration: int) -> Any:
        if fast == USUAL and iteration == 1:
            raise RuntimeError("no kernel for this\nGPU")
        return right(state, lessons, config, fast, iteration)

    monkeypatch.setattr(module, "_generators", broken)
    assert self_check(config(), USUAL, CPU).problem == "iteration 2 failed: no kernel for this GPU"


def test_float32_forbids_tf32_inside_alone() -> None:
    torch.backends.cudnn.allow_tf32 = True
    with module._float32():
        assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.allow_tf32


@pytest.mark.slow
def test_a_refused_fast_path_is_not_used_and_the_outcome_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = KnowledgeTransferGraph.from_text("G1=D:t,G2:t,G3:t/G2=D:t,G1:t,G3:t/G3=D:t,G1:t,G2:t")

    def outcome(experiment: Experiment, name: str) -> Any:
        return experiment(graph, 3, tmp_path / name, lambda progress: None, lambda: False)

    slow = Experiment(with_overrides(config(), {"runtime.fast": REFERENCE.model_dump()}), WorkFolder(tmp_path), CPU)
    refused = Experiment(config(), WorkFolder(tmp_path), CPU)
    assert refused.check_fast_path() is None
    assert outcome(refused, "agreed").fast_path_off is None
    scaled(1.5, monkeypatch)
    problem = refused.check_fast_path()
    assert problem is not None and "its losses differ" in problem
    # The broken layer is not met any more: the bits are the reference's.
    found, wanted = outcome(refused, "refused"), outcome(slow, "slow")
    assert found.fast_path_off == problem and wanted.fast_path_off is None
    assert found.scores == wanted.scores and found.iterations == wanted.iterations


@pytest.fixture
def flags() -> Iterator[Any]:
    """Sets PyTorch's two flags; they are as before after the test."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32

    def put(convolutions: bool, products: bool) -> None:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = convolutions, products

    yield put
    put(*before)


def test_tf32_is_as_the_config_says_in_a_trial_and_as_before_after_it(tmp_path: Path, flags: Any) -> None:
    for allowed in (True, False):
        seen: set[tuple[bool, bool]] = set()

        def look(*_: Any, seen: set[tuple[bool, bool]] = seen) -> bool:
            seen.add((torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))
            return False

        chosen = with_overrides(config(), {"training.tf32": allowed, "k": 1})
        experiment = Experiment(chosen, WorkFolder(tmp_path), CPU)
        flags(not allowed, True)  # as another package might have left them
        experiment(KnowledgeTransferGraph.from_text("G1=D:t"), 3, tmp_path / f"run-{allowed}", look, look)
        assert seen == {(allowed, False)}
        assert (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32) == (not allowed, True)


def test_only_forbidden_tf32_is_part_of_the_fingerprint() -> None:
    allowed, forbidden = (with_overrides(config(), {"training.tf32": value}) for value in (True, False))
    assert "training.tf32" not in result_settings(allowed)
    assert result_settings(forbidden)["training.tf32"] is False
