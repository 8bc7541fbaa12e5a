"""The picture of a graph: what is drawn, in which formats, and that nothing runs into anything else."""

import itertools
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.patches import Circle, PathPatch, Polygon
from PIL import Image

from colgan_search.errors import BadInput
from colgan_search.figures import draw_graph
from colgan_search.figures.graph_picture import graph_figure
from colgan_search.figures.layout import Layout, bezier
from colgan_search.figures.pens import STYLES, pens
from colgan_search.gates import CUTOFF, NEGATIVE, PAPER_GATES, POSITIVE, THROUGH
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.presets import preset
from colgan_search.records import Objective
from colgan_search.roster import Roster, generator

HOUSE = pens("house")
GRAPH = KnowledgeTransferGraph.from_text("G1=D:t,G2:p/G2=D:n,G1:t/G3=G2:n")
ROSTERS = [
    *(Roster(k) for k in (1, 2, 3, 4, 5, 6, 8, 12)),
    Roster(1, 2),
    Roster(2, 2),
    Roster(3, 2),
    Roster(4, 2),
    Roster(3, 3),
]


@pytest.mark.parametrize(("name", "magic"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.PDF", b"%PDF")])
def test_formats_by_suffix(tmp_path: Path, name: str, magic: bytes) -> None:
    assert draw_graph(GRAPH, tmp_path / "new" / name, [1.0, 5.0, 2.0], "a title") == [tmp_path / "new" / name]
    assert (tmp_path / "new" / name).read_bytes().startswith(magic)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]


def test_several_paths_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / "a.png", tmp_path / "a.svg"]
    assert draw_graph(GRAPH, paths) == paths
    assert all(path.stat().st_size > 1000 for path in paths)


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.png.txt", ".png"])
def test_an_unknown_suffix_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=r"ends in \.png, \.svg, \.pdf"):
        draw_graph(GRAPH, [tmp_path / "good.png", tmp_path / name])
    assert list(tmp_path.iterdir()) == []


def test_scores_of_another_k_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="2 scores for a graph with k = 3"):
        draw_graph(GRAPH, tmp_path / "a.png", [1.0, 2.0])
    assert list(tmp_path.iterdir()) == []


def test_one_line_and_one_head_per_edge_in_the_style_of_its_gate() -> None:
    axes = graph_figure(GRAPH).axes[0]
    lines = [patch for patch in axes.patches if isinstance(patch, PathPatch)]
    drawn = [gate for _, gate in GRAPH.items() if gate is not CUTOFF]
    assert len(lines) == len([patch for patch in axes.patches if isinstance(patch, Polygon)]) == len(drawn) == 5
    styles = {(str(line.get_linestyle()), line.get_edgecolor()) for line in lines}
    assert len(styles) == len({style for style, _ in styles}) == len({colour for _, colour in styles}) == 3
    with_cutoff = graph_figure(GRAPH, show_cutoff=True).axes[0]
    assert len([patch for patch in with_cutoff.patches if isinstance(patch, PathPatch)]) == 9


def test_gates_differ_in_grey_or_in_line_style() -> None:
    assert len({pen.dashes for pen in HOUSE.values()}) == len(PAPER_GATES)
    assert len({pen.colour for pen in HOUSE.values()}) == len(PAPER_GATES)


def test_the_papers_style_is_red_for_positive_linear_and_black_for_through() -> None:
    figure = graph_figure(GRAPH, style="paper")
    lines = [patch for patch in figure.axes[0].patches if isinstance(patch, PathPatch)]
    gates = [gate for _, gate in GRAPH.items() if gate is not CUTOFF]
    for gate, line in zip(gates, lines, strict=True):
        red, green, blue, _ = line.get_edgecolor()
        if gate is THROUGH:
            assert (red, green, blue) == (0, 0, 0)
        elif gate is POSITIVE:
            assert red > 0.8 and green < 0.1 and blue < 0.1
        else:
            assert blue > red and blue > green
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [entry.partition(" (")[0] for entry in legend] == ["through", "positive linear", "negative linear"]
    assert "figure 8 has none" in legend[2]


def test_the_papers_style_never_draws_a_cut_off_edge() -> None:
    axes = graph_figure(GRAPH, style="paper", show_cutoff=True).axes[0]
    assert len([patch for patch in axes.patches if isinstance(patch, PathPatch)]) == 5


@pytest.mark.parametrize("style", STYLES)
def test_the_legend_stays_inside_the_picture(style: str) -> None:
    figure = graph_figure(GRAPH, [1.0, 2.0, 3.0], style=style)
    figure.draw_without_rendering()
    box, page = figure.legends[0].get_window_extent(), figure.bbox
    assert page.x0 < box.x0 < box.x1 < page.x1 and page.y0 < box.y0


def test_an_unknown_style_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="unknown style 'nice'; the styles are house, paper"):
        draw_graph(GRAPH, tmp_path / "a.png", style="nice")
    assert list(tmp_path.iterdir()) == []


