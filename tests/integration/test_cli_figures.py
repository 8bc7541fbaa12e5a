"""`figures` on real studies (made by real workers whose experiment only waits) and on a folder that `train` left."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from colgan_search.api import figure_images, figures
from colgan_search.api.figure_rivals import Weights
from colgan_search.api.training import TrainRequest, train_graph
from colgan_search.api.work_and_storage import opened_study
from colgan_search.bundles.weights import load_generators, save_generators
from colgan_search.cli.app import run
from colgan_search.config import StudyConfig, load_config, parse_config
from colgan_search.errors import BadInput
from colgan_search.file_names import WorkFolder
from colgan_search.gan.building import build_generator
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.presets import preset
from colgan_search.roster import Roster
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study import results
from colgan_search.search.study.opening import OpenStudy, create_or_open
from colgan_search.search.worker import Worker
from tests.fake_worker import FakeExperiment, fake_value
from tests.integration.cli_helpers import WAIT_SECONDS

pytestmark = pytest.mark.slow

ALL = {"figure5-samples", "figure6-tsne", "figure7-trials", "figure8-graph", "figure8-graph-paper", "epochs", "ramps"}
ALL |= {"curves"}
TRIALS = 4
TOO_FEW = {"effects": f"{TRIALS} complete trials are too few to say which edges and gates matter: at least 20"}


def config(name: str, **sections: dict[str, Any]) -> StudyConfig:
    data = load_config("digits-k2").model_dump(mode="json") | {"name": name}
    data["network"] |= {"width": 4, "z": 8}
    data["data"] |= {"limit": 64}
    data["training"] |= {"epochs": 2}
    data["evaluation"] |= {"images": 20, "interim_images": 10, "every_epochs": 1, "classifier_epochs": 1}
    data["search"] |= {"first": ["mad-gan"], "trials": TRIALS, "sampler": "random", "sampler_settings": {}}
    for section, fields in sections.items():
        data[section] |= fields
    return parse_config(data, name)


def fill(work: WorkFolder, settings: StudyConfig) -> None:
    """A finished study, with weights in every run folder: G1 and G2 alike in trial 0 (MAD-GAN), else all different."""
    storage = open_storage(f"sqlite:///{work.database}", create=True)
    try:
        study = create_or_open(storage, settings, settings.name, TRIALS)
        worked = Worker(study, FakeExperiment(0.0), work, "fake", threading.Event()).run()
        assert worked.finished
        graphs = {one.number: KnowledgeTransferGraph.from_text(str(one.graph)) for one in results.trials(study)}
        for number in range(TRIALS):
            seeds = [number, number if number == 0 else 100 + number]
            nets = [build_generator(settings.network, size=16, channels=1, seed=seed) for seed in seeds]
            folder = work.run(settings.name, number)
            save_generators(folder / "generators.safetensors", nets, graphs[number])
            (folder / "telemetry.csv").write_text("epoch,D->G1\n1,0.5\n2,0.25\n", encoding="utf-8")
    finally:
        storage.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with the studies `image`, `features`, `other-data` and `empty`, and a run of `train`."""
    work = WorkFolder(tmp_path_factory.mktemp("figures"))
    fill(work, config("image"))
    fill(work, config("features", transfer={"kind": "features", "layers": [2, 3]}))
    fill(work, config("other-data", data={"limit": 50}))
    storage = open_storage(f"sqlite:///{work.database}")
    create_or_open(storage, config("empty"), "empty", 5)
    storage.close()
    request = TrainRequest(config("run"), preset("mad-gan", Roster(2)), 2, work.root / "mad-gan", work.root, "cpu")
    train_graph(request)
    return work.root


