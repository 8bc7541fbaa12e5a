"""Reports of reproduced tables: which deviation is which, diverged seeds, the real images."""

import csv
import io
import json
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from colgan_search.config import parse_config
from colgan_search.evaluation.classifier import card_path, load_classifier
from colgan_search.experiment import load_real
from colgan_search.files import file_digest
from colgan_search.reproduction.real_images import kept_real_images, real_images_row, score_real_images
from colgan_search.reproduction.reports import report
from colgan_search.reproduction.rows import RowResult
from colgan_search.reproduction.running import Reproduction, run_table
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import create_or_open
from colgan_search.search.study.shared_files import SharedFiles
from tests.integration.cli_helpers import config_data
from tests.integration.reproduce_helpers import Scored, gather, work

THREE_SEEDS = Scored(
    values={0: 4.0, 1: 5.0, 2: 7.5}, splits=10, is_std={0: 0.1, 1: 0.2, 2: 0.6}, fid={0: 30.0, 1: 40.0}
)


def reproduced(tmp_path: Path, experiment: Scored, **what: Any) -> tuple[Reproduction, list[RowResult]]:
    what = {"seeds": 3} | what
    wanted = Reproduction("table1", "digits", storage=f"sqlite:///{tmp_path}/s.db", work_dir=tmp_path, **what)
    run_table(wanted, lambda request: work(request, experiment))
    return wanted, gather(wanted)


def cells(text: str, label: str) -> list[dict[str, str]]:
    """The lines of one row in the tables of a Markdown text, column -> cell."""
    found: list[dict[str, str]] = []
    head: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            head = []
            continue
        words = [word.strip() for word in line.strip("|").split("|")]
        head = head or words
        if words[0] == label:
            found.append(dict(zip(head, words, strict=True)))
    return found


def test_a_diverged_seed_is_told_and_has_no_fid(tmp_path: Path) -> None:
    wanted, rows = reproduced(tmp_path, replace(THREE_SEEDS, diverged=(0,), fid={1: 40.0, 2: 50.0}))
    row = rows[0]
    assert row.state == "complete, 1 diverged"
    assert (row.our_is, row.seeds) == (pytest.approx((1.0 + 5.0 + 7.5) / 3), 3)
    assert (row.our_fid, row.fid_seeds) == (45.0, 2)
    assert row.our_is_std_over_splits == pytest.approx(0.4)
    assert row.protocol is not None and row.protocol["splits"] == 10, "of the first seed that has one"
    assert [seed.diverged for seed in row.per_seed] == ["NaN in D", None, None]
    line, *every = cells(report(wanted).markdown(), "DCGAN")
    assert line["ours: FID ± std over seeds"] == f"45.00 ± {statistics.stdev([40, 50]):.2f} (2 seeds)"
    assert line["state"] == "complete, 1 diverged"
    assert [(seed["IS"], seed["FID"], seed["diverged"]) for seed in every] == [
        ("1.00", "", "NaN in D"),
        ("5.00", "40.00", ""),
        ("7.50", "50.00", ""),
    ]


def test_rows_by_a_poor_classifier_are_doubted(tmp_path: Path) -> None:
    wanted, rows = reproduced(tmp_path, replace(THREE_SEEDS, accuracy=0.42), seeds=1)
    assert rows[0].classifier_accuracy == 0.42
    assert "- DCGAN: warning: the classifier that scores is right on only 42.0 %" in report(wanted).markdown()


def test_nothing_but_diverged_seeds(tmp_path: Path) -> None:
    wanted, rows = reproduced(tmp_path, Scored(diverged=(0, 1)), seeds=2)
    assert (rows[0].state, rows[0].our_is, rows[0].our_fid) == ("complete, 2 diverged", 1.0, None)
    assert rows[0].protocol is None
    assert cells(report(wanted).markdown(), "DCGAN")[0]["seeds"] == "2"


