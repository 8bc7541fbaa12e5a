"""What a worker draws of a trial: pictures that a browser can show, small, and fewer where there is less to draw."""

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from PIL import Image

from colgan_search.api.trial_pictures import TrialPictures
from colgan_search.bundles.weights import save_generators
from colgan_search.figures.compact import COLOURS, DOTS, drawing, sample_grid
from colgan_search.figures.curves import curves_figure, read_curves
from colgan_search.file_names import FILM_FILE, FRAMES_FILE, GENERATORS_FILE, STRIP_FILE, TELEMETRY_FILE
from colgan_search.gan.building import build_generator
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import Cut, EpochScores, Outcome
from tests.fake_worker import fake_scores
from tests.fleet import fake_config

GRAPH = KnowledgeTransferGraph.from_text("G1=D:t,G2:p/G2=D:n,G1:t")


def outcome(**changes: object) -> Outcome:
    scores = fake_scores(2.5, 2)
    made = Outcome(
        graph=GRAPH.to_text(),
        seed=1,
        value=2.5,
        scores=scores,
        history=(EpochScores(epoch=1, scores=scores),),
        iterations=1,
        seconds=1.0,
        device="cpu",
    )
    return made.model_copy(update=changes)


def test_a_trained_trial_has_all_of_them(tmp_path: Path) -> None:
    config = fake_config(network={"width": 4, "z": 6})
    generators = [build_generator(config.network, size=16, channels=1, seed=seed) for seed in range(2)]
    save_generators(tmp_path / GENERATORS_FILE, generators, GRAPH)
    (tmp_path / TELEMETRY_FILE).write_text("epoch,D on G1,G1 is_mean\n1,2.0,1.5\n2,1.0,2.5\n", encoding="utf-8")
    frames = np.random.default_rng(0).integers(0, 256, (2, 2, 4, 1, 16, 16), dtype=np.uint8)
    np.savez(tmp_path / FRAMES_FILE, epochs=np.array([1, 2]), images=frames)
    found = {one.name: one.content for one in TrialPictures(config)(7, outcome(), tmp_path)}
    assert set(found) == {"samples.png", "graph.png", "curves.png", "telemetry.csv", "strip.png"}
    for name, content in found.items():
        if name.endswith(".png"):
            with Image.open(io.BytesIO(content)) as picture:
                assert picture.format == "PNG" and min(picture.size) > 80, name
    assert sum(map(len, found.values())) < 150_000
    with Image.open(tmp_path / FILM_FILE) as film, Image.open(tmp_path / STRIP_FILE) as strip:
        assert (film.format, getattr(film, "n_frames", 1), strip.format) == ("GIF", 2, "PNG")


@pytest.mark.parametrize("cut", [None, Cut(evaluation=1, epoch=1)])
def test_a_trial_without_generators_has_its_graph_and_scores(cut: Cut | None, tmp_path: Path) -> None:
    pictures = TrialPictures(fake_config())(7, outcome(scores=None, cut=cut), tmp_path)
    assert [one.name for one in pictures] == ["graph.png", "scores.png"]


def _curves() -> Figure:
    table = "epoch,D on G1,D->G1,D knows G1,gate D->G1,G1 is_mean\n1,2.0,0.7,0.5,1,1.5\n2,1.0,12.5,0.75,1,2.5\n"
    return curves_figure(read_curves(table, "here"), "trial 7")


def test_a_drawing_is_what_matplotlib_saves() -> None:
    saved = io.BytesIO()
    _curves().savefig(saved, format="png", dpi=DOTS)
    with Image.open(saved) as theirs, Image.open(io.BytesIO(drawing(_curves()))) as ours:
        few = theirs.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        assert (np.asarray(few.convert("RGB")) == np.asarray(ours.convert("RGB"))).all()


def test_curves_have_their_words_where_matplotlib_would_put_them(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = drawing(_curves())
    by_itself = Axes.set_title
    monkeypatch.setattr(Axes, "set_title", lambda self, label, y=None, **how: by_itself(self, label, **how))
    monkeypatch.setattr(Axis, "set_label_coords", lambda self, x, y: None)
    assert drawing(_curves()) == ours


def test_a_sample_grid_shows_the_pixels_of_small_images_as_they_are() -> None:
    images = np.zeros((4, 8, 8, 1), np.uint8)
    images[0, 0, 0] = 200
    kind, content = sample_grid([images, images], ["G1 (IS 1.00)", "G2 (IS 2.00)"])
    assert kind == "png"
    with Image.open(io.BytesIO(content)) as picture:
        pixels = np.asarray(picture)
    # 2 x 2 images of 8 pixels with a line of 1 between them, enlarged 15 times to come near 256 dots
    assert (pixels[20 : 20 + 15, 10 : 10 + 15] == 200).all() and pixels[20 + 15, 10] == 0
    assert picture.size == (2 * (17 * 15 + 10) + 10, 17 * 15 + 20 + 10)
