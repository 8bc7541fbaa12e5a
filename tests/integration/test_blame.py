"""Which failures speak against a graph: those of its training, and no others."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from colgan_search.errors import ColganError, GpuFull, OutOfMemory
from colgan_search.file_names import WorkFolder
from colgan_search.search import worker
from colgan_search.search.delivering import deliver
from colgan_search.search.proposing import propose
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.worker import Worker
from tests.fake_worker import FakeExperiment
from tests.fleet import fake_config, make_study, rows_of


@pytest.fixture
def study(prepared_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenStudy]:
    monkeypatch.setattr(worker, "FAULT_PAUSE_SECONDS", 0.0)
    made = make_study(prepared_url, 2, fake_config())
    yield made
    made.storage.close()


def _breaks(*_: Any) -> Any:
    # As a key that two workers insert at once, or a sampler that cannot decompose its matrix.
    raise ArithmeticError("not the graph's fault")


def _faults(url: str) -> list[dict[str, Any]]:
    return [fault for (text,) in rows_of(url, "SELECT faults FROM colgan_slots") for fault in json.loads(text)]


def _run(study: OpenStudy, experiment: Callable[..., Any], folder: Path) -> None:
    Worker(study, experiment, WorkFolder(folder), "fake", threading.Event()).run()


@pytest.mark.parametrize("when", ["proposing", "delivering"])
def test_what_fails_before_or_after_the_training_does_not_speak_against_the_graph(
    when: str, study: OpenStudy, prepared_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(*((propose.Proposer, "_write") if when == "proposing" else (deliver, "offer")), _breaks)
        with pytest.raises((ColganError, ArithmeticError), match="not the graph's fault"):
            _run(study, FakeExperiment(0.0), tmp_path)
    faults = _faults(prepared_url)
    assert faults and {fault["kind"] for fault in faults} == {"machine"}, faults
    _run(study, FakeExperiment(0.0), tmp_path)
    assert study.slots.budget().done == 2 and study.slots.failures() == []


def test_what_fails_in_the_training_does(study: OpenStudy, prepared_url: str, tmp_path: Path) -> None:
    with pytest.raises(ColganError, match="3 faults in a row"):
        _run(study, _breaks, tmp_path)
    assert {fault["kind"] for fault in _faults(prepared_url)} == {"graph"}


def _full(*_: Any) -> Any:
    raise OutOfMemory("out of memory on cuda:0 while training")


def test_a_worker_too_many_on_a_gpu_leaves_it_and_blames_no_graph(
    study: OpenStudy, prepared_url: str, tmp_path: Path
) -> None:
    shared = Worker(study, _full, WorkFolder(tmp_path), "cuda:0", threading.Event(), shares_gpu=True)
    with pytest.raises(GpuFull, match="cuda:0 is full: this worker takes no more trials; out of memory on cuda:0"):
        shared.run()
    assert [fault["kind"] for fault in _faults(prepared_url)] == ["machine"]
    assert rows_of(prepared_url, "SELECT DISTINCT state FROM colgan_slots") == [("free",)]
    _run(study, FakeExperiment(0.0), tmp_path)
    assert study.slots.budget().done == 2 and study.slots.failures() == []


@pytest.mark.parametrize(("device", "kind"), [("cuda:0", "machine"), ("cpu", "graph")])
def test_out_of_memory_alone_is_a_fault_like_others(
    device: str, kind: str, study: OpenStudy, prepared_url: str, tmp_path: Path
) -> None:
    with pytest.raises(ColganError, match="3 faults in a row"):
        Worker(study, _full, WorkFolder(tmp_path), device, threading.Event()).run()
    assert {fault["kind"] for fault in _faults(prepared_url)} == {kind}
