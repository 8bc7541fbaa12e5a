"""Figure 6: the spread against hand-computed values and its symmetries; the embedding and what is drawn of it."""

import math
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from colgan_search.errors import BadInput
from colgan_search.figures.tsne import draw_tsne, embed, spread, tsne_figure, width

RANDOM = np.random.default_rng(11)


def cloud(n: int, d: int, at: float) -> NDArray[np.float64]:
    return RANDOM.standard_normal((n, d)) + at


def test_spread_of_a_hand_computed_example() -> None:
    # Centres (0, 0), (3, 4), (0, 8): pairs 5, 8, 5, on average 6. Distances to them 1, 2 and 3, on average 2.
    first = np.array([[1.0, 0.0], [-1.0, 0.0]])
    second = np.array([[3.0, 6.0], [3.0, 2.0]])
    third = np.array([[3.0, 8.0], [-3.0, 8.0]])
    assert spread([first, second, third]) == pytest.approx(3.0, abs=1e-12)


def test_spread_does_not_feel_rotation_shift_scale_or_order() -> None:
    generators = [cloud(50, 6, at) for at in (0.0, 0.5, 2.0)]
    value = spread(generators)
    turn, _ = np.linalg.qr(RANDOM.standard_normal((6, 6)))
    assert 0.3 < value < 3
    assert spread([x @ turn for x in generators]) == pytest.approx(value, rel=1e-12)
    assert spread([7.5 * x + 3.0 for x in generators]) == pytest.approx(value, rel=1e-12)
    assert spread([x[::-1] for x in generators[::-1]]) == pytest.approx(value, rel=1e-12)
    assert spread([x.reshape(50, 3, 2, 1) for x in generators]) == pytest.approx(value, rel=1e-12)


def test_spread_of_images_of_bytes() -> None:
    dark, light = np.full((4, 2, 2, 1), 0, np.uint8), np.full((4, 2, 2, 1), 200, np.uint8)
    dark[::2], light[::2] = 50, 250
    assert spread([dark, light]) == pytest.approx(200 / 25)


def test_spread_by_chance_is_as_documented() -> None:
    random = np.random.default_rng(0)
    generators = [random.standard_normal((1000, 400)) for _ in range(6)]
    assert spread(generators) == pytest.approx(math.sqrt(2 / 1000), rel=0.1)


def test_spread_at_its_limits() -> None:
    one, other = np.zeros((3, 2)), np.ones((3, 2))
    assert math.isnan(spread([cloud(5, 2, 0.0)]))
    assert spread([one, other]) == math.inf
    assert math.isnan(spread([one, one]))


def test_width_of_a_hand_computed_example() -> None:
    # Together (1, 0), (-1, 0), (3, 6), (3, 2): mean (1.5, 2), squared deviations 11 and 24, of 4 samples x 2.
    first, second = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([[3.0, 6.0], [3.0, 2.0]])
    assert width([first, second]) == pytest.approx(math.sqrt(35 / 8), abs=1e-12)
    assert width([first]) == pytest.approx(math.sqrt(2 / 4), abs=1e-12)


def test_a_cloud_ten_times_as_wide_has_ten_times_the_width_and_the_same_spread() -> None:
    generators = [cloud(50, 6, at) for at in (0.0, 1.0)]
    wider = [10 * x - 4.0 for x in generators]
    assert width(wider) == pytest.approx(10 * width(generators), rel=1e-12)
    assert spread(wider) == pytest.approx(spread(generators), rel=1e-12)


LONG = "a-study-with-a-name-as-long-as-names-may-be-" * 2 + "and-a-tail"


@pytest.mark.parametrize("labels", [["DCGAN"], [LONG], [f"{LONG}, trial 12", "MAD-GAN, seed 0"]])
def test_no_text_is_cut_and_none_lies_on_another(labels: list[str]) -> None:
    figure = tsne_figure(
        {label: [cloud(20, 3, 0.0), cloud(20, 3, 1.0)] for label in labels},
        "a title",
        note="The same 1,000 z through every generator, as in the paper",
    )
    figure.draw_without_rendering()
    note = figure._supxlabel  # type: ignore[attr-defined]  # Matplotlib has no public way to it
    texts = [note, figure._suptitle, *(axes.title for axes in figure.axes)]  # type: ignore[attr-defined]
    boxes = [text.get_window_extent() for text in texts] + [figure.legends[0].get_window_extent()]
    boxes += [axes.patch.get_window_extent() for axes in figure.axes]
    page = figure.bbox
    for box in boxes:
        assert page.x0 <= box.x0 < box.x1 <= page.x1 and page.y0 <= box.y0 < box.y1 <= page.y1, box
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other)
    words = " ".join(note.get_text().split())
    assert "same 1,000 z" in words and "spread: " in words and "width: " in words


