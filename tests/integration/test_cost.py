"""What a trial costs: counts of statements and round trips, which are the same on a busy machine; never times."""

import threading
from collections.abc import Iterator
from dataclasses import astuple
from itertools import pairwise
from pathlib import Path

import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState

from benchmarks.filling import fill
from benchmarks.metering import Counts, metering
from colgan_search.extensions.samplers import SAMPLERS
from colgan_search.file_names import WorkFolder
from colgan_search.roster import Roster
from colgan_search.search.care.housekeeping import tidy
from colgan_search.search.optuna_private import trial_rows
from colgan_search.search.proposing import ask_lock, propose, space
from colgan_search.search.proposing.history import BEST, History
from colgan_search.search.proposing.sampler import sampler_seed
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.worker import Worker
from tests.fake_worker import FakeExperiment
from tests.fleet import fake_config, make_study, optuna_trials

LOCKED_ROUND_TRIPS, STATEMENTS, ROUND_TRIPS = 27, 40, 90
"""`graph` reads every generator's score and the study's total too: 26 under the lock, `tpe` 24."""


def _cost(study: OpenStudy, work: Path) -> tuple[int, ...]:
    """Of a trial that a real worker does, after its first one: the one with fewest; a busy machine only adds."""
    moments: list[Counts] = []
    folder = WorkFolder(work)
    with metering() as counts:

        def accepted(_: int) -> None:
            tidy(study, folder)
            moments.append(Counts(*astuple(counts)))

        Worker(study, FakeExperiment(0.0), folder, "cpu", threading.Event(), accepted).run()
    counted = map(astuple, moments)
    trials = [tuple(b - a for a, b in zip(x, y, strict=True)) for x, y in pairwise(counted)]
    return min(trials)


@pytest.mark.parametrize("sampler", ["graph", "tpe", "random"])
def test_a_trials_statements_and_round_trips_do_not_grow_with_the_study(
    sampler: str, prepared_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask_lock, "LEASE_SECONDS", 600.0)  # on a busy machine a proposal may take long enough to renew
    costs = {}
    for filled in (20, 400):
        config = fake_config(f"s{filled}", k=3, search={"sampler": sampler}, service={"lease_seconds": 600.0})
        study = make_study(prepared_postgres_url, filled + 4, config)
        fill(study, filled)
        costs[filled] = _cost(study, tmp_path)
        study.storage.close()
    statements, round_trips, locked_statements, locked_round_trips = costs[400]
    assert costs[20] == costs[400], costs
    assert 0 < locked_statements <= locked_round_trips < LOCKED_ROUND_TRIPS
    assert statements <= STATEMENTS and round_trips <= ROUND_TRIPS


@pytest.fixture
def filled(prepared_url: str) -> Iterator[OpenStudy]:
    """A study of 60 finished trials, with room for more."""
    study = make_study(prepared_url, 100, fake_config(k=2, search={"sampler": "tpe"}))
    fill(study, 60)
    yield study
    study.storage.close()


def test_what_is_read_past_optuna_is_what_optuna_reads(filled: OpenStudy, prepared_url: str) -> None:
    """Also of trials of other kinds than ours: enqueued, failed, running, infinite, of another space."""
    theirs = filled.load()
    theirs.enqueue_trial({"D->G1": "through"})
    theirs.tell(theirs.ask(), state=TrialState.FAIL)
    space.suggest_graph(theirs.ask(), Roster(2), filled.config.search.gates)
    infinite = theirs.ask()
    infinite.suggest_float("x", 0.0, 1.0)
    theirs.tell(infinite, float("inf"))
    with filled.storage.engine.connect() as db:
        number = trial_rows.study_id(db, filled.name, filled.uid)
        read = trial_rows.read(db, trial_rows.newer(number, -1, ()), "here", ("graph", "seed"))
    expected = optuna_trials(prepared_url)
    assert len(read) == len(expected) == 63
    for mine, optunas in zip(read, expected, strict=True):
        assert (mine.number, mine._trial_id, mine.state) == (optunas.number, optunas._trial_id, optunas.state)
        assert (mine.values, mine.params, mine.distributions) == (optunas.values, optunas.params, optunas.distributions)
        assert mine.system_attrs == optunas.system_attrs
        assert mine.user_attrs == {
            key: optunas.user_attrs[key] for key in ("graph", "seed") if key in optunas.user_attrs
        }


