"""`reproduce figures`: what can be drawn is drawn, what is absent says why, and a record says what each shows."""

import json
from pathlib import Path

import pytest

from colgan_search.api import figures
from colgan_search.api.reproduced_figures import draw_paper_figures, run_figures
from colgan_search.api.reproducing import Reproduction, run_table
from colgan_search.cli.app import run
from colgan_search.config import load_config
from colgan_search.errors import DataError, StorageError
from colgan_search.experiment import GENERATORS_FILE
from colgan_search.files import WorkFolder
from colgan_search.gan.networks import build_generator
from colgan_search.gan.weights import save_generators
from colgan_search.search import results
from colgan_search.search.storage import open_storage
from colgan_search.search.study import open_study
from tests.integration.reproduce_helpers import values, work

pytestmark = pytest.mark.slow

PROPOSED, MAD_GAN = "paper-digits-table3-proposed", "paper-digits-table3-mad-gan"


def wanted_in(tmp_path: Path, **what: object) -> Reproduction:
    url = f"sqlite:///{tmp_path}/s.db"
    return Reproduction("table3", "digits", 2, 6, url, tmp_path / "work", **what)  # type: ignore[arg-type]


def leave_generators(wanted: Reproduction, study: str, config: str) -> Path:
    """Untrained generators in the run folder of a study's best trial."""
    storage = open_storage(str(wanted.storage))
    number = results.best(open_study(storage, study)).number
    storage.close()
    settings = load_config(config)
    made = [
        build_generator(settings.network, size=settings.data.size, channels=settings.data.channels, seed=number)
        for number in range(settings.k)
    ]
    file = WorkFolder(wanted.work_dir).run(study, number) / GENERATORS_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    save_generators(file, made)
    return file


def test_figures_after_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With made-up results: what needs trained generators is not drawn and says why, the rest is."""
    wanted = wanted_in(tmp_path, command="colgan-search reproduce figures --scale digits")
    url, out = str(wanted.storage), tmp_path / "figures"
    assert run_figures(wanted, work)
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
    record = json.loads((out / "figures.json").read_text())
    assert record["command"] == wanted.command
    box = record["folders"]["table2"]["figures"]["figure7-trials"]
    assert box["seeds"] == 18 and len(box["studies"]) == 3
    assert all((out / file).is_file() for file in box["files"])
    assert record["folders"]["table3"]["missing"] == drawn["table3"].missing
    searched = values(url, PROPOSED)
    study = record["studies"][PROPOSED]
    assert (study["trials"], study["best_trial"], study["weights"]) == (6, searched.index(max(searched)), "last")
    assert study["protocol"]["extractor"] == "classifier"


def test_a_study_that_was_not_run_is_missing_alone(tmp_path: Path) -> None:
    wanted = wanted_in(tmp_path)
    for name in ("table2-image", "table2-output-side"):
        work(wanted.request(load_config(f"paper-digits/{name}"), 6))
    drawn = draw_paper_figures(wanted, tmp_path / "figures")
    assert "figure7-trials" in drawn["table2"].files
    reason = drawn["table2"].missing["figure7-trials (table2-input-side)"]
    assert "paper-digits-table2-input-side was not run" in reason and "reproduce table2 --scale digits" in reason
    assert drawn["table3"].files == {}
    assert set(drawn["table3"].missing) >= {"figure5-samples", "figure6-tsne", "figure8-graph"}
    assert all(f"{PROPOSED} was not run" in reason for reason in drawn["table3"].missing.values())


def test_mad_gans_half_of_figure_6(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panels: list[list[str]] = []
    monkeypatch.setattr(figures, "draw_tsne", lambda systems, paths: panels.append(list(systems)))
    wanted = wanted_in(tmp_path)
    work(wanted.request(load_config("paper-digits/table3-proposed"), 3))
    leave_generators(wanted, PROPOSED, "paper-digits/table3-proposed")
    (half,) = [v for k, v in draw_paper_figures(wanted, tmp_path / "a")["table3"].missing.items() if "figure6" in k]
    assert f"{MAD_GAN} was not run" in half
    run_table(wanted, work)
    leave_generators(wanted, PROPOSED, "paper-digits/table3-proposed")
    drawn = draw_paper_figures(wanted, tmp_path / "b")["table3"]
    (half,) = [reason for name, reason in drawn.missing.items() if "figure6" in name]
    assert MAD_GAN in half and "not in" in half and "worker" in half
    assert {"figure5-samples", "figure6-tsne"} <= set(drawn.files)
    file = leave_generators(wanted, MAD_GAN, "paper-digits/table3-mad-gan")
    whole = file.read_bytes()
    file.write_bytes(whole[:100])
    drawn = draw_paper_figures(wanted, tmp_path / "d")["table3"]
    assert [name[:7] for name in drawn.missing] == ["figure6"] and "figure5-samples" in drawn.files
    assert "cannot be read" in next(iter(drawn.missing.values()))
    file.write_bytes(whole)
    drawn = draw_paper_figures(wanted, tmp_path / "c")["table3"]
    assert not drawn.missing
    assert [len(systems) for systems in panels] == [1, 1, 1, 2]
    figure = json.loads((tmp_path / "c" / "figures.json").read_text())["folders"]["table3"]["figures"]["figure6-tsne"]
    assert figure["studies"] == [PROPOSED, MAD_GAN] and figure["seeds"] == 2


def test_broken_generators_do_not_take_the_other_folder_with_them(tmp_path: Path) -> None:
    wanted = wanted_in(tmp_path)
    for name in ("table2-image", "table3-proposed"):
        work(wanted.request(load_config(f"paper-digits/{name}"), 3))
    file = leave_generators(wanted, PROPOSED, "paper-digits/table3-proposed")
    file.write_bytes(file.read_bytes()[:100])
    drawn = draw_paper_figures(wanted, tmp_path / "figures")
    assert "figure7-trials" in drawn["table2"].files
    assert "cannot be read" in drawn["table3"].missing["figure5-samples"]


def test_nothing_run_and_no_database(tmp_path: Path) -> None:
    drawn = draw_paper_figures(wanted_in(tmp_path), tmp_path / "figures")
    assert all(not done.files and done.missing for done in drawn.values())
    assert not (tmp_path / "figures").exists()
    (tmp_path / "s.db").write_text("this is not a database, but something else entirely" * 50)
    with pytest.raises(StorageError, match="not a database"):
        draw_paper_figures(wanted_in(tmp_path), tmp_path / "figures")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="--out"):
        draw_paper_figures(wanted_in(tmp_path), tmp_path / "file")


def test_json(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wanted = wanted_in(tmp_path)
    work(wanted.request(load_config("paper-digits/table2-image"), 3))
    words = ["--scale", "digits", "--only-report", "--storage", str(wanted.storage), "--work-dir", str(wanted.work_dir)]
    assert run(["reproduce", "figures", *words, "--json"]) == 0
    data = json.loads(capfd.readouterr().out)
    files = data["table2"]["figures"]["figure7-trials"]
    assert [Path(file).suffix for file in files] == [".png", ".svg", ".pdf"] and all(
        Path(file).is_file() for file in files
    )
    assert "was not run" in data["table3"]["missing"]["figure8-graph"]
