"""Which edges and gates matter in a study: `best`, `figures --only effects`, and fANOVA over relabelled copies."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import GeneratorScore, Outcome, Scores
from colgan_search.search.care.insight import Insight, insight
from colgan_search.search.delivering import deliver
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.outcomes import outcome_text
from tests.fake_worker import PROTOCOL
from tests.fleet import fake_config, make_study
from tests.integration.cli_helpers import answer
from tests.integration.test_deliver import assign


def taught(graph: KnowledgeTransferGraph, generator: int) -> float:
    """1 if D teaches the generator at full weight."""
    return float(f"D->G{generator}" in {edge.name for edge, gate in graph.items() if gate.name == "through"})


def measured(url: str, trials: int, objective: str = "is") -> OpenStudy:
    """A study whose value depends on D's edges alone."""
    config = fake_config(search={"sampler": "random", "gates": ["through", "cutoff"], "objective": objective}, k=3)
    study = make_study(url, 100, config)
    for _ in range(trials):
        trial = assign(study)
        lows = [1.0 + 3.0 * taught(trial.graph, i) for i in (1, 2, 3)]
        scores = Scores(
            generators=tuple(
                GeneratorScore(metrics={"is_mean": low, "is_std": 0.0, "fid": 10.0 - low}) for low in lows
            ),
            protocol=PROTOCOL,
            objective=config.objective,
        )
        outcome = Outcome(
            graph=trial.graph.to_text(),
            seed=trial.seed,
            value=scores.value,
            scores=scores,
            iterations=1,
            seconds=1.0,
            device="cpu",
        )
        assert study.slots.accept(trial.claim, outcome_text("w", outcome))
    deliver.tell_closings(study)
    return study


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a study of 40 trials."""
    folder = tmp_path_factory.mktemp("insight")
    measured(f"sqlite:///{folder / 'study.db'}", 40).storage.close()
    yield folder


def test_what_matters_is_found_and_what_does_not_is_not(tmp_path: Path) -> None:
    study = measured(f"sqlite:///{tmp_path / 'study.db'}", 40)
    found = insight(study)
    assert isinstance(found, Insight) and found.trials == 40
    effects = {(effect.edges, effect.gate): effect for effect in found.effects}
    assert effects["D->G", "through"].low > 0.0 > effects["D->G", "cutoff"].high
    assert abs(effects["G->G", "through"].mean) < 0.2 * effects["D->G", "through"].mean
    assert list(found.importance) == ["D->G", "G->G"]
    assert found.importance["D->G"] > 5 * found.importance["G->G"]
    assert 0.0 < sum(found.importance.values()) <= 1.0 + 1e-9
    study.storage.close()


def test_where_lower_is_better_a_good_gate_lowers_it(tmp_path: Path) -> None:
    study = measured(f"sqlite:///{tmp_path / 'study.db'}", 40, "fid")
    found = insight(study)
    assert isinstance(found, Insight)
    effects = {(effect.edges, effect.gate): effect for effect in found.effects}
    assert effects["D->G", "through"].high < 0.0 < effects["D->G", "cutoff"].low
    assert all(effect.low <= effect.mean <= effect.high for effect in found.effects)
    study.storage.close()


def test_too_few_trials_are_said_to_be(tmp_path: Path) -> None:
    study = measured(f"sqlite:///{tmp_path / 'study.db'}", 3)
    assert insight(study) == ("3 complete trials are too few to say which edges and gates matter: at least 20")
    study.storage.close()


def test_where_all_values_are_equal_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """All trainings have diverged: Optuna's fANOVA would raise."""
    study = make_study(f"sqlite:///{tmp_path / 'study.db'}", 30, fake_config(search={"sampler": "random"}, k=2))
    for _ in range(24):
        trial = assign(study)
        text, seed = trial.graph.to_text(), trial.seed
        outcome = Outcome(
            graph=text, seed=seed, value=1.0, scores=None, diverged="NaN", iterations=1, seconds=1.0, device="cpu"
        )
        assert study.slots.accept(trial.claim, outcome_text("w", outcome))
    deliver.tell_closings(study)
    said = "24 complete trials all have the value 1: nothing tells which edges and gates matter"
    assert insight(study) == said
    study.storage.close()
    monkeypatch.setenv("COLGAN_STORAGE", f"sqlite:///{tmp_path / 'study.db'}")
    monkeypatch.chdir(tmp_path)
    assert f"what matters: {said}" in answer(capsys, "best")


def test_best_shows_it(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("COLGAN_STORAGE", f"sqlite:///{place / 'study.db'}")
    monkeypatch.chdir(place)
    lines = answer(capsys, "best").splitlines()
    (head,) = [at for at, line in enumerate(lines) if line.startswith("  what matters, by a model of 40 trials of ")]
    assert lines[head + 1].split() == ["edges", "through", "cutoff", "fANOVA"]
    assert [line.split("  ")[0].strip() for line in lines[head + 2 : head + 9]] == [
        "D->G",
        "G->G",
        "D->best",
        "D->others",
        "others->best",
        "best->others",
        "among others",
    ]
    told = json.loads(answer(capsys, "best", "--json"))["insight"]
    assert told["trials"] == 40 and set(told["fanova"]) == {"D->G", "G->G"}
    assert {"edges", "gate", "mean", "low", "high"} == set(told["effects"][0])


def test_figures_draw_it_alone(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("COLGAN_STORAGE", f"sqlite:///{place / 'study.db'}")
    monkeypatch.chdir(place)
    told = json.loads(answer(capsys, "figures", "--only", "effects", "--format", "svg", "--out", "out", "--json"))
    assert told == {"figures": {"effects": ["out/effects.svg"]}, "missing": {}}
    assert "fANOVA" in (place / "out" / "effects.svg").read_text() or (place / "out" / "effects.svg").stat().st_size