@pytest.fixture
def opened(home: Path) -> Iterator[OpenStudy]:
    with opened_study(None, WorkFolder(home), "image") as study:
        yield study


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_everything_of_a_study(home: Path, opened: OpenStudy, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "colgan_search", "figures", "--study", "image", "--against", "features"]
    command += ["--out", str(tmp_path), "--format", "png,svg", "--tsne-images", "20", "--work-dir", str(home), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["missing"] == TOO_FEW and set(said["figures"]) == ALL
    assert {path.name for path in files_below(tmp_path)} == {
        f"{name}.{form}" for name in ALL for form in ("png", "svg")
    }
    assert all(path.stat().st_size > 5000 for path in tmp_path.glob("*.png"))

    best = results.best(opened)
    boxes = (tmp_path / "figure7-trials.svg").read_text()
    assert "image transfer" in boxes and "feature transfer" in boxes and "layers 2, 3" in boxes and "n = 4" in boxes
    values = [fake_value(str(trial.graph), int(trial.seed or 0)) for trial in results.trials(opened)]
    assert f"{np.median(values):.2f}" in boxes
    assert f"IS {max(values):.2f}" in (tmp_path / "figure8-graph.svg").read_text()
    assert f"G1 (IS {max(values):.2f})" in (tmp_path / "figure5-samples.svg").read_text()
    tsne = (tmp_path / "figure6-tsne.svg").read_text()
    assert f"image, trial {best.number}" in tsne and "spread" in tsne
    rivals = [trial.number for trial in results.completed(opened) if trial.graph == "G1=D:t/G2=D:t"]
    assert 0 in rivals and (f"MAD-GAN, trial {rivals[0]}" in tsne) == (best.number not in rivals)
    assert f"trial {best.number}" in (tmp_path / "epochs.svg").read_text()


def test_outcome_of_a_trial_is_whole(opened: OpenStudy) -> None:
    for trial in results.trials(opened):
        outcome = results.outcome(opened, trial.number)
        assert outcome is not None
        assert (outcome.graph, outcome.seed, outcome.value) == (trial.graph, trial.seed, trial.value)
        assert [moment.epoch for moment in outcome.history] == [1]
        assert outcome.value == fake_value(outcome.graph, outcome.seed)
    assert results.outcome(opened, 99) is None


def test_same_z_through_every_generator_and_own_z_where_asked(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, folder = config("run"), home / "mad-gan" / "seed-0"
    weights = folder / "generators.safetensors"
    seen: list[torch.Tensor] = []

    def spied(*arguments: Any, **more: Any) -> list[torch.nn.Module]:
        made = load_generators(*arguments, **more)
        for network in made:
            network.register_forward_hook(
                lambda module, z, images: seen.append(torch.cat([z[0], images.flatten(1)], 1))
            )
        return made

    monkeypatch.setattr(figure_images, "load_generators", spied)
    own = figure_images.networks(Weights("run", weights), settings, 2)
    panels = [figure_images.images(network, 128) for network in own]
    assert len(seen) == 4  # two generators, 64 at a time
    z = [torch.cat([part[:, :8] for part in seen[:2]]), torch.cat([part[:, :8] for part in seen[2:]])]
    assert torch.equal(z[0], z[1]) and len(z[0].unique(dim=0)) == 128
    for panel, network in zip(panels, own, strict=True):
        with torch.no_grad():
            pixels = network.module(z[0]).permute(0, 2, 3, 1)
        np.testing.assert_allclose(panel, (pixels.numpy() + 1) * 127.5, atol=0.51)
    seen.clear()
    shared = figure_images.cloud(own, 64, figure_images.latents("shared"))
    assert torch.equal(seen[0][:, :8], seen[1][:, :8]), "figure 6 as in the paper"
    np.testing.assert_array_equal(shared[1], panels[1][:64], err_msg="its first images are figure 5's")
    seen.clear()
    figure_images.cloud(own, 64, figure_images.latents("own"))
    assert not torch.isclose(seen[0][:, :8], seen[1][:, :8]).any(dim=1).all()
    assert not torch.equal(seen[0][:, :8], z[0][:64])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [([], "the same 5 z through every generator, as in the paper"), (["--tsne-z", "own"], "5 z of its own through")],
)
def test_figure_6_says_which_z_were_used(home: Path, tmp_path: Path, arguments: list[str], says: str) -> None:
    words = ["--out", str(tmp_path), "--format", "svg", "--tsne-images", "5", "--work-dir", str(home), *arguments]
    assert run(["figures", "--run", str(home / "mad-gan"), *words]) == 0
    assert says in (tmp_path / "figure6-tsne.svg").read_text()


def test_only_the_wanted_figures(home: Path, tmp_path: Path) -> None:
    """Broken generators do not matter to what needs none."""
    storage = f"sqlite:///{home / 'studies.db'}"
    for folder in (home / "image").glob("trial-*"):
        copy = tmp_path / "work" / "image" / folder.name / "generators.safetensors"
        copy.parent.mkdir(parents=True)
        copy.write_bytes(b"torn")
    request = figures.FiguresRequest("image", out=tmp_path / "out", formats=("svg",), storage=storage)
    request = replace(request, work_dir=tmp_path / "work", only=(figures.GRAPH, figures.BOXES))
    drawn = figures.draw_figures(request)
    assert {path.name for path in files_below(tmp_path / "out")} == {"figure8-graph.svg", "figure7-trials.svg"}
    assert set(drawn.files) == {"figure8-graph", "figure7-trials"} and drawn.missing == {}
    with pytest.raises(BadInput, match="there is no figure 'figure9'; the figures are figure5-samples, "):
        figures.draw_figures(replace(request, only=("figure9",)))


def test_alike_generators_make_alike_panels(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(figures, "draw_samples", lambda images, *rest: drawn.append(images))
    alike = WorkFolder(home).run("image", 0) / "generators.safetensors"
    monkeypatch.setattr(figures, "of_study", lambda *rest, of=figures.of_study: _with_weights(of(*rest), alike))
    figures.draw_figures(figures.FiguresRequest("image", out=tmp_path, formats=("svg",), tsne_images=5, work_dir=home))
    (first, second), *_ = drawn
    assert first.shape == (128, 16, 16, 1) and first.std() > 0.1
    np.testing.assert_array_equal(first, second)


def _with_weights(source: Any, file: Path) -> Any:
    return replace(source, weights=Weights("alike", file))


def test_run_of_train(home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = run(
        ["figures", "--run", str(home / "mad-gan"), "--out", str(tmp_path), "--format", "svg", "--tsne-images", "5"]
    )
    out, _ = capfd.readouterr()
    assert code == 0
    assert {path.stem for path in files_below(tmp_path)} == ALL - {"figure7-trials"}
    assert "not drawn: figure7-trials: a run of `train` has no trials; name a study" in out
    epochs = (tmp_path / "epochs.svg").read_text()
    assert "seed 0" in epochs and "seed 1" in epochs and "small: 10 images" in epochs and "large: 20 images" in epochs
    outcomes = json.loads((home / "mad-gan" / "scores.json").read_text())["outcomes"]
    best = max(outcomes, key=lambda outcome: float(outcome["value"]))["scores"]["generators"]
    samples = (tmp_path / "figure5-samples.svg").read_text()
    assert all(f"G{i} (IS {score['metrics']['is_mean']:.2f})" in samples for i, score in enumerate(best, start=1))


@pytest.mark.parametrize("place", ["mad-gan", "mad-gan/seed-0", "features/trial-00000"])
def test_mad_gan_from_elsewhere(home: Path, tmp_path: Path, place: str) -> None:
    request = figures.FiguresRequest(
        "image", out=tmp_path, formats=("svg",), mad_gan=home / place, tsne_images=5, work_dir=home
    )
    assert figures.draw_figures(request).missing == TOO_FEW
    assert "MAD-GAN, " in (tmp_path / "figure6-tsne.svg").read_text()


def test_mad_gan_that_train_left_in_the_work_folder(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As in docs/tour.md: `train --graph mad-gan`, then `figures`. A study whose trials are not MAD-GAN's."""
    work = WorkFolder(tmp_path / "work")
    settings = config("toured", search={"first": ["all-through"], "sampler": "repeat"})
    fill(work, settings)

    def draw(out: str) -> str:
        words = ["--format", "svg", "--work-dir", str(work.root), "--tsne-images", "5"]
        assert run(["figures", "--study", "toured", "--out", str(tmp_path / out), *words]) == 0
        return capfd.readouterr().out

    said = draw("without")
    (line,) = [line for line in said.splitlines() if line.startswith("not drawn: figure6-tsne (MAD-GAN's half)")]
    assert str(work.train) in line and "colgan-search train --graph mad-gan" in line and "--mad-gan" in line
    # Another number of epochs is another training; torn folders are nobody's.
    other, right = work.train / "other", work.train / "right"
    train_graph(TrainRequest(config("x", training={"epochs": 1}), preset("mad-gan", Roster(2)), 1, other, work.root))
    (work.train / "torn").mkdir()
    (work.train / "torn" / "run.json").write_text('{"graph": ')
    said = draw("other")
    assert f"{other} has training.epochs 1 instead of 2 (--mad-gan {other} draws it all the same)" in said
    # The search's own settings and the transfer, which MAD-GAN has none of, may differ.
    settings = config("y", search={"first": ["one-way"], "trials": 9}, transfer={"kind": "features", "layers": [2, 3]})
    train_graph(TrainRequest(settings, preset("mad-gan", Roster(2)), 2, right, work.root))
    assert "not drawn: figure6" not in draw("right")
    outcomes = json.loads((right / "scores.json").read_text())["outcomes"]
    best = max(range(2), key=lambda number: float(outcomes[number]["value"]))
    assert f"MAD-GAN, seed {best}" in (tmp_path / "right" / "figure6-tsne.svg").read_text()


def test_without_weights_on_this_machine(home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    away = tmp_path / "elsewhere"
    url = f"sqlite:///{home / 'studies.db'}"
    code = run(["figures", "--study", "image", "--storage", url, "--work-dir", str(away), "--format", "svg"])
    out, _ = capfd.readouterr()
    assert code == 0
    found = {path.stem for path in files_below(away / "image" / "figures")}
    assert found == ALL - {"figure5-samples", "figure6-tsne", "curves"}
    missing = [
        line for line in out.splitlines() if line.startswith("not drawn: figure5-samples: the generators of trial")
    ]
    assert len(missing) == 1 and "are not on this machine" in missing[0] and "train the graph anew" in missing[0]


BAD = [
    (["--study", "image", "--format", "png,gif"], "'gif' is not allowed; the formats are png, svg, pdf"),
    (["--study", "nothing"], "there is no study 'nothing'"),
    (["--study", "image", "--against", "nothing"], "there is no study 'nothing'"),
    (["--study", "image", "--against", "empty"], "'empty' has no complete trial"),
    (["--study", "empty"], "'empty' has no complete trial"),
    (["--study", "image", "--against", "other-data"], "data.limit 50"),
    (["--study", "image", "--tsne-images", "3"], "greater than or equal to 4"),
    (["--study", "image", "--tsne-z", "mine"], "--tsne-z mine is not allowed; it is shared or own"),
    (["--study", "image", "--mad-gan", "HOME/nothing"], "is no run folder"),
    (["--study", "image", "--mad-gan", "HOME/of-three"], "is a run of k = 3, the proposed one has k = 2"),
    (["--study", "image", "--mad-gan", "HOME/broken"], "cannot be read"),
    (["--study", "image", "--mad-gan", "HOME/features/trial-00001"], "not of the graph mad-gan"),
    (["--run", "HOME/nothing"], "is no run folder: it holds no run.json"),
    (["--run", "HOME/mad-gan", "--study", "image"], "leave out --study"),
    (["--run", "HOME/half"], "no seed of this run has finished yet"),
    (["--run", "HOME/torn"], "run.json: cannot be read"),
]


@pytest.mark.parametrize(("arguments", "says"), BAD)
def test_bad_input_is_refused_and_nothing_written(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    bad = {name: home / name for name in ("of-three", "broken", "half", "torn")}
    for folder in bad.values():
        folder.mkdir(exist_ok=True)
    three = [build_generator(config("x").network, size=16, channels=1, seed=seed) for seed in range(3)]
    save_generators(bad["of-three"] / "generators.safetensors", three, preset("mad-gan", Roster(3)))
    (bad["broken"] / "generators.safetensors").write_bytes(b"torn")
    (bad["half"] / "run.json").write_text((home / "mad-gan" / "run.json").read_text())
    (bad["torn"] / "run.json").write_text('{"graph": ')
    arguments = [argument.replace("HOME", str(home)) for argument in arguments]
    out = tmp_path / "out"
    code = run(["figures", "--out", str(out), "--work-dir", str(home), *arguments])
    _, said = capfd.readouterr()
    assert code == 2
    assert says in said and "Traceback" not in said
    assert not out.exists()
