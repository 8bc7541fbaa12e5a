"""`reproduce`: the studies behind a table, and the table itself, against the values that Optuna has."""

import csv
import io
import json
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from colgan_search.api.launching import LaunchRequest
from colgan_search.config import load_config, shipped_configs
from colgan_search.errors import BadInput
from colgan_search.experiment import check_config
from colgan_search.presets import preset
from colgan_search.reproduction.paper_tables import TABLES
from colgan_search.reproduction.reports import report
from colgan_search.reproduction.running import Reproduction, run_table
from tests.integration.reproduce_helpers import Scored, gather, studies, values, work


def test_nothing_run_says_so(tmp_path: Path) -> None:
    wanted = Reproduction("table1", "digits", work_dir=tmp_path, storage=f"sqlite:///{tmp_path}/none.db")
    rows = gather(wanted)
    assert [row.state for row in rows] == ["not run"] * 4
    assert [row.printed_is for row in rows] == [4.57, 4.77, 4.81, 5.10]
    assert all(row.our_is is None for row in rows)
    assert not (tmp_path / "none.db").exists()


def test_a_table_of_given_graphs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    wanted = Reproduction("table1", "digits", seeds=3, storage=url, work_dir=tmp_path)
    assert run_table(wanted, work)
    rows = gather(wanted)
    for row, spec in zip(rows, TABLES["table1"], strict=True):
        config = load_config(spec.config_name("digits"))
        ours = values(url, config.name)
        assert len(ours) == 3 and len(set(ours)) == 3, "every seed its own score"
        assert row.state == "complete" and row.seeds == 3
        assert row.our_is == pytest.approx(sum(ours) / 3)
        assert row.our_is_std_over_seeds == pytest.approx(statistics.stdev(ours))
        assert row.graph == preset(config.search.first[0], config.roster).to_text()
    more = replace(wanted, seeds=5)
    assert {row.state for row in gather(more)} == {"3 of 5 seeds"}
    made = report(wanted)
    text = made.markdown()
    assert f"| 4.57 ± 0.03 | 25.79 | {rows[0].our_is:.2f} ± {rows[0].our_is_std_over_seeds:.2f} |" in text
    lines = list(csv.DictReader(io.StringIO(made.csv())))
    assert [float(line["our_is"]) for line in lines[:4]] == [row.our_is for row in rows]
    assert json.loads(made.json())["rows"][3]["our_is"] == rows[3].our_is


@pytest.mark.slow
def test_more_seeds_go_on_where_fewer_ended(tmp_path: Path) -> None:
    """A study of 3 trainings gets the fourth and fifth: the first three stay what they are."""
    url = f"sqlite:///{tmp_path}/s.db"
    three = Reproduction("table1", "digits", seeds=3, storage=url, work_dir=tmp_path)
    run_table(three, work)
    before = {name: values(url, name) for name in studies(url)}
    five = replace(three, seeds=5)
    run_table(five, work)
    for row in gather(five):
        ours = values(url, str(row.study))
        assert len(ours) == len(set(ours)) == 5 and ours[:3] == before[str(row.study)]
        assert (row.state, row.seeds, row.our_is) == ("complete", 5, pytest.approx(statistics.fmean(ours)))
        assert len({seed.seed for seed in row.per_seed}) == 5


@pytest.mark.slow
def test_table_3_repeats_table_1s_dcgans(tmp_path: Path) -> None:
    """The paper prints them twice, digit for digit: they are trained once."""
    url = f"sqlite:///{tmp_path}/s.db"
    table1 = Reproduction("table1", "digits", seeds=2, storage=url, work_dir=tmp_path)
    run_table(table1, work)
    table3 = replace(table1, table="table3", trials=3)
    asked: list[LaunchRequest] = []
    run_table(table3, lambda request: work(request) and not asked.append(request))
    assert len(studies(url)) == 4 + 3 and len(values(url, "paper-digits-table1-dcgan")) == 2
    command = {"command": ""}
    ours = [replace(row, **command) for row in gather(table3)[:2]]
    assert ours == [replace(row, **command) for row in gather(table1)[:2]]
    assert {row.weights for row in ours} == {"best"}
    assert "at the end of learning" in report(table3).markdown()


