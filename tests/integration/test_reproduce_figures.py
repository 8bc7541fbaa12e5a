"""`reproduce figures`: what can be drawn is drawn, what is absent says why, and a record says what each shows."""

import json
from functools import partial
from pathlib import Path

import pytest

from colgan_search.api import figures
from colgan_search.api.figures import Drawn
from colgan_search.bundles.weights import save_generators
from colgan_search.cli.app import run
from colgan_search.config import load_config
from colgan_search.errors import DataError, StorageError
from colgan_search.file_names import GENERATORS_FILE, WorkFolder
from colgan_search.gan.building import build_generator
from colgan_search.presets import preset
from colgan_search.reproduction import paper_figures
from colgan_search.reproduction.measured_pairs import measure_pairs
from colgan_search.reproduction.paper_figures import draw_paper_figures, run_figures
from colgan_search.reproduction.running import Reproduction
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study import results
from colgan_search.search.study.opening import open_study
from tests.integration.reproduce_helpers import studies, values, work

pytestmark = pytest.mark.slow

PAIR, MAD_GAN, SEARCHED = "paper-digits-table1-proposed", "paper-digits-table1-mad-gan", "paper-digits-table3-proposed"
TRANSFERS = [f"paper-digits-table2-{name}" for name in ("image", "input-side", "output-side")]


def wanted_in(tmp_path: Path, **what: object) -> Reproduction:
    url = f"sqlite:///{tmp_path}/s.db"
    return Reproduction("table3", "digits", 2, 6, url, tmp_path / "work", **what)  # type: ignore[arg-type]


def leave_generators(wanted: Reproduction, config: str, number: int | None = None, *, alike: bool = False) -> Path:
    """Untrained generators in the run folder of a trial of a study, of its best without a number."""
    settings = load_config(config)
    if number is None:
        storage = open_storage(str(wanted.storage))
        number = results.best(open_study(storage, settings.name)).number
        storage.close()
    seeds = [100 * number + (0 if alike else at) for at in range(settings.k)]
    made = [build_generator(settings.network, size=16, channels=1, seed=seed) for seed in seeds]
    file = WorkFolder(wanted.work_dir).run(settings.name, number) / GENERATORS_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    save_generators(file, made, preset("mad-gan", settings.roster))
    return file


@pytest.fixture
def no_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring them trains a classifier."""
    monkeypatch.setattr(paper_figures, "measure_pairs", lambda *arguments: None)


def test_figures_after_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With made-up results: what needs trained generators is not drawn and says why, the rest is."""
    wanted = wanted_in(tmp_path, command="colgan-search reproduce figures --scale digits")
    url, out = str(wanted.storage), tmp_path / "figures"
    assert run_figures(wanted, work)
    assert studies(url) == sorted([PAIR, MAD_GAN, SEARCHED, *TRANSFERS]), "no study that no figure is of"
    assert [len(values(url, name)) for name in (PAIR, MAD_GAN, SEARCHED, *TRANSFERS)] == [2, 2, 6, 6, 6, 6]
    boxes: list[dict[str, list[float]]] = []
    draw = figures.draw_trials_boxplot
    monkeypatch.setattr(
        figures, "draw_trials_boxplot", lambda box, paths, **look: (boxes.append(box), draw(box, paths, **look))
    )
    drawn = draw_paper_figures(wanted, out)
    assert {name: set(done.files) for name, done in drawn.folders.items()} == {
        "table1": set(),
        "table2": {"figure7-trials"},
        "table3": {"figure8-graph", "figure8-graph-paper", "epochs", "ramps"},
    }
    for done in drawn.folders.values():
        for files in done.files.values():
            assert {file.suffix for file in files} == {".png", ".svg", ".pdf"}
            assert all(file.stat().st_size > 1000 for file in files)
    assert len(boxes) == 1 and sorted(map(sorted, boxes[0].values())) == sorted(
        sorted(values(url, name)) for name in TRANSFERS
    ), "one box per transfer method"
    missing = drawn.folders["table1"].missing
    assert set(missing) == {"figure5-samples", "figure6-tsne", "claims.md"} and drawn.claims is None
    assert f"no generators of {PAIR} or {MAD_GAN} are in" in missing["claims.md"]
    assert not (out / "claims.md").exists()
    record = json.loads((out / "figures.json").read_text())
    assert record["command"] == wanted.command and record["claims"] is None
    box = record["folders"]["table2"]["figures"]["figure7-trials"]
    assert box["seeds"] == 18 and box["studies"] == TRANSFERS
    assert all((out / file).is_file() for file in box["files"])
    assert record["folders"]["table1"]["missing"] == missing
    searched = values(url, SEARCHED)
    study = record["studies"][SEARCHED]
    assert (study["trials"], study["best_trial"], study["weights"]) == (6, searched.index(max(searched)), "last")
    assert study["protocol"]["extractor"] == "classifier"
    assert (
        record["studies"][PAIR]["graph"] == "G1=D:t,G2:t/G2=D:t,G1:t" and record["studies"][PAIR]["weights"] == "best"
    )
    assert record["folders"]["table3"]["figures"]["figure8-graph-paper"]["studies"] == [SEARCHED]


def test_a_study_that_was_not_run_is_missing_alone(tmp_path: Path) -> None:
    wanted = wanted_in(tmp_path)
    for name in ("table2-image", "table2-output-side"):
        work(wanted.request(load_config(f"paper-digits/{name}"), 6))
    drawn = draw_paper_figures(wanted, tmp_path / "figures").folders
    assert "figure7-trials" in drawn["table2"].files
    reason = drawn["table2"].missing["figure7-trials (table2-input-side)"]
    assert "paper-digits-table2-input-side was not run" in reason and "reproduce table2 --scale digits" in reason
    for folder, study in (("table1", PAIR), ("table3", SEARCHED)):
        assert drawn[folder].files == {}
        assert all(f"{study} was not run" in reason for reason in drawn[folder].missing.values())
    assert set(drawn["table1"].missing) == {"figure5-samples", "figure6-tsne", "claims.md"}
    assert {"figure8-graph", "figure8-graph-paper"} <= set(drawn["table3"].missing)


