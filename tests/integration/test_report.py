"""`report`: what it says of a study, compared with Optuna's own API, and that nothing in it can act."""

import re
import shutil
import statistics
from html.parser import HTMLParser
from pathlib import Path

import pytest

import colgan_search
from colgan_search.cli.app import run
from colgan_search.search.study.opening import OpenStudy
from tests.fleet import fake_config, make_study
from tests.integration.cli_helpers import fake_study, fill, optuna_study

HOSTILE = "<script>alert(1)</script> | `x` \x1b[31m ![a](http://evil.example/x.png)"
ADDRESSES = ("src", "href", "action", "data", "poster", "srcset", "background")


class _Reader(HTMLParser):
    """The addresses, elements and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.elements: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ADDRESSES]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def _read(path: Path) -> _Reader:
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.text = " ".join(reader.text.split())
    return reader


@pytest.fixture
def url(prepared_file: Path, tmp_path: Path) -> str:
    shutil.copyfile(prepared_file, tmp_path / "study.db")
    return f"sqlite:///{tmp_path / 'study.db'}"


@pytest.fixture
def searched(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenStudy:
    """A search of 12 results with 11 there, one fault on the way, in the storage that COLGAN_STORAGE names."""
    monkeypatch.setenv("COLGAN_STORAGE", url)
    monkeypatch.chdir(tmp_path)
    study = fake_study(url, fake_config("searched"), total=12, done=6)
    claim = study.slots.claim("<b>host</b>:1:00000001", 60.0)
    assert claim is not None and study.slots.release(claim, HOSTILE)
    fill(study, 5)
    return study


def test_without_a_confirmation_it_says_that_nothing_is_confirmed(searched: OpenStudy, url: str) -> None:
    assert run(["report", "--out", "out/r.html"]) == 0
    page = _read(Path("out/r.html"))
    assert "Nothing has been confirmed." in page.text and "The study is not done: 11 of 12 trials" in page.text
    theirs = optuna_study(url, "searched")
    assert f"trial {theirs.best_trial.number} with IS {theirs.best_value:.3f}" in page.text
    assert "1 of a machine" in page.text and "alert(1)" in page.text
    assert "11 of 12 trials" in page.text
    # Nothing of it can act, and nothing is asked of any network.
    source = Path("out/r.html").read_text(encoding="utf-8")
    assert "script" not in page.elements and "<b>" not in source and "\x1b" not in source
    assert page.addresses and all(address.startswith(("data:", "#")) for address in page.addresses)
    assert "default-src 'none'" in source
    assert not re.search(r"url\(|@import", source)


def test_a_confirmation_is_the_answer(searched: OpenStudy, url: str) -> None:
    fill(searched, 1)
    graphs = list(dict.fromkeys(str(trial.user_attrs["graph"]) for trial in searched.load().trials))
    race = {
        "study": "searched",
        "trials": 12,
        "epochs": searched.config.training.epochs,
        "candidates": [{"graph": graph, "estimate": 5.0, "luckiest": 9.0} for graph in graphs[:2]],
        "baselines": [{"name": "mad-gan", "graph": "G1=D:t/G2=D:t"}],
        "seeds": 3,
    }
    config = fake_config("searched-confirm", search={"sampler": "race", "sampler_settings": race})
    fill(make_study(url, 30, config), 40)
    runs = optuna_study(url, "searched-confirm").trials
    final = [trial for trial in runs if trial.user_attrs["role"] == "final"]
    baseline = [trial.value for trial in runs if trial.user_attrs["role"] == "baseline"]
    assert len(final) == len(baseline) == 3
    file = colgan_search.report("searched")
    assert file == (Path("colgan_work") / "searched" / "report.html").absolute()
    said = _read(file).text
    winner, mean = final[0].user_attrs["graph"], statistics.fmean(trial.value or 0.0 for trial in final)
    assert said.index(winner) < said.index(f"IS {mean:.3f} 95 % interval") < said.index("Leading graphs")
    others = statistics.fmean(value or 0.0 for value in baseline)
    assert f"{mean - others:+.3f}" in said and "Nothing has been confirmed" not in said
    # The confirmation's own report begins with the same answer.
    assert f"IS {mean:.3f} 95 % interval" in _read(colgan_search.report("searched-confirm", out="c.html")).text


def test_markdown_has_its_pictures_beside_it(searched: OpenStudy) -> None:
    file = colgan_search.report(out="r.md", form="markdown")
    text = file.read_text(encoding="utf-8")
    pictures = re.findall(r"^!\[[^\n]*\]\((r_pictures/[\w.-]+)\)$", text, re.MULTILINE)
    assert {"r_pictures/graph-1.svg", "r_pictures/best-so-far.svg"} <= set(pictures)
    assert all(Path(picture).stat().st_size > 1000 for picture in pictures)
    assert "**Nothing has been confirmed.**" in text
    assert "\\<script\\>" in text and "<script>" not in text and "](http" not in text and "\x1b" not in text


def test_a_study_without_a_result(prepared_url: str, tmp_path: Path) -> None:
    make_study(prepared_url, 3, fake_config("new"))
    for form, name in (("html", "r.html"), ("markdown", "r.md")):
        file = colgan_search.report(storage=prepared_url, out=tmp_path / name, form=form, work_dir=tmp_path)
        assert "there is nothing to say of any graph" in file.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--study", "none"], "there is no study 'none'"),
        (["--out", "."], "is a folder; name a file"),
        (["--format", "pdf"], "'pdf'"),
    ],
)
def test_what_cannot_be_reported_is_said_in_one_line(
    words: list[str], said: str, searched: OpenStudy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", *words]) == 2
    assert said in capsys.readouterr().err