def test_a_searchs_best_graph_is_trained_again_with_new_seeds(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    wanted = Reproduction("table3", "digits", seeds=2, trials=6, storage=url, work_dir=tmp_path)
    assert run_table(wanted, work)
    *_, winning, row = gather(wanted)
    searched = values(url, "paper-digits-table3-proposed")
    (name,) = [name for name in studies(url) if "-again-" in name]
    again = values(url, name)
    assert (row.search_trials, row.study, row.kind) == (6, name, "trained again")
    assert row.our_is == pytest.approx(sum(again) / 2) and not set(again) & set(searched)
    assert (winning.kind, winning.our_is, winning.seeds) == ("winning trial", max(searched), 1)
    assert winning.graph == row.graph and winning.study == "paper-digits-table3-proposed"
    assert winning.flattered_by == pytest.approx(max(searched) - sum(again) / 2)
    assert {winning.state, row.state} == {"search 6 of 40 trials"}, "the config's search has 40"
    assert (winning.printed_is, row.printed_is) == (5.37, None), "the paper prints the winning trial"
    made = report(wanted)
    text, data = made.markdown(), json.loads(made.json())
    assert (
        f"| proposed (k = 3), winning trial | 5.37 ± 0.09 | 23.77 | {max(searched):.2f} |  |  | 1, best of 6 |" in text
    )
    assert f"| proposed (k = 3), trained again |  |  | {sum(again) / 2:.2f} ± " in text
    assert f"flattered by {max(searched) - sum(again) / 2:+.2f}" in text
    assert data["rows"][3]["flattered_by"] == winning.flattered_by
    answers = {claim["question"]: claim["answer"] for claim in data["claims"]}
    assert answers["Is MAD-GAN (k = 3) hardly better than one DCGAN with SN?"] == "not run", "real images not scored"
    assert answers["Does spectral norm help?"] in ("yes", "no", "not to be told apart")
    for question, said in answers.items():
        assert f"| {question} |" in text and f"| **{said}** |" in text
    for sentence in ("8.70", "11.24", "only rows can be compared with rows", "digits scale"):
        assert sentence in text and sentence in data["notes"][0]


@pytest.mark.slow
def test_an_extended_search_with_another_best_graph(tmp_path: Path) -> None:
    """The old best graph's study stays what it is, and the new one gets its own."""
    url = f"sqlite:///{tmp_path}/s.db"
    wanted = Reproduction("table3", "digits", seeds=2, trials=6, storage=url, work_dir=tmp_path)
    search = "paper-digits-table3-proposed"
    scored = Scored(values={6: 9.999})
    run_table(wanted, lambda request: work(request, scored))
    before = gather(wanted)[-1]
    work(wanted.request(load_config("paper-digits/table3-proposed"), 7), scored)
    *_, winning, row = gather(wanted)
    assert (row.search_trials, winning.our_is, winning.flattered_by, row.our_is) == (7, 9.999, None, None)
    assert winning.state == "search 7 of 40 trials"
    assert row.state == "search 7 of 40 trials, best graph not trained again"
    assert row.graph != before.graph
    run_table(wanted, lambda request: work(request, scored))
    row = gather(wanted)[-1]
    names = [name for name in studies(url) if name.startswith(f"{search}-again-")]
    assert len(names) == 2 and {len(values(url, name)) for name in names} == {2}
    assert all(len(name.removeprefix(f"{search}-again-")) == 8 for name in names)
    assert row.our_is == pytest.approx(statistics.fmean(values(url, str(row.study)))) and row.study != before.study


@pytest.mark.slow
def test_fewer_than_there_are_is_not_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    wanted = Reproduction("table3", "digits", seeds=4, trials=6, storage=url, work_dir=tmp_path)
    run_table(wanted, work)
    before = {name: values(url, name) for name in studies(url)}
    fewer = replace(wanted, seeds=2, trials=5)
    assert run_table(fewer, work)
    assert {name: values(url, name) for name in studies(url)} == before, "nothing more was run"
    *_, mad_gan, _, proposed = gather(fewer)
    first = before["paper-digits-table3-mad-gan"][:2]
    assert (mad_gan.seeds, mad_gan.state) == (2, "complete")
    assert mad_gan.our_is == pytest.approx(statistics.fmean(first))
    assert (proposed.seeds, proposed.search_trials) == (2, 6)


def test_this_machines_paths_reach_every_launch(tmp_path: Path) -> None:
    asked: list[LaunchRequest] = []

    def only_ask(request: LaunchRequest) -> bool:
        asked.append(request)
        return False

    wanted = Reproduction(
        "table3", "paper", work_dir=tmp_path, data_root="/carried/cifar10", weights="/carried/inception.pth"
    )
    assert not run_table(wanted, only_ask)
    dcgans = ["paper-table1-dcgan", "paper-table1-dcgan-sn"]
    assert [request.config.name for request in asked] == [*dcgans, "paper-table3-mad-gan", "cifar10"]
    assert {request.config.data.root for request in asked} == {"/carried/cifar10"}
    assert {request.config.evaluation.weights for request in asked} == {"/carried/inception.pth"}


@pytest.mark.parametrize("change", [{"table": "table9"}, {"seeds": 0}, {"trials": 0}])
def test_bad_input(change: dict[str, object], tmp_path: Path) -> None:
    wanted = Reproduction(**{"table": "table1", "scale": "digits", "work_dir": tmp_path} | change)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match=str(next(iter(change.values())))):
        gather(wanted)


@pytest.mark.parametrize("name", [name for name in shipped_configs() if name.startswith("paper")])
def test_every_row_has_a_config_that_fits_the_paper(name: str) -> None:
    config = load_config(name)
    check_config(config)
    row = {row.config: row for rows in TABLES.values() for row in rows}[name.split("/")[1]]
    assert (config.search.sampler == "repeat") is not row.search
    if name.startswith("paper/"):
        assert (config.data.size, config.network.width, config.network.z) == (64, 64, 100)
        assert (config.training.batch, config.transfer.alpha) == (256, 1000.0)
        assert config.training.epochs == (50 if row in TABLES["table2"] else 200)
        assert config.evaluation.point == ("best" if row in TABLES["table1"] else "last")
        assert (config.evaluation.images, config.evaluation.splits) == (50_000, 10)
        assert config.search.trials == (1500 if row.search else 5)
        assert config.network.discriminator_norm == ("batch" if row.label == "DCGAN" else "spectral")
