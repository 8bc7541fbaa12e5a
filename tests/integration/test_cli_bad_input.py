"""Every wrong input: exit code 2, no traceback, the value and what is right in the message, and nothing written."""

import json
import shutil
import socket
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import torch
from PIL import Image

from colgan_search import __version__
from colgan_search.cli.app import run
from tests.integration.bad_inputs import CASES, Bad
from tests.integration.cli_helpers import contents, fake_study, optuna_study, small_config, trials_of, write_config
from tests.postgres import PASSWORD, Postgres


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with broken files, image folders, and the database of a study with 3 of 5 trials done."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "folder").mkdir()
    (folder / "binary.yaml").write_bytes(b"\xff\xfe\x00\x9f name: x")
    (folder / "binary.db").write_bytes(b"\x00\x01 this is no database at all " * 200)
    (folder / "broken.yaml").write_text("name: x\nk: [1, 2\ndata: }")
    (folder / "empty.yaml").write_text("")
    (folder / "twice.yaml").write_text("name: x\nk: 2\nk: 3\n")
    (folder / "large.yaml").write_text("#" * (2**20 + 1))
    (folder / "deep.yaml").write_text("name: " + "[" * 50_000)
    (folder / "deep.json").write_text('{"k":' * 100_000)
    (folder / "set.yaml").write_text("name: x\ndata: {name: digits, size: !!set {a, b}}\n")
    (folder / "circle.yaml").write_text("name: x\ndata: &a {name: digits, root: *a}\n")
    lists = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    (folder / "bomb.yaml").write_text("\n".join(["a0: &a0 [x]", *lists]))
    merged = [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 40)]
    (folder / "merged.yaml").write_text("\n".join(["a0: &a0 {x: 1}", *merged]))
    (folder / "other").mkdir()
    (folder / "taken").mkdir()
    (folder / "taken" / "small").write_text("a file in the place of the study's folder")
    other = {"version": __version__, "fingerprint": "0123456789abcdef", "graph": "G1=D:t/G2=D:t"}
    (folder / "other" / "run.json").write_text(json.dumps(other))
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    for root, classes in {"single": ("cats",), "broken": ("cats", "dogs"), "hollow": ("cats", "dogs")}.items():
        for name in classes:
            (folder / root / name).mkdir(parents=True)
            Image.fromarray(pixels).save(folder / root / name / "1.png")
    (folder / "hollow" / "dogs" / "1.png").unlink()
    whole = (folder / "broken" / "dogs" / "1.png").read_bytes()
    (folder / "broken" / "dogs" / "1.png").write_bytes(whole[: len(whole) // 2])
    fake_study(f"sqlite:///{folder / 'study.db'}", small_config(folder), total=5, done=3).storage.close()
    return folder


@pytest.mark.usefixtures("quiet_process")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_bad_input_is_refused(
    case: Bad,
    template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    place = tmp_path / "place"
    shutil.copytree(template, place)
    monkeypatch.chdir(place)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    changes = dict(case.changes)
    if "--data-root" in case.command:
        changes["data__root"] = "nowhere"
    path = write_config(place, **changes)
    if case.changes.get("name", "") is None:
        path.write_text("\n".join(line for line in path.read_text().splitlines() if not line.startswith("name:")))
    storage = f"sqlite:///{place / 'study.db'}"
    words = {
        "many": "/".join(f"G{n}=-" for n in range(1, 9000)),
        "c": str(path),
        "s": storage,
        "pw": quote(PASSWORD, safe=""),
    }
    if "{s}" in case.command:
        words["fingerprint"] = str(optuna_study(storage).user_attrs["fingerprint"])
    if "{pg_" in case.command:
        server: Postgres = request.getfixturevalue("postgres")
        words["pg_wrong"] = server.url("postgres", password=PASSWORD + "x")
        words["pg_none"] = server.url("nowhere")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        words["port"] = str(listener.getsockname()[1])
        before = contents(place)
        trials_before = trials_of(storage) if "{s}" in case.command else []

        code = run(case.command.format(**words).split())

    text = "".join(capfd.readouterr())
    assert code == 2, text
    assert "Traceback" not in text and "defect" not in text
    for expected in case.expected:
        assert expected.format(**words) in text
    assert PASSWORD not in text and words["pw"] not in text
    assert contents(place) == before
    if trials_before:
        assert trials_of(storage) == trials_before


def test_there_are_enough_cases_with_names_of_their_own() -> None:
    assert len(CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)