def test_embedding_keeps_clusters_together_and_is_repeatable() -> None:
    groups = [cloud(40, 8, at) for at in (0.0, 30.0, -30.0)]
    places = embed(groups, seed=3)
    assert [place.shape for place in places] == [(40, 2)] * 3
    centres = [place.mean(axis=0) for place in places]
    for place, centre in zip(places, centres, strict=True):
        nearest = min(np.linalg.norm(centre - other) for other in centres if other is not centre)
        assert np.linalg.norm(place - centre, axis=1).max() < nearest
    again = embed(groups, seed=3)
    assert all(np.array_equal(a, b) for a, b in zip(places, again, strict=True))


def test_panels_hold_every_sample_of_one_embedding() -> None:
    systems: dict[str, list[NDArray[Any]]] = {
        "proposed": [cloud(30, 4, 0.0), cloud(30, 4, 9.0), cloud(20, 4, -9.0)],
        "MAD-GAN": [cloud(25, 4, 0.0), cloud(25, 4, 1.0)],
    }
    figure = tsne_figure(systems)
    places = embed([vectors for generators in systems.values() for vectors in generators])
    for axes, (label, generators) in zip(figure.axes, systems.items(), strict=True):
        own, places = np.concatenate(places[: len(generators)]), places[len(generators) :]
        points = np.concatenate([np.asarray(cloud.get_offsets()) for cloud in axes.collections])
        np.testing.assert_allclose(sorted(points.tolist()), sorted(own.tolist()), rtol=1e-6)
        assert axes.get_title() == f"{label}\nspread {spread(generators):.2f}, width {width(generators):.3g}"
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        assert left < points[:, 0].min() < points[:, 0].max() < right
        assert bottom < points[:, 1].min() < points[:, 1].max() < top
    first, second = figure.axes
    assert first.get_xlim() == second.get_xlim() and first.get_ylim() == second.get_ylim()
    handles = figure.legends[0].legend_handles
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["G1", "G2", "G3"]
    assert len({handle.get_marker() for handle in handles}) == 3  # type: ignore[union-attr]


def test_one_generator_has_no_spread(tmp_path: Path) -> None:
    corners = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
    (path,) = draw_tsne({"DCGAN": [corners]}, tmp_path / "one.svg")
    text = path.read_text()
    assert "DCGAN" in text and "spread" not in text and "width 1.41" in text and "G1" in text


def test_collapsed_generators_can_be_drawn() -> None:
    figure = tsne_figure({"buffer": [np.zeros((9, 4)), np.zeros((9, 4)) + 1, cloud(9, 4, 0.0)]})
    assert sum(len(dots.get_offsets()) for dots in figure.axes[0].collections) == 27


@pytest.mark.parametrize(
    ("systems", "says"),
    [
        ({}, "no samples"),
        ({"a": []}, "at least one generator"),
        ({"a": [np.zeros((0, 4))]}, "n of at least 1"),
        ({"a": [np.zeros((9, 4)), np.zeros((9, 5))]}, r"G2 is \[5\], others are \[4\]"),
        ({"a": [np.zeros((9, 4))], "b": [np.zeros((9, 2, 2))]}, r"b: .*G1 is \[2, 2\]"),
        ({"a": [np.full((9, 4), np.nan)]}, "NaN or Inf"),
        ({"a": [np.zeros((3, 4))]}, "at least 4"),
    ],
)
def test_samples_that_do_not_go_together(systems: dict[str, list[NDArray[Any]]], says: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=says):
        draw_tsne(systems, tmp_path / "tsne.png")
    assert not list(tmp_path.iterdir())
