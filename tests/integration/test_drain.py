"""All workers of a study drain by one mark in its database, and go on when it is lifted."""

import json
import threading
from pathlib import Path

import pytest

from benchmarks.metering import Counts, metering
from colgan_search.cli.app import run
from colgan_search.file_names import WorkFolder
from colgan_search.search.budget import draining
from colgan_search.search.budget.slot_records import Budget
from colgan_search.search.budget.slots import Slots
from colgan_search.search.care.copying import copy_study
from colgan_search.search.study.shared_files import SharedFiles
from colgan_search.search.worker import Worker
from tests.fake_worker import FakeExperiment
from tests.fleet import DRAIN_SECONDS, Fleet, assert_exact, at_work, fake_config, make_study, rows_of, wait_until
from tests.integration.cli_helpers import answer
from tests.integration.slots_helpers import LEASE, claim_for


def test_a_renewal_hears_of_it_and_no_slot_is_given_out(four: Slots) -> None:
    claim = claim_for(four, "w")
    heard: list[bool] = []
    assert four.renew(claim, LEASE, lambda: heard.append(True)) is True and heard == []
    draining.ask(four.storage, four.uid)
    draining.ask(four.storage, four.uid)  # once more is no error
    assert four.renew(claim, LEASE, lambda: heard.append(True)) is True and heard == [True]
    assert four.claim("v", LEASE) is None and four.claim("w", LEASE) is None
    assert four.budget() == Budget(total=4, done=0, running=1, free=0, failed=0, draining=True)
    assert four.accept(claim, "result") is True, "what is finished counts"
    assert draining.lift(four.storage, four.uid) is True
    assert draining.lift(four.storage, four.uid) is False
    assert claim_for(four, "v").slot == 1


def test_a_renewal_costs_no_statement_more_for_it(four: Slots) -> None:
    claim = claim_for(four, "w")

    def cost() -> Counts:
        with metering() as counts:
            four.renew(claim, LEASE)
        return counts

    before = cost()
    draining.ask(four.storage, four.uid)
    assert cost() == before and before.statements <= 4, "BEGIN too on SQLite"


def test_another_study_of_the_database_works_on(four: Slots) -> None:
    other = Slots(four.storage, "other")
    other.begin_study(1)
    draining.ask(four.storage, four.uid)
    assert claim_for(other, "w").slot == 0 and not other.budget().draining


def test_the_mark_is_no_shared_file_and_is_not_copied(prepared_url: str, tmp_path: Path) -> None:
    study = make_study(prepared_url, 2)
    draining.ask(study.storage, study.uid)
    assert SharedFiles(study).pull(tmp_path) == []
    copy = copy_study(study, study.storage, "copy")
    assert study.slots.budget().draining and not copy.slots.budget().draining
    study.storage.close()


def test_a_worker_that_comes_leaves_at_once(prepared_url: str, tmp_path: Path) -> None:
    study = make_study(prepared_url, 2)
    draining.ask(study.storage, study.uid)
    worked = Worker(study, FakeExperiment(0.0), WorkFolder(tmp_path), "cpu", threading.Event()).run()
    assert (worked.accepted, worked.finished) == (0, False)
    draining.lift(study.storage, study.uid)
    assert Worker(study, FakeExperiment(0.0), WorkFolder(tmp_path), "cpu", threading.Event()).run().finished
    study.storage.close()
    assert_exact(prepared_url, 2)


def test_the_command_asks_waits_and_lifts(
    prepared_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], quiet_process: None
) -> None:
    make_study(prepared_url, 2).storage.close()
    monkeypatch.setenv("COLGAN_STORAGE", prepared_url)
    assert "no worker is at work" in answer(capsys, "drain", "--study", "fake", "--wait")
    assert json.loads(answer(capsys, "status", "--json"))["draining"] is True
    assert json.loads(answer(capsys, "drain", "--json"))["workers"] == 0
    assert "may work again" in answer(capsys, "drain", "--lift")
    assert json.loads(answer(capsys, "status", "--json"))["draining"] is False
    assert run(["drain", "--study", "nobody"]) == 2
    assert "there is no study 'nobody'" in capsys.readouterr().err


@pytest.mark.slow
def test_workers_in_several_places_leave_with_their_trials_given_back_and_go_on(
    prepared_postgres_url: str, tmp_path: Path
) -> None:
    study = make_study(prepared_postgres_url, 6, fake_config(service={"lease_seconds": 4.0}))
    go = tmp_path / "go"
    config = study.config
    with (
        Fleet(prepared_postgres_url, tmp_path / "a", 0.1, orders=f"until:{go}", log_dir=tmp_path) as one,
        Fleet(prepared_postgres_url, tmp_path / "b", 0.1, orders=f"until:{go}") as two,
    ):
        (tmp_path / "b").mkdir()
        one.start(2)
        two.start()
        wait_until(lambda: at_work(prepared_postgres_url) == 3, "all three have a trial")
        draining.ask(study.storage, study.uid)
        assert one.wait(DRAIN_SECONDS) == [0, 0] and two.wait(DRAIN_SECONDS) == [0], one.log() + two.log()
    states = rows_of(prepared_postgres_url, "SELECT state FROM colgan_slots ORDER BY slot")
    assert states == 3 * [("free",)], "given back, not left to run out"
    go.touch()
    draining.lift(study.storage, study.uid)
    study.storage.close()
    with Fleet(prepared_postgres_url, tmp_path / "a", 0.1, log_dir=tmp_path) as again:
        again.start(2)
        assert again.wait() == [0, 0], again.log()
    assert_exact(prepared_postgres_url, 6, config=config)
