"""Two generators and two discriminators end to end: searched, drawn, exported, shown, trained again."""

import json
from pathlib import Path

import optuna
import pytest
import yaml

from colgan_search.config import load_config, parse_config
from colgan_search.errors import ConfigError
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.roster import Roster
from tests.integration.cli_helpers import answer, config_data

EDGES = {"D1->G1", "D2->G1", "G2->G1", "D1->G2", "D2->G2", "G1->G2", "D2->D1", "D1->D2"}


def small(**more: object) -> dict[str, object]:
    return config_data(name="two") | {"discriminators": 2, "discriminator_transfer": {"kind": "outputs"}} | more


@pytest.mark.slow
def test_a_search_with_two_discriminators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("two.yaml").write_text(yaml.safe_dump(small()))
    line = ("launch", "--config", "two.yaml", "--trials", "3", "--workers", "1", "--work-dir", "work")
    answer(capsys, *line)
    study = optuna.load_study(study_name="two", storage="sqlite:///work/studies.db")
    assert len(study.trials) == 3 and all(trial.state.name == "COMPLETE" for trial in study.trials)
    for trial in study.trials:
        assert set(trial.params) == EDGES
        graph = KnowledgeTransferGraph.from_text(trial.user_attrs["graph"])
        assert graph.roster == Roster(2, 2)
        assert {edge.name: gate.name for edge, gate in graph.items()} == trial.params
    best = json.loads(answer(capsys, "best", "--work-dir", "work", "--export", "winner", "--json"))
    assert best["graph"] == study.best_trial.user_attrs["graph"]
    assert "D1 learns from real and generated images" in answer(capsys, "best", "--work-dir", "work")
    exported = KnowledgeTransferGraph.from_json(json.loads(Path("winner/graph.json").read_text()))
    assert exported.to_text() == best["graph"]
    answer(capsys, "sample", "winner", "--n", "4", "--out", "grid.png")
    found = json.loads(answer(capsys, "evaluate", "winner", "--work-dir", "work", "--json"))
    assert (
        found["scores"]["generators"]
        == json.loads(Path("winner/scores.json").read_text())["variants"]["last"]["generators"]
    )
    again = answer(capsys, "train", "--config", "two.yaml", "--graph", "mutual-discriminators", "--work-dir", "work")
    assert "D1 learns from real and generated images, from D2 at full weight (through)" in again


def test_what_several_discriminators_need() -> None:
    assert parse_config(small(), "test").roster == Roster(2, 2)
    assert load_config("digits-k2-m2").roster == Roster(2, 2)
    with pytest.raises(ConfigError, match="several discriminators need discriminator_transfer"):
        parse_config(small(discriminator_transfer=None), "test")
    with pytest.raises(ConfigError, match="discriminator_transfer is for several discriminators"):
        parse_config(small(discriminators=1), "test")
    with pytest.raises(ConfigError, match="discriminators: 17 is not allowed"):
        parse_config(small(discriminators=17), "test")
    with pytest.raises(ConfigError, match=r"search.first.0: preset 'mad-gan' is for m = 1, not for k = 2, 2 discrim"):
        parse_config(small(search={"first": ["mad-gan"]}), "test")


def test_graphs_of_several_discriminators(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(answer(capsys, "graphs", "--k", "3", "--discriminators", "2", "--json"))
    # Burnside by hand: tests/unit/test_symmetry.py
    counted = {"assignments": 4**14, "distinct": 22_527_360, "distinct_exact": True}
    assert data["counts"] == [{"k": 3, "discriminators": 2, "edges": 14} | counted]
    picture = tmp_path / "gman.png"
    text = answer(capsys, "graphs", "gman", "--k", "3", "--discriminators", "2", "--picture", str(picture))
    assert "G3 learns from D1 at full weight (through), from D2" in text and picture.stat().st_size > 10_000
    for one, other in (("G1=D1:t/G2=D2:p/D1=-/D2=D1:n", "G1=D1:p/G2=D2:t/D1=D2:n/D2=-"),):
        forms = [json.loads(answer(capsys, "graphs", text, "--json"))["canonical"] for text in (one, other)]
        assert forms[0] == forms[1]
