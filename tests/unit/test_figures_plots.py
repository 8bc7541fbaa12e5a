"""Boxplot, epochs and ramps: what is drawn against numpy, the records and the definition of the gates."""

import math
import struct
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from colgan_search.errors import BadInput
from colgan_search.figures.epochs import draw_epochs, epochs_figure
from colgan_search.figures.ramps import draw_ramps, ramps_figure
from colgan_search.figures.saving import DOTS_PER_INCH
from colgan_search.figures.trials_boxplot import draw_trials_boxplot, trials_boxplot_figure
from colgan_search.records import EpochScores, GeneratorScore, Outcome, Protocol, Scores

RANDOM = np.random.default_rng(5)
VALUES = {
    "image transfer": [*RANDOM.normal(4.0, 0.5, 41), 1.0],  # the last one is an outlier
    "feature transfer": list(RANDOM.normal(4.5, 0.3, 24)),
    "$x_1$": [4.0, 5.0, 9.0],
}


def scores(values: list[float], images: int) -> Scores:
    protocol = Protocol(
        extractor="classifier", weights_digest="0", resolution=16, channels=1, images=images, splits=1, reference=None
    )
    return Scores(
        generators=tuple(GeneratorScore(metrics={"is_mean": v, "is_std": 0.0}) for v in values), protocol=protocol
    )


def outcome(history: list[tuple[int, list[float], int]], best_epochs: tuple[int, ...] | None = None) -> Outcome:
    moments = tuple(EpochScores(epoch=epoch, scores=scores(values, images)) for epoch, values, images in history)
    return Outcome(
        graph="G1=D:t/G2=D:t",
        seed=0,
        value=2.0,
        scores=moments[-1].scores if moments else None,
        history=moments,
        best_epochs=best_epochs,
        diverged=None if moments else "loss of G1 is nan at iteration 3",
        iterations=10,
        seconds=1.0,
        device="cpu",
    )


def lines_of(figure: Figure, panel: int = 0) -> list[Line2D]:
    return list(figure.axes[panel].get_lines())


