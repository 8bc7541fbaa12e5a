"""Named graphs, and what a user may write where a graph is wanted."""

import json
import re
from pathlib import Path

import pytest

from colgan_search.errors import GraphError
from colgan_search.gates import CUTOFF, POSITIVE, THROUGH
from colgan_search.presets import PRESETS, preset, resolve
from colgan_search.roster import Roster


@pytest.mark.parametrize(
    ("name", "k", "text"),
    [
        ("dcgan", 1, "G1=D:t"),
        ("mad-gan", 2, "G1=D:t/G2=D:t"),
        ("mad-gan", 3, "G1=D:t/G2=D:t/G3=D:t"),
        ("all-through", 2, "G1=D:t,G2:t/G2=D:t,G1:t"),
        ("positive-transfer", 3, "G1=D:t,G2:p,G3:p/G2=D:t,G1:p,G3:p/G3=D:t,G1:p,G2:p"),
        ("negative-transfer", 2, "G1=D:t,G2:n/G2=D:t,G1:n"),
        ("one-way", 3, "G1=D:t/G2=D:t,G1:t/G3=D:t,G1:t,G2:t"),
        ("buffer", 2, "G1=D:t,G2:p/G2=G1:p"),
        ("buffer", 3, "G1=D:t,G3:p/G2=D:t/G3=G1:p"),
        ("buffer", 4, "G1=D:t,G4:p/G2=D:t/G3=D:t/G4=G1:p"),
    ],
)
def test_the_graph_of_every_preset(name: str, k: int, text: str) -> None:
    assert preset(name, Roster(k)).to_text() == text


def test_all_through_has_no_other_gate() -> None:
    assert set(preset("all-through", Roster(5)).gates) == {THROUGH}


def test_the_buffer_is_what_the_papers_text_on_figure_8_says() -> None:
    graph = preset("buffer", Roster(3))
    gates = {edge.name: gate for edge, gate in graph.items()}
    # figure 8 has no third kind of edge, and says that transfer is not needed at the beginning
    assert set(gates.values()) == {THROUGH, POSITIVE, CUTOFF}
    assert all(gate is not THROUGH for name, gate in gates.items() if not name.startswith("D->"))
    # G3 hardly learns to make images, and works with G1 alone
    assert gates["D->G3"] is CUTOFF
    assert {name for name, gate in gates.items() if "G3" in name and gate is not CUTOFF} == {"G1->G3", "G3->G1"}


def test_presets_differ_from_each_other_and_are_described_in_a_line() -> None:
    for k in (2, 3, 6):
        graphs = [chosen.graph(Roster(k)) for chosen in PRESETS.values() if chosen.fits(Roster(k))]
        assert len(set(graphs)) == len(graphs) == len(PRESETS) - 3  # dcgan, and two for several discriminators
    assert all(10 < len(chosen.description) < 120 and "\n" not in chosen.description for chosen in PRESETS.values())
    assert "our reading" in PRESETS["buffer"].description


@pytest.mark.parametrize(("name", "k"), [("dcgan", 2), ("mad-gan", 1), ("buffer", 1), ("one-way", 1)])
def test_a_k_that_does_not_fit_is_refused_with_those_that_do(name: str, k: int) -> None:
    with pytest.raises(GraphError, match=f"not for k = {k};.*dcgan \\(k = 1\\), mad-gan \\(k >= 2\\)"):
        preset(name, Roster(k))


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(GraphError, match=r"unknown preset 'madgan'; the presets are dcgan .* buffer \(k >= 2\)"):
        preset("madgan", Roster(2))


def test_resolve_takes_every_form(tmp_path: Path) -> None:
    graph = preset("buffer", Roster(3))
    file = tmp_path / "graph=3.json"
    file.write_text(json.dumps(graph.to_json(), indent=2))
    assert resolve(" buffer ", Roster(3)) == graph
    assert resolve(graph.to_text()) == resolve(graph.to_text(), Roster(3)) == graph
    assert resolve(json.dumps(graph.to_json()), Roster(3)) == graph
    assert resolve(str(file), Roster(3)) == graph
    assert resolve("dcgan") == preset("dcgan", Roster(1))


@pytest.mark.parametrize(
    ("text", "k", "said"),
    [
        ("mad-gan", None, "needs to know k"),
        ("dcgan", 3, "is for k = 1, not for k = 3"),
        ("G1=D:t", 2, "has k = 1, but k = 2 is asked for"),
        ('{"k": 1, "edges": {"D->G1": "t"}}', 2, "has k = 1, but k = 2 is asked for"),
        ("madgan", 2, "'madgan' is neither a preset nor a graph"),
        ("", 2, "'' is neither a preset nor a graph"),
        ("missing.json", 2, "nor is there such a file; the presets are"),
        ("x" * 5000, 2, "is neither a preset nor a graph"),
        ("a\0b", 2, "is neither a preset nor a graph"),
        ("G1=D:q", 1, "unknown gate 'q'"),
        ("{", 1, "is not valid JSON"),
        ("{}", 1, "a graph in JSON is"),
        ('{"k": 1, "edges": {"D->G1": "t", "D->G1": "c"}}', 1, "key 'D->G1' stands twice"),
        ('{"a":' * 100_000, 1, "is not valid JSON"),
    ],
)
def test_what_means_no_graph_is_refused(text: str, k: int | None, said: str) -> None:
    with pytest.raises(GraphError, match=re.escape(said)) as refused:
        resolve(text, None if k is None else Roster(k))
    assert len(str(refused.value)) < 1000


def test_a_preset_for_one_discriminator_says_so() -> None:
    with pytest.raises(GraphError, match="'mad-gan' is for m = 1, not for k = 2, 2 discriminators"):
        resolve("mad-gan", Roster(2, 2))
    with pytest.raises(GraphError, match="'gman' is for m >= 2, not for k = 2"):
        resolve("gman", Roster(2))


def test_files_are_read_or_refused_by_name(tmp_path: Path) -> None:
    broken, binary = tmp_path / "broken.json", tmp_path / "binary.json"
    broken.write_text("not json")
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(GraphError, match=r"broken\.json: is not valid JSON"):
        resolve(str(broken))
    with pytest.raises(GraphError, match=r"binary\.json: cannot be read as a graph"):
        resolve(str(binary))
    with pytest.raises(GraphError, match="is neither a preset"):
        resolve(str(tmp_path))
    with pytest.raises(GraphError, match="is neither a preset"):
        resolve(str(broken), files=False)