def test_our_two_deviations_stand_apart(tmp_path: Path) -> None:
    wanted, rows = reproduced(
        tmp_path, THREE_SEEDS, command="colgan-search reproduce table1 --scale digits --device cpu"
    )
    row, made = rows[0], report(wanted)
    deviation = statistics.stdev([4.0, 5.0, 7.5])
    assert (row.our_is_std_over_seeds, row.our_is_std_over_splits) == (pytest.approx(deviation), pytest.approx(0.3))
    text = made.markdown()
    line, *every = cells(text, "DCGAN")
    assert line["paper: IS ± std over splits"] == "4.57 ± 0.03"
    assert line["ours: IS ± std over seeds"] == f"5.50 ± {deviation:.2f}"
    assert line["ours: IS std over splits"] == "0.30"
    assert (line["weights"], line["seeds"]) == ("best", "3")
    assert [(seed["trial"], seed["IS"], seed["IS std over splits"]) for seed in every] == [
        ("0", "4.00", "0.10"),
        ("1", "5.00", "0.20"),
        ("2", "7.50", "0.60"),
    ]
    assert len({seed["seed"] for seed in every}) == 3
    assert "`colgan-search reproduce table1 --scale digits --device cpu`" in text
    assert '"splits": 10' in text
    first, *_, last = csv.DictReader(io.StringIO(made.csv()))
    assert [seed["our_is"] for seed in json.loads(first["per_seed"])] == [4.0, 5.0, 7.5]
    assert (first["weights"], first["command"]) == ("best", wanted.command)
    assert (last["label"], last["state"], last["our_is"]) == ("real images", "not run", "")
    data = json.loads(made.json())
    assert [seed["our_fid"] for seed in data["rows"][0]["per_seed"]] == [30.0, 40.0, None]
    assert (data["command"], data["real_images"]["state"]) == (wanted.command, "not run")


def test_one_split_has_no_deviation(tmp_path: Path) -> None:
    wanted, rows = reproduced(tmp_path, replace(THREE_SEEDS, splits=1))
    assert rows[0].our_is_std_over_splits is None
    assert cells(report(wanted).markdown(), "DCGAN")[0]["ours: IS std over splits"] == ""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reproduction:
    """Table 1 with the studies' config replaced by a small one, and one study made."""
    config = parse_config(config_data(name="small", data__root="/of/another/machine"), "test")
    wanted = Reproduction("table1", "digits", storage=f"sqlite:///{tmp_path}/s.db", work_dir=tmp_path / "work")
    storage = open_storage(str(wanted.storage), create=True)
    create_or_open(storage, config, config.name, 1)
    storage.close()
    here = parse_config(config_data(name="small"), "test")
    monkeypatch.setattr(Reproduction, "config", lambda self, row: here)
    return wanted


def test_real_images_are_judged_by_the_studys_classifier(small: Reproduction, tmp_path: Path) -> None:
    config = small.config(small.rows()[0])
    elsewhere = tmp_path / "elsewhere"
    load_classifier(load_real(config), config.evaluation.classifier_epochs, elsewhere, torch.device("cpu"))
    (weights,) = elsewhere.glob("*.safetensors")
    tensors = load_file(weights)
    tensors["last.bias"] += 0.25 * torch.arange(len(tensors["last.bias"]))
    save_file(tensors, weights)
    card = json.loads(card_path(weights).read_text()) | {"weights_digest": file_digest(weights)}
    card_path(weights).write_text(json.dumps(card))
    storage = open_storage(str(small.storage))
    study = create_or_open(storage, config, config.name, 1)
    assert SharedFiles(study).push([weights, card_path(weights)])
    storage.close()
    found = score_real_images(small, gather(small))
    assert found.protocol.weights_digest == file_digest(weights)
    assert found.protocol.images == 1797 and found.score.is_mean > 1.0
    row = real_images_row(small, [], found)
    assert (row.our_is, row.our_is_std_over_splits) == (found.score.is_mean, None), "1 split"


def test_real_images_are_measured_again_if_need_be(small: Reproduction, tmp_path: Path) -> None:
    rows = gather(small)
    assert kept_real_images(small, rows) is None
    found = score_real_images(small, rows)
    file = tmp_path / "work" / "reproduce" / "real-images-digits.json"
    assert kept_real_images(small, rows) == found
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert kept_real_images(small, rows) is None
    assert score_real_images(small, rows) == found
    assert file.read_bytes() == whole
    file.write_bytes(whole.replace(b'"is_mean": ', b'"is_mean": 1'))
    assert score_real_images(small, rows).score.is_mean > 10, "kept, not measured"
    other = found.protocol.model_dump(mode="json") | {"weights_digest": "f" * 16, "images": 64}
    assert kept_real_images(small, [replace(rows[0], protocol=other)]) is None, "the table has another judge"
    same = found.protocol.model_dump(mode="json") | {"images": 64}
    assert kept_real_images(small, [replace(rows[0], protocol=same)]) is not None
    assert score_real_images(small, [replace(rows[0], protocol=other)]) == found, "measured anew"
