"""The space's size in words, against numbers of the paper's spaces and against what is listed."""

import json
from pathlib import Path

import pytest

from colgan_search.api.launching import LaunchRequest, prepare_launch
from colgan_search.api.space import space_lines
from colgan_search.cli.app import run
from colgan_search.config import load_config
from colgan_search.gates import CUTOFF, THROUGH
from colgan_search.roster import Roster
from colgan_search.symmetry import distinct_graphs, extent


@pytest.mark.parametrize(
    ("k", "gates", "trials", "said"),
    [
        (3, 2, 1500, "1,500 trials: 104 distinct graphs once each, then 1,396 replicates"),
        (3, 2, 104, "104 trials: 104 distinct graphs once each"),
        (3, 2, 105, "105 trials: 104 distinct graphs once each, then 1 replicate"),
        (3, 4, 1500, "1,500 trials: 1,500 of 44,224 distinct graphs, 3.4 %"),
        (3, 4, 12, "12 trials: 12 of 44,224 distinct graphs, less than 0.1 %"),
        (1, 4, 1, "1 trial: 1 of 4 distinct graphs, 25.0 %"),
    ],
)
def test_what_a_budget_buys(k: int, gates: int, trials: int, said: str) -> None:
    assert extent(Roster(k), gates).bought(trials) == said


def test_the_papers_spaces_in_words() -> None:
    assert extent(Roster(3), 4).words == "44,224 distinct graphs (262,144 assignments of 4 gates to 9 edges)"
    assert extent(Roster(3), 2).distinct == len(list(distinct_graphs(Roster(3), (THROUGH, CUTOFF)))) == 104


def test_a_space_that_is_too_large_to_count_has_more_than_a_lower_bound() -> None:
    space = extent(Roster(64, 16), 4)
    assert not space.exact
    # Every class of relabelled graphs has at most 64! 16! members.
    assert space.words.startswith("more than 10^3086 distinct graphs (about 10^3189 assignments")
    assert space.bought(1500) == "1,500 trials: 1,500 of more than 10^3086 distinct graphs, less than 0.1 %"
    assert not extent(Roster(40), 4).exact and extent(Roster(40), 4, patient=True).exact
    assert extent(Roster(40), 4).distinct < extent(Roster(40), 4, patient=True).distinct


def test_a_study_of_named_graphs_has_replicates_only() -> None:
    config = load_config("digits", {"search.sampler": "repeat", "search.first": ["mad-gan"]})
    assert space_lines(config, 5)[1] == "5 trials: 1 graph of search.first, 5 replicates of it"
    twice = load_config("digits", {"search.sampler": "repeat", "search.first": ["mad-gan", "all-through", "mad-gan"]})
    assert space_lines(twice, 3)[1] == (
        "3 trials: 3 graphs of search.first, 2 of them distinct, 1 replicate for each time that one is named"
    )
    two = load_config("digits", {"search.sampler": "repeat", "search.first": ["mad-gan", "all-through"]})
    assert space_lines(two, 5)[1] == "5 trials: 2 graphs of search.first, 2.5 replicates of each"


def test_a_sampler_that_repeats_unawares_is_promised_nothing() -> None:
    config = load_config("digits", {"search.sampler": "tpe", "search.gates": ["through", "cutoff"]})
    assert space_lines(config, 60)[1] == "60 trials: at most 60 of 104 distinct graphs, 57.7 %"
    assert space_lines(config, 1500)[1] == "1,500 trials: at most 104 of 104 distinct graphs, 100.0 %"


def test_launch_says_it_before_it_starts_anything(tmp_path: Path) -> None:
    said: list[str] = []
    config = load_config("digits")
    launched = prepare_launch(LaunchRequest(config, 50, work_dir=tmp_path, workers=0), said.append)
    launched.study.storage.close()
    assert said == [
        "space: 44,224 distinct graphs (262,144 assignments of 4 gates to 9 edges)",
        "50 trials: about 44 of 44,224 distinct graphs, less than 0.1 %, and 6 replicates of leading ones",
    ]
    # Without a total it is the study's own.
    said.clear()
    prepare_launch(LaunchRequest(config, work_dir=tmp_path, workers=0), said.append).study.storage.close()
    assert said[1].startswith("50 trials: ")


def test_graphs_and_status_say_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["graphs", "--k", "3", "--gates", "through,cutoff", "--trials", "1500"]) == 0
    assert "1,500 trials: 104 distinct graphs once each, then 1,396 replicates" in capsys.readouterr().out
    assert run(["graphs", "--trials", "3"]) == 2
    launched = prepare_launch(LaunchRequest(load_config("digits-k2"), 200, workers=0))
    launched.study.storage.close()
    capsys.readouterr()
    assert run(["status"]) == 0
    assert "  200 trials: 136 distinct graphs once each, then 64 replicates\n" in capsys.readouterr().out
    assert run(["status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["space"] == {"assignments": 256, "distinct": 136, "distinct_exact": True}
    assert told["buys"] == "200 trials: 136 distinct graphs once each, then 64 replicates"
