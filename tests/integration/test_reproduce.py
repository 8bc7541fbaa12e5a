"""`reproduce`: the studies behind a table, and the table itself, against the values that Optuna has."""

import csv
import io
import json
import statistics
import threading
from pathlib import Path

import optuna
import pytest

from colgan_search.api import figures
from colgan_search.api.launching import LaunchRequest
from colgan_search.api.paper_tables import TABLES
from colgan_search.api.reports import as_csv, as_json, markdown
from colgan_search.api.reproduced_figures import draw_paper_figures, run_figures
from colgan_search.api.reproducing import Reproduction, gather, run_table
from colgan_search.config import load_config, shipped_configs
from colgan_search.errors import BadInput, StorageError
from colgan_search.experiment import check_config
from colgan_search.files import WorkFolder
from colgan_search.presets import preset
from colgan_search.search.storage import open_storage
from colgan_search.search.study import create_or_open
from colgan_search.search.worker import Worker
from tests.fake_worker import FakeExperiment


def work(request: LaunchRequest) -> None:
    """What a launch does, with the fake experiment."""
    assert request.storage is not None and request.trials is not None
    storage = open_storage(request.storage, create=True)
    study = create_or_open(storage, request.config, request.config.name, request.trials)
    study.slots.set_total(request.trials)
    assert Worker(study, FakeExperiment(0.0), WorkFolder(request.work_dir), "fake", threading.Event()).run().finished
    storage.close()


def values(url: str, study: str) -> list[float]:
    """All values of a study, by Optuna itself, in the order of trial numbers."""
    storage = open_storage(url)
    trials = optuna.load_study(study_name=study, storage=storage.optuna).trials
    storage.close()
    return [trial.value for trial in trials if trial.value is not None]


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
    run_table(wanted, work)
    rows = gather(wanted)
    for row, spec in zip(rows, TABLES["table1"], strict=True):
        config = load_config(spec.config_name("digits"))
        ours = values(url, config.name)
        assert len(ours) == 3 and len(set(ours)) == 3, "every seed its own score"
        assert row.state == "complete" and row.seeds == 3
        assert row.our_is == pytest.approx(sum(ours) / 3)
        assert row.our_is_std_over_seeds == pytest.approx(statistics.stdev(ours))
        assert row.graph == preset(config.search.first[0], config.k).to_text()
    more = Reproduction("table1", "digits", seeds=5, storage=url, work_dir=tmp_path)
    assert {row.state for row in gather(more)} == {"3 of 5 seeds"}
    text = markdown(wanted, rows, None)
    assert f"| 4.57 ± 0.03 | 25.79 | {rows[0].our_is:.2f} ± {rows[0].our_is_std_over_seeds:.2f} |" in text
    assert [float(line["our_is"]) for line in csv.DictReader(io.StringIO(as_csv(rows)))] == [r.our_is for r in rows]
    assert json.loads(as_json(wanted, rows, None))["rows"][3]["our_is"] == rows[3].our_is


def test_a_searchs_best_graph_is_trained_again_with_new_seeds(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    wanted = Reproduction("table3", "digits", seeds=2, trials=6, storage=url, work_dir=tmp_path)
    run_table(wanted, work)
    row = gather(wanted)[1]
    searched, again = (values(url, f"paper-digits-table3-proposed{end}") for end in ("", "-again"))
    assert (row.search_trials, row.search_best_is) == (6, max(searched))
    assert row.our_is == pytest.approx(sum(again) / 2) and not set(again) & set(searched)
    assert row.state == "complete"


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
        assert config.search.trials == (1500 if row.search else 3)
        assert config.network.discriminator_norm == ("batch" if row.label == "DCGAN" else "spectral")


def test_figures_after_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With made-up results: what needs trained generators is not drawn and says why, the rest is."""
    url = f"sqlite:///{tmp_path}/s.db"
    wanted = Reproduction("table3", "digits", seeds=2, trials=6, storage=url, work_dir=tmp_path / "work")
    out = tmp_path / "figures"
    with pytest.raises(StorageError):
        draw_paper_figures(wanted, out)
    run_figures(wanted, work)
    assert {len(values(url, f"paper-digits-table2-{name}")) for name in ("image", "input-side", "output-side")} == {6}
    boxes: list[dict[str, list[float]]] = []
    draw = figures.draw_trials_boxplot
    monkeypatch.setattr(figures, "draw_trials_boxplot", lambda box, paths: (boxes.append(box), draw(box, paths)))
    drawn = draw_paper_figures(wanted, out)
    for folder, names in (("table2", ["figure7"]), ("table3", ["figure7", "figure8"])):
        for name in names:
            (files,) = [files for key, files in drawn[folder].files.items() if key.startswith(name)]
            assert {file.suffix for file in files} == {".png", ".svg", ".pdf"}
            assert all(file.stat().st_size > 1000 for file in files)
    assert {label: sorted(box) for label, box in boxes[0].items()} == {
        "image transfer": sorted(values(url, "paper-digits-table2-image")),
        "feature transfer\nlayers 1, 2": sorted(values(url, "paper-digits-table2-input-side")),
        "feature transfer\nlayers 2, 3": sorted(values(url, "paper-digits-table2-output-side")),
    }, "one box per transfer method"
    assert {name[:7] for name in drawn["table3"].missing} >= {"figure5", "figure6"}