@pytest.mark.parametrize("count", [0, 9, 10, 60])
def test_proposals_are_those_of_optunas_own_sampler(count: int, prepared_url: str) -> None:
    """With the same seed, after the same trials, and one that runs."""
    config = fake_config(k=2, search={"sampler": "tpe"})
    study = make_study(prepared_url, 100, config)
    fill(study, count)
    claims = [study.slots.claim(f"w{i}", 60.0) for i in range(2)]
    for claim in claims:
        assert claim is not None
        before = optuna_trials(prepared_url)
        mine = propose.assign(study, claim)
        memory = optuna.create_study(direction="maximize")
        memory.add_trials(before)
        memory.sampler = TPESampler(n_startup_trials=10, seed=sampler_seed(config.seed, claim.slot))
        theirs = space.suggest_graph(memory.ask(), Roster(2), config.search.gates)
        assert mine.graph == theirs
    study.storage.close()


def test_a_written_trial_is_as_optuna_would_have_written_it(filled: OpenStudy, prepared_url: str) -> None:
    claim = filled.slots.claim("w", 60.0)
    assert claim is not None
    propose.assign(filled, claim)
    theirs = filled.load().ask()
    space.suggest_graph(theirs, Roster(2), filled.config.search.gates)
    mine, optunas = optuna_trials(prepared_url)[-2:]
    assert mine.number == 60 and mine.state == optunas.state == TrialState.RUNNING
    assert mine.distributions == optunas.distributions and list(mine.params) == list(optunas.params)
    assert mine.datetime_start is not None and optunas.datetime_start is not None
    assert abs((mine.datetime_start - optunas.datetime_start).total_seconds()) < 600


class TestModelled:
    """Of a very long study TPE sees the best and the latest trials."""

    def _history(self, study: OpenStudy) -> tuple[History, list[FrozenTrial]]:
        read = History(study)
        assert read.refresh() == 60
        return read, [trial for trial in optuna_trials_of(study) if trial.state == TrialState.COMPLETE]

    def test_all_of_a_study_of_usual_length(self, filled: OpenStudy) -> None:
        read, trials = self._history(filled)
        assert [t.number for t in read.modelled(60)] == [t.number for t in read.modelled(None)] == list(range(60))
        assert len(trials) == 60

    def test_the_best_and_the_latest_of_a_long_one(self, filled: OpenStudy, monkeypatch: pytest.MonkeyPatch) -> None:
        read, trials = self._history(filled)
        numbers = [trial.number for trial in read.modelled(BEST + 10)]
        best = sorted(trials, key=lambda t: -t.value)[:BEST]  # type: ignore[operator]
        assert set(numbers) == {trial.number for trial in best} | set(range(50, 60))
        assert numbers == sorted(numbers)

    def test_the_default_is_beyond_the_papers_1500(self) -> None:
        assert (SAMPLERS.get("tpe").learns_from or 0) >= 1500

    def test_a_finished_trial_is_read_once(self, filled: OpenStudy) -> None:
        read, _ = self._history(filled)
        assert read.refresh() == 0
        running = filled.load().ask()
        assert [read.refresh(), read.refresh()] == [1, 1]
        filled.load().tell(running, state=TrialState.FAIL)
        assert [read.refresh(), read.refresh()] == [1, 0]


def optuna_trials_of(study: OpenStudy) -> list[FrozenTrial]:
    return study.load().get_trials()


def test_a_trial_of_another_space_is_not_modelled(filled: OpenStudy) -> None:
    study = filled.load()
    study.tell(study.ask({"x": optuna.distributions.FloatDistribution(0.0, 1.0)}), 99.0)
    read = History(filled)
    read.refresh()
    assert [trial.number for trial in read.modelled(None)] == list(range(60))
    claim = filled.slots.claim("w", 60.0)
    assert claim is not None
    assert propose.assign(filled, claim).trial_number == 61