@pytest.mark.usefixtures("no_claims")
def test_mad_gans_half_of_figure_6(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    panels: list[list[str]] = []
    monkeypatch.setattr(figures, "draw_tsne", lambda systems, paths, note: panels.append(list(systems)))
    wanted = wanted_in(tmp_path)
    work(wanted.request(load_config("paper-digits/table1-proposed"), 3))
    leave_generators(wanted, "paper-digits/table1-proposed")

    def draw(name: str) -> Drawn:
        return draw_paper_figures(wanted, tmp_path / name).folders["table1"]

    (half,) = [reason for name, reason in draw("a").missing.items() if "figure6" in name]
    assert f"{MAD_GAN} was not run" in half
    work(wanted.request(load_config("paper-digits/table1-mad-gan"), 3))
    drawn = draw("b")
    (half,) = [reason for name, reason in drawn.missing.items() if "figure6" in name]
    assert MAD_GAN in half and "not in" in half and "worker" in half
    assert {"figure5-samples", "figure6-tsne"} == set(drawn.files)
    file = leave_generators(wanted, "paper-digits/table1-mad-gan")
    whole = file.read_bytes()
    file.write_bytes(whole[:100])
    drawn = draw("d")
    assert "figure5-samples" in drawn.files
    (half,) = [reason for name, reason in drawn.missing.items() if "figure6" in name]
    assert "cannot be read" in half
    file.write_bytes(whole)
    assert set(draw("c").missing) == {"claims.md"}
    assert [len(systems) for systems in panels] == [1, 1, 1, 2]
    assert panels[-1][0].startswith(PAIR) and panels[-1][1].startswith("MAD-GAN, trial")
    figure = json.loads((tmp_path / "c" / "figures.json").read_text())["folders"]["table1"]["figures"]["figure6-tsne"]
    assert figure["studies"] == [PAIR, MAD_GAN] and figure["seeds"] == 2


@pytest.mark.usefixtures("no_claims")
def test_broken_generators_do_not_take_the_other_folders_with_them(tmp_path: Path) -> None:
    wanted = wanted_in(tmp_path)
    for name in ("table1-proposed", "table2-image", "table3-proposed"):
        work(wanted.request(load_config(f"paper-digits/{name}"), 3))
    for name in ("table1-proposed", "table3-proposed"):
        file = leave_generators(wanted, f"paper-digits/{name}")
        file.write_bytes(file.read_bytes()[:100])
    drawn = draw_paper_figures(wanted, tmp_path / "figures").folders
    assert "figure7-trials" in drawn["table2"].files and drawn["table3"].missing == {}
    assert "cannot be read" in drawn["table1"].missing["figure5-samples"]


def test_the_claims_of_figures_5_and_6(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Both generators of the proposed pair are one network, MAD-GAN's two: the images of one z are alike, surely."""
    monkeypatch.setattr(figures, "draw_tsne", lambda systems, paths, note: None)
    monkeypatch.setattr(paper_figures, "measure_pairs", partial(measure_pairs, images=60))
    wanted = wanted_in(tmp_path)
    for name, alike in (("table1-proposed", True), ("table1-mad-gan", False)):
        work(wanted.request(load_config(f"paper-digits/{name}"), 4))
        for number in (0, 1, 2):
            leave_generators(wanted, f"paper-digits/{name}", number, alike=alike)
    file = WorkFolder(wanted.work_dir).run(MAD_GAN, 2) / GENERATORS_FILE
    file.write_bytes(file.read_bytes()[:100])
    words = ["--scale", "digits", "--only-report", "--storage", str(wanted.storage), "--work-dir", str(wanted.work_dir)]
    assert run(["reproduce", "figures", *words, "--out", str(tmp_path / "out")]) == 0
    said = capfd.readouterr().out
    page = (tmp_path / "out" / "claims.md").read_text()
    assert page.strip() in said, "shown by the command"
    assert f"{PAIR}: 3 of 4 trainings measured; trial 3: its generators are not in this work folder" in page
    assert f"{MAD_GAN}: 2 of 4 trainings measured; trial 2: {file}" in page
    claims = json.loads((tmp_path / "out" / "figures.json").read_text())["claims"]
    assert claims["extractor"] == "classifier" and claims["images_per_generator"] == 60
    assert set(claims["proposed"]["measured"]) == {"0", "1", "2"} and set(claims["mad_gan"]["measured"]) == {"0", "1"}
    assert all(one["paired"] == 0.0 for one in claims["proposed"]["measured"].values())
    assert all(one["paired"] > 0.1 for one in claims["mad_gan"]["measured"].values())
    alike = claims["claims"][0]
    assert alike["measure"] == "paired" and alike["proposed"]["n"] == 3 and alike["mad_gan"]["n"] == 2
    # One network's images twice are no wider than its images once, but for the luck of two draws.
    for one in claims["proposed"]["measured"].values():
        assert one["variance"] == pytest.approx(one["variance_within"], rel=0.05)


def test_nothing_run_and_no_database(tmp_path: Path) -> None:
    drawn = draw_paper_figures(wanted_in(tmp_path), tmp_path / "figures")
    assert all(not done.files and done.missing for done in drawn.folders.values()) and drawn.claims is None
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
    assert "was not run" in data["table3"]["missing"]["figure8-graph"] and data["claims"] is None