def png_size(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


def test_boxes_have_numpys_quartiles_and_whiskers() -> None:
    figure = trials_boxplot_figure(VALUES)
    drawn = [line.get_xydata() for line in lines_of(figure)]
    for position, values in enumerate(VALUES.values(), start=1):
        own = [points for points in drawn if abs(float(points[:, 0].mean()) - position) < 0.3]
        low, median, high = np.percentile(values, [25, 50, 75])
        levels = {round(float(y), 9) for points in own for y in points[:, 1]}
        reach = 1.5 * (high - low)
        inside = [value for value in values if low - reach <= value <= high + reach]
        wanted = {round(float(y), 9) for y in (low, median, high, min(inside), max(inside))}
        assert levels == wanted
        medians = [points for points in own if np.allclose(points[:, 1], median) and len(points) == 2]
        assert medians, "the median is a line across the box"


def test_every_trial_is_a_point_at_its_box() -> None:
    clouds = trials_boxplot_figure(VALUES).axes[0].collections
    assert len(clouds) == len(VALUES)
    for position, (cloud, values) in enumerate(zip(clouds, VALUES.values(), strict=True), start=1):
        points = np.asarray(cloud.get_offsets())
        np.testing.assert_allclose(points[:, 1], values)
        assert (abs(points[:, 0] - position) < 0.2).all()


def test_boxplot_labels_name_method_and_number() -> None:
    figure = trials_boxplot_figure(VALUES | {"many": [3.0] * 1500})
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["image transfer\nn = 42", "feature transfer\nn = 24", "$x_1$\nn = 3", "many\nn = 1,500"]


@pytest.mark.parametrize("values", [{}, {"a": []}, {"a": [1.0, math.nan]}, {"a": [math.inf]}])
def test_boxplot_refuses_what_is_no_score(values: dict[str, list[float]], tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        draw_trials_boxplot(values, tmp_path / "box.png")
    assert not list(tmp_path.iterdir())


def test_epochs_has_a_panel_per_run_and_a_line_per_generator() -> None:
    runs = {
        "seed 0": outcome([(2, [1.5, 2.0], 100), (4, [2.5, 1.75], 100)]),
        "seed 1": outcome([(2, [1.25, 1.0], 100), (4, [3.0, 4.0], 100)]),
    }
    figure = epochs_figure(runs, "digits")
    assert [axes.get_title() for axes in figure.axes] == ["seed 0", "seed 1"]
    drawn = [line.get_xydata().tolist() for panel in (0, 1) for line in lines_of(figure, panel)]
    assert drawn == [
        [[2, 1.5], [4, 2.5]],
        [[2, 2.0], [4, 1.75]],
        [[2, 1.25], [4, 3.0]],
        [[2, 1.0], [4, 4.0]],
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["G1", "G2"]


def test_lines_of_generators_differ_without_colour() -> None:
    values = [float(number) for number in range(1, 7)]
    lines = lines_of(epochs_figure({"a": outcome([(1, values, 10), (2, values, 10)])}))
    assert len({line.get_marker() for line in lines}) == 6


def test_scores_at_the_end_stand_apart_at_the_epoch_of_their_weights() -> None:
    run = outcome([(2, [3.0, 1.0], 50), (4, [2.0, 2.5], 50), (4, [3.25, 2.75], 1000)], best_epochs=(2, 4))
    figure = epochs_figure({"a": run})
    drawn = [line.get_xydata().tolist() for line in lines_of(figure)]
    assert drawn == [[[2, 3.0], [4, 2.0]], [[2, 3.25]], [[2, 1.0], [4, 2.5]], [[4, 2.75]]]
    assert figure.axes[0].get_xlabel() == "epoch\nsmall: 50 images\nlarge: 1,000 images, at its best"


def test_epochs_are_of_the_objective() -> None:
    def aimed(run: Outcome) -> Outcome:
        """The same run of a search for FID, which is ten times its IS here."""
        data = run.model_dump(mode="json")
        fid = {"metric": "fid", "number": "fid", "label": "FID", "higher_is_better": False, "worst": 1e6}
        for moment in data["history"]:
            moment["scores"]["objective"] = fid
            for score in moment["scores"]["generators"]:
                score["metrics"]["fid"] = 10 * score["metrics"]["is_mean"]
        return Outcome.model_validate({**data, "scores": None, "variants": {}})

    run = outcome([(2, [3.0, 1.0], 50), (4, [2.0, 2.5], 50), (4, [3.25, 2.75], 1000)])
    figure = epochs_figure({"a": aimed(run)})
    drawn = [line.get_xydata().tolist() for line in lines_of(figure)]
    assert drawn == [[[2, 30.0], [4, 20.0]], [[4, 32.5]], [[2, 10.0], [4, 25.0]], [[4, 27.5]]]
    assert figure.axes[0].get_ylabel() == "FID"
    with pytest.raises(BadInput, match="the runs have several objectives: max IS, min FID"):
        epochs_figure({"a": run, "b": aimed(run)})


@pytest.mark.parametrize("runs", [{}, {"seed 3": outcome([])}])
def test_epochs_without_scores_is_refused(runs: dict[str, Outcome], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"seed 3: was never scored .*nan|no runs"):
        draw_epochs(runs, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_ramps_are_the_four_gates() -> None:
    figure = ramps_figure()
    lines = {line.get_label(): line for line in lines_of(figure)}
    p = np.linspace(0, 1, 101)
    wanted = {"through": np.ones(101), "cutoff": np.zeros(101), "positive": p, "negative": 1 - p}
    assert set(lines) == set(wanted)
    for name, weights in wanted.items():
        np.testing.assert_allclose(lines[name].get_xdata(), p)
        np.testing.assert_allclose(lines[name].get_ydata(), weights, atol=1e-12)
    assert {text.get_text() for text in figure.axes[0].texts} == set(wanted)
    patterns = {str(line._dash_pattern) for line in lines.values()}  # type: ignore[attr-defined]
    assert len(patterns) == 4


def test_files_have_the_figures_size_and_words(tmp_path: Path) -> None:
    boxes = draw_trials_boxplot(VALUES, [tmp_path / "box.png", tmp_path / "box.svg", tmp_path / "box.pdf"])
    width, height = trials_boxplot_figure(VALUES).get_size_inches()
    assert png_size(boxes[0]) == (int(width * DOTS_PER_INCH), int(height * DOTS_PER_INCH))
    text = boxes[1].read_text()
    assert "image transfer" in text and "n = 24" in text and "$x_1$" in text
    assert boxes[2].read_bytes()[:5] == b"%PDF-"
    (ramps,) = draw_ramps(tmp_path / "deep" / "ramps.svg", "ramps of $G$")
    assert all(word in ramps.read_text() for word in ("through", "cutoff", "positive", "negative", "ramps of $G$"))
    with pytest.raises(BadInput, match=r"\.png, \.svg, \.pdf"):
        draw_ramps(tmp_path / "ramps.gif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["box.pdf", "box.png", "box.svg", "deep"]