def test_scores_stand_in_the_nodes_and_the_best_is_ringed() -> None:
    axes = graph_figure(GRAPH, [4.7, math.nan, 5.372]).axes[0]
    assert [text.get_text() for text in axes.texts] == ["D", "G1", "IS 4.70", "G2", "IS –", "G3", "IS 5.37"]
    rings = [patch.get_center() for patch in axes.patches if isinstance(patch, Circle) and patch.get_linewidth() > 2]
    assert rings == [pytest.approx(tuple(Layout(Roster(3)).centre(generator(3))))]
    legend = [text.get_text() for text in graph_figure(GRAPH, [4.7, math.nan, 5.372]).legends[0].get_texts()]
    assert legend == [HOUSE[gate].label for gate in (THROUGH, POSITIVE, NEGATIVE)] + ["highest IS"]


def test_without_a_score_none_is_best() -> None:
    for scores in (None, [math.nan] * 3):
        axes = graph_figure(GRAPH, scores).axes[0]
        assert all(patch.get_linewidth() < 2 for patch in axes.patches if isinstance(patch, Circle))


@pytest.mark.parametrize("roster", ROSTERS, ids=str)
def test_no_edge_runs_into_another_node(roster: Roster) -> None:
    layout = Layout(roster)
    nodes = layout.nodes
    for a, b in itertools.combinations(nodes, 2):
        assert np.linalg.norm(layout.centre(a) - layout.centre(b)) > layout.radius(a) + layout.radius(b) + 0.03
    for edge in roster.edges:
        points = [bezier(layout.curve(edge, 0.02), t) for t in np.linspace(0, 1, 65)]
        for node in nodes:
            nearest = min(np.linalg.norm(point - layout.centre(node)) for point in points)
            assert nearest > layout.radius(node) + (0.019 if node in (edge.source, edge.target) else 0.03), edge.name


@pytest.mark.parametrize("roster", ROSTERS, ids=str)
def test_opposite_edges_run_apart_and_every_edge_has_its_own_place(roster: Roster) -> None:
    layout = Layout(roster)
    smallest = min(
        layout.radius(node) for node in (layout.nodes if roster.discriminators > 1 else roster.generator_nodes)
    )
    curves = {edge: layout.curve(edge, 0.0) for edge in roster.edges}
    ends = [curve[place] for edge, curve in curves.items() for place in (0, 3) if not edge.adversarial or place]
    for a, b in itertools.combinations(ends, 2):
        assert np.linalg.norm(a - b) > 0.12 * smallest
    for edge, curve in curves.items():
        for other, opposite in curves.items():
            if (edge.source, edge.target) == (other.target, other.source):
                apart = [np.linalg.norm(bezier(curve, t) - bezier(opposite, 1 - t)) for t in np.linspace(0, 1, 33)]
                assert min(apart) > 0.12 * smallest


@pytest.mark.parametrize("k", [1, 2, 3, 5, 8])
def test_nothing_is_cut_off_at_the_border(tmp_path: Path, k: int) -> None:
    graph = preset("all-through", Roster(k)) if k > 1 else preset("dcgan", Roster(1))
    draw_graph(graph, tmp_path / "a.png", [1.0] * k, "a title that is rather long for a picture " * 3)
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("L"))
    border = np.concatenate([pixels[:3].ravel(), pixels[-3:].ravel(), pixels[:, :3].ravel(), pixels[:, -3:].ravel()])
    assert border.min() == 255
    assert pixels.min() < 60


def test_a_title_is_not_read_as_a_formula(tmp_path: Path) -> None:
    draw_graph(GRAPH, tmp_path / "a.svg", title="study $x^{ and $y")
    assert (tmp_path / "a.svg").stat().st_size > 1000


def test_imports_neither_torch_nor_optuna_nor_a_window() -> None:
    code = (
        "import sys, colgan_search.figures.graph_picture; "
        "print([name for name in ('torch', 'optuna', 'typer', 'matplotlib.pyplot') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("label", ["IS", "FID", "brightness", "precision"])
@pytest.mark.parametrize("roster", [Roster(2), Roster(3), Roster(8)], ids=str)
def test_names_and_scores_stay_inside_their_discs(roster: Roster, label: str) -> None:
    objective = Objective(metric="x", number="x", label=label)
    figure = graph_figure(preset("all-through", roster), [0.2048] * roster.generators, objective=objective)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    discs = [patch for patch in axes.patches if isinstance(patch, Circle)]
    for text in axes.texts:
        box = text.get_window_extent()
        corners = axes.transData.inverted().transform([(x, y) for x in (box.x0, box.x1) for y in (box.y0, box.y1)])
        nearest = min(discs, key=lambda disc: np.linalg.norm(np.array(disc.center) - corners.mean(axis=0)))
        assert max(np.linalg.norm(corners - np.array(nearest.center), axis=1)) < nearest.radius, text.get_text()
