"""`enqueue`: a graph into a running study, through the same slots and exactly once; read back by Optuna's own API."""

import json

import optuna
import pytest
from optuna.trial import TrialState

from colgan_search import presets
from colgan_search.api.enqueueing import enqueue
from colgan_search.cli.app import run
from colgan_search.errors import GraphError, StudyError
from colgan_search.search.proposing import propose
from colgan_search.search.study.opening import OpenStudy
from tests.fleet import fake_config, make_study
from tests.integration.cli_helpers import fake_study, fill, optuna_study, trials_of

MAD_GAN = "G1=D:t/G2=D:t"


@pytest.fixture
def study(prepared_url: str) -> OpenStudy:
    """Four results are wanted, one is there."""
    return fake_study(prepared_url, fake_config("fake"), total=4, done=1)


def _graphs(study: OpenStudy) -> list[str]:
    return [trial.user_attrs["graph"] for trial in trials_of(study.storage.url_with_password, study.name)]


def test_it_takes_a_slot_and_is_the_next_trial(study: OpenStudy, capsys: pytest.CaptureFixture[str]) -> None:
    url = study.storage.url_with_password
    assert run(["enqueue", "mad-gan", "--storage", url, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"study": "fake", "graph": MAD_GAN, "trials": [1], "total": 4, "grown": False, "done": 1}
    waiting = optuna_study(url, "fake").get_trials(states=[TrialState.WAITING])
    assert [trial.system_attrs["fixed_params"] for trial in waiting] == [
        {"D->G1": "through", "D->G2": "through", "G2->G1": "cutoff", "G1->G2": "cutoff"}
    ]
    fill(study, 9)
    trials = trials_of(url, "fake")
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 4
    assert trials[1].user_attrs["graph"] == MAD_GAN
    assert trials[1].params == waiting[0].system_attrs["fixed_params"]
    assert study.slots.bound_trials() == {0: 0, 1: 1, 2: 2, 3: 3}


def test_with_grow_it_comes_on_top(study: OpenStudy, capsys: pytest.CaptureFixture[str]) -> None:
    url = study.storage.url_with_password
    assert run(["enqueue", MAD_GAN, "--times", "2", "--grow", "--storage", url]) == 0
    assert "waits as trials 1 to 2 of study fake; the study's total grew to 6" in capsys.readouterr().out
    fill(study, 9)
    assert study.slots.budget().done == study.slots.budget().total == 6
    assert _graphs(study)[1:3] == [MAD_GAN, MAD_GAN]
    seeds = {trial.user_attrs["seed"] for trial in trials_of(url, "fake")}
    assert len(seeds) == 6  # each its own


def test_only_slots_that_nobody_has_begun_can_be_taken(study: OpenStudy) -> None:
    url = study.storage.url_with_password
    leased = study.slots.claim("elsewhere:1:00000001", 60.0)
    assert leased is not None
    enqueue(MAD_GAN, "fake", storage=url)
    with pytest.raises(StudyError, match=r"1 of the study's 4 slots are left to be taken, and 2 are asked for; with `"):
        enqueue(MAD_GAN, "fake", times=2, storage=url)
    enqueue(MAD_GAN, "fake", storage=url)
    with pytest.raises(StudyError, match="0 of the study's 4 slots"):
        enqueue(MAD_GAN, "fake", storage=url)
    assert len(trials_of(url, "fake")) == 3 and study.slots.budget().total == 4
    propose.assign(study, leased)
    fill(study, 9)
    assert _graphs(study).count(MAD_GAN) >= 2
    assert study.slots.budget().done == 3  # the leased one is its worker's


def test_a_study_that_is_done_can_grow(prepared_url: str) -> None:
    study = fake_study(prepared_url, fake_config("fake"), total=1, done=1)
    with pytest.raises(StudyError, match="0 of the study's 1 slots are left"):
        enqueue(MAD_GAN, storage=prepared_url)
    assert enqueue(MAD_GAN, storage=prepared_url, grow=True).total == 2
    fill(study, 9)
    assert _graphs(study)[1:] == [MAD_GAN]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["G1=D:t/G2=D:t/G3=D:t"], "k = 3"),
        (["G1=D:p/G2=D:t"], "uses the gates ['positive']; the study has only through, cutoff"),
        (["nonsense"], "'nonsense'"),
        ([MAD_GAN, "--times", "0"], "--times"),
        ([MAD_GAN, "--study", "other"], "there is no study 'other'"),
    ],
)
def test_what_is_not_of_the_study_is_refused_in_one_line(
    words: list[str], said: str, prepared_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = fake_config("fake", search={"gates": ["through", "cutoff"]})
    study = make_study(prepared_url, 2, config)
    assert run(["enqueue", *words, "--storage", prepared_url]) == 2
    told = capsys.readouterr().err
    assert said in told and "Traceback" not in told
    assert optuna.load_study(study_name="fake", storage=study.storage.optuna).trials == []


def test_a_confirmation_takes_none(prepared_url: str) -> None:
    race = {"study": "s", "trials": 1, "epochs": 1, "candidates": [{"graph": MAD_GAN, "estimate": 1, "luckiest": 1}]}
    config = fake_config("race", search={"sampler": "race", "sampler_settings": race})
    make_study(prepared_url, 2, config)
    with pytest.raises(StudyError, match="is a confirmation"):
        enqueue(MAD_GAN, storage=prepared_url)


def test_a_graph_as_an_object_of_another_roster_is_refused(prepared_url: str) -> None:
    make_study(prepared_url, 2, fake_config("fake"))
    with pytest.raises(GraphError, match="study 'fake' is of"):
        enqueue(presets.resolve("G1=D:t/G2=D:t/G3=D:t"), storage=prepared_url)
