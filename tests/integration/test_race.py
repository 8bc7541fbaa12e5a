"""The race in a real study: proposals, roles, an early end, all of it through slots and workers."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from colgan_search.config import StudyConfig, fingerprint, with_overrides
from colgan_search.errors import ConfigError
from colgan_search.search.study import results
from colgan_search.search.study.opening import OpenStudy
from tests.fleet import Fleet, fake_config, make_study, wait_until

GRAPHS = ["G1=D:t/G2=D:t", "G1=D:t,G2:p/G2=D:t", "G1=D:t/G2=D:t,G1:n"]


def race_config(name: str = "race", **settings: Any) -> StudyConfig:
    """A race of three graphs at k = 2 with one baseline."""
    race = {
        "study": "fake",
        "trials": 20,
        "epochs": 50,
        "candidates": [{"graph": graph, "estimate": 5.0, "luckiest": 6.0} for graph in GRAPHS],
        "baselines": [{"name": "all-through", "graph": "G1=D:t,G2:t/G2=D:t,G1:t"}],
        "seeds": 3,
        "until": 0.999999999,
    } | settings
    return fake_config(name, search={"sampler": "race", "sampler_settings": race})


def roles(study: OpenStudy) -> Counter[tuple[str | None, str | None]]:
    """(role, graph) -> complete runs."""
    return Counter((trial.role, trial.graph) for trial in results.completed(study))


def test_a_race_runs_to_its_budget_with_several_workers(storage_url: str, tmp_path: Path) -> None:
    study = make_study(storage_url, 12, race_config())
    with Fleet(storage_url, tmp_path, 0.0, "race") as fleet:
        fleet.start(3)
        assert fleet.wait() == [0] * 3, fleet.log()
    found = roles(study)
    assert sum(found.values()) == 12 == study.slots.budget().done
    by_role = Counter(dict.fromkeys(("race", "final", "baseline"), 0))
    for (role, _), count in found.items():
        by_role[str(role)] += count
    assert by_role == {"race": 6, "final": 3, "baseline": 3}
    assert [found["race", graph] for graph in GRAPHS] == [2, 2, 2]
    assert found["baseline", "G1=D:t,G2:t/G2=D:t,G1:t"] == 3
    (winner,) = (graph for role, graph in found if role == "final")
    assert winner in GRAPHS
    seeds = [trial.seed for trial in results.completed(study)]
    assert len(set(seeds)) == 12


def test_a_race_that_is_decided_ends_everywhere_with_what_was_begun(storage_url: str, tmp_path: Path) -> None:
    """Of two graphs one leads, and any lead counts here: 4 or a few more of the race's 10 runs, then 10 and 10."""
    two = [{"graph": graph, "estimate": 5.0, "luckiest": 6.0} for graph in GRAPHS[:2]]
    study = make_study(storage_url, 30, race_config(seeds=10, until=0.5000001, candidates=two))
    with Fleet(storage_url, tmp_path, 0.0, "race") as fleet:
        fleet.start(3)
        assert fleet.wait() == [0] * 3, fleet.log()
    budget = study.slots.budget()
    assert budget.finished and budget.done == budget.total < 30
    found = roles(study)
    race = sum(count for (role, _), count in found.items() if role == "race")
    assert budget.total == race + 20
    assert sum(count for (role, _), count in found.items() if role == "final") == 10


@pytest.mark.slow
def test_a_killed_worker_loses_no_run_of_a_race(storage_url: str, tmp_path: Path) -> None:
    study = make_study(storage_url, 12, race_config())
    with Fleet(storage_url, tmp_path, 0.2, "race") as fleet:
        doomed = fleet.start(1, orders="endless-from:0")
        wait_until(lambda: study.slots.budget().running == 1, "a run is begun")
        fleet.kill(doomed)
        fleet.start(2)
        assert fleet.wait()[1:] == [0, 0], fleet.log()
    trials = results.trials(study)
    assert [trial.state for trial in trials] == ["complete"] * 12
    assert Counter(trial.role for trial in trials) == {"race": 6, "final": 3, "baseline": 3}
    assert trials[0].graph == GRAPHS[0] and trials[0].role == "race"


def test_the_total_is_lowered_to_what_is_begun_and_never_raised(storage_url: str) -> None:
    study = make_study(storage_url, 5)
    slots = study.slots
    slots.lower_total(9)
    assert slots.budget().total == 5
    assert slots.claim("a", 60.0) is not None and slots.claim("b", 60.0) is not None
    slots.lower_total(1)
    assert slots.budget().total == 2
    assert slots.claim("c", 60.0) is None


def test_how_long_a_race_is_changes_no_fingerprint_and_who_runs_does() -> None:
    config = race_config()
    assert fingerprint(config) == fingerprint(race_config(seeds=20, until=0.9))
    assert fingerprint(config) != fingerprint(race_config(baselines=[]))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"until": 0.5}, "until"),
        ({"until": 1.0}, "until"),
        ({"seeds": 1}, "seeds"),
        ({"candidates": []}, "candidates"),
        ({"candidates": [{"graph": "G1=D:t", "estimate": 1.0, "luckiest": 1.0}] * 2}, "twice"),
        ({"baselines": [{"name": "x", "graph": "nonsense"}]}, "nonsense"),
    ],
)
def test_a_race_that_cannot_be_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        race_config(**settings)
    assert with_overrides(race_config(), {"search.trials": 7}).search.trials == 7
