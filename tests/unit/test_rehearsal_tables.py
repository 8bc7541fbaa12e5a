"""Tables of measured graphs: written and read back, and everything that can be wrong with one said in one line."""

import json
from pathlib import Path

import pytest

from colgan_search.errors import DataError
from colgan_search.gates import PAPER_GATES
from colgan_search.rehearsal import table
from colgan_search.rehearsal.table import Card, Table
from colgan_search.symmetry import distinct_graphs
from tests.rehearsal import CARD, FAIR, GOOD, row, tiny_table


def written(folder: Path, made: Table | None = None) -> Path:
    path = folder / "tiny.csv"
    table.write(path, made or tiny_table())
    return path


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    lost = row(GOOD, 9, 1.0, 1.0, diverged=True, scores=((2.0, 1.5), (None, None)))
    for made in (tiny_table(), tiny_table(row(FAIR, 0, 2.0, 3.25, fid=(10.5, 0.0)), lost)):
        path = written(tmp_path, made)
        again = table.read(path)
        assert again.card == made.card and again.rows == made.rows
        assert again.trainings == made.trainings
    assert path.read_text().splitlines() == [
        "graph,study,trial,seed,seconds,diverged,is_2_g1,is_2_g2,is_4_g1,is_4_g2,fid_g1,fid_g2",
        f"{FAIR},tiny,0,0,3600.0,0,1.0,2.25,2.0,3.25,10.5,0.0",
        f"{GOOD},tiny,9,9,3600.0,1,2.0,1.5,,,,",
    ]


def test_a_table_may_come_from_a_spreadsheet(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = table.read(path)
    for file in (path, path.with_suffix(".json")):
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert table.read(path).rows == whole.rows


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("G1=D:t/G2=G1:t", "G1=D:t/G2=G1:x", ["line 2", "unknown gate 'x'"]),
        ("G1=D:t/G2=G1:t", "G1=D:t/G2=G1:p", ["line 2", "positive", "through"]),
        ("G1=D:t/G2=G1:t", "G1=G2:t/G2=D:t", ["line 2", "not canonical", "G1=D:t/G2=G1:t is"]),
        ("G1=D:t/G2=G1:t", "G1=D:t", ["line 2", "1 generators"]),
        (",2.0,4.0,3.0,5.0", ",2.0,4.0,3.0", ["line 2", "9 columns", "10"]),
        (",2.0,4.0,3.0,5.0", ",2.0,4.0,3.0,", ["line 2", "a score is missing"]),
        (",2.0,4.0,3.0,5.0", ",2.0,4.0,3.0,much", ["line 2", "'much'"]),
        (",2.0,4.0,3.0,5.0", ",2.0,4.0,3.0,nan", ["line 2", "nan"]),
        (",2.0,4.0,3.0,5.0", ",2.0,4.0,3.0,0.5", ["line 2", "0.5", "greater than or equal to 1"]),
        ("tiny,1,", "tiny,0,", ["line 3", "trial 0 of tiny stands twice"]),
        ("tiny,1,1,", "tiny,1,0,", ["line 3", "trial 1 of tiny is a training that stands there already", "delete"]),
        (",3600.0,", ",-1,", ["line 2", "seconds", "-1"]),
        ("is_4_g2", "is_4_g3", ["first line must be", "is_4_g2"]),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, was: str, becomes: str, said: list[str]) -> None:
    path = written(tmp_path)
    text = path.read_text()
    assert was in text
    path.write_text(text.replace(was, becomes, 1))
    with pytest.raises(DataError) as error:
        table.read(path)
    assert str(path) in str(error.value) and [word for word in said if word not in str(error.value)] == []
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"k": 3}, "first line must be"),
        ({"k": "two"}, "k is 'two'"),
        ({"moments": [4, 2]}, "increase and end at 4"),
        ({"moments": [2, 3]}, "increase and end at 4"),
        ({"moments": [1, 4]}, "first line must be"),
        ({"gates": ["through", "nothing"]}, "unknown gate 'nothing'"),
        ({"gates": ["through"]}, "at least two different gates"),
        ({"gates": ["through", "through"]}, "at least two different gates"),
        ({"format": 2}, "format is '2'"),
        ({"more": 1}, "more"),
    ],
)
def test_what_is_wrong_with_its_card_is_said(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = written(tmp_path)
    card = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(card | change))
    with pytest.raises(Exception, match=said) as error:
        table.read(path)
    assert getattr(error.value, "exit_code", None) == 2


def test_missing_files_and_names(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.with_suffix(".json").unlink()
    for name, said in ((str(path), "tiny.json: is not there"), (str(tmp_path / "no.csv"), "no.csv: is not there")):
        with pytest.raises(DataError, match=said):
            table.read(table.find(name))
    with pytest.raises(DataError, match="unknown table 'nothing'; shipped are: digits-k2"):
        table.find("nothing")
    with pytest.raises(DataError, match="holds no training"):
        Table(Card.model_validate(CARD), [], "x")


@pytest.mark.parametrize("name", table.shipped())
def test_shipped_tables_are_whole(name: str) -> None:
    shipped = table.read(table.find(name))
    assert shipped.card.name == name and shipped.card.gates == tuple(gate.name for gate in PAPER_GATES)
    assert "/" not in shipped.card.machine + shipped.card.command
    all_graphs, times = set(distinct_graphs(shipped.roster)), [len(rows) for rows in shipped.trainings.values()]
    if name == "digits-k2":
        assert set(shipped.trainings) == all_graphs and min(times) == 3
    if name == "digits-k3":
        assert set(shipped.trainings) < all_graphs and len(times) >= 300 and min(times) == 2
    assert sum(number >= 10 for number in times) == 20
