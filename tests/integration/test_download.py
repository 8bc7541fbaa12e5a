"""Downloads from a local server: good, truncated, wrong, gone half-way, killed; nothing half-written is left."""

import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from colgan_search import downloading
from colgan_search.downloading import Remote, check_mirror, fetch
from colgan_search.errors import BadInput, ColganError, DataError, DiskFull
from tests.integration.cli_helpers import environment, wait_for
from tests.integration.file_server import CONTENT, Server


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def quietly(text: str) -> None:
    """The `say` of tests that do not listen."""


def test_a_good_download_is_kept_and_not_fetched_again(server: Server, tmp_path: Path) -> None:
    said: list[str] = []
    path = fetch(server.remote("good"), tmp_path, None, said.append)
    assert path.read_bytes() == CONTENT and names_in(tmp_path) == ["data.bin"]
    fetch(server.remote("500"), tmp_path, None, said.append)
    assert [line.split()[0] for line in said] == ["fetching", f"{path}:"] and "SHA-256 is right" in said[1]
    path.write_bytes(b"damaged")
    fetch(server.remote("good"), tmp_path, None, quietly)
    assert path.read_bytes() == CONTENT
    mirrored = fetch(server.remote("404"), tmp_path / "b", f"{server.address}/good/", quietly)
    assert mirrored.read_bytes() == CONTENT
    (tmp_path / "mirror").mkdir()
    path.rename(tmp_path / "mirror" / "data.bin")
    assert fetch(server.remote("404"), tmp_path / "c", (tmp_path / "mirror").as_uri(), quietly).is_file()


@pytest.mark.parametrize(
    ("how", "kind", "code", "expected"),
    [
        ("truncated", DataError, 2, "not the expected file or was cut short"),
        ("wrong", DataError, 2, "not the expected file or was cut short"),
        ("404", DataError, 2, "the server says 404 Not Found; check the address"),
        ("503", ColganError, 1, "the server says 503"),
        ("gone", ColganError, 1, "could not be fetched"),
        ("stalled", ColganError, 1, "timed out"),
    ],
)
@pytest.mark.parametrize("before", [None, b"an older file"])
def test_a_bad_download_leaves_nothing(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    kind: type[ColganError],
    code: int,
    expected: str,
    before: bytes | None,
) -> None:
    if how == "stalled":
        monkeypatch.setattr(downloading, "STALL_SECONDS", 0.5)
    if before is not None:
        (tmp_path / "data.bin").write_bytes(before)
    with pytest.raises(ColganError) as caught:
        fetch(server.remote(how), tmp_path, None, quietly)
    assert type(caught.value) is kind and caught.value.exit_code == code
    text = str(caught.value)
    assert expected in text and server.remote(how).address in text and "name a mirror" in text and str(tmp_path) in text
    assert names_in(tmp_path) == ([] if before is None else ["data.bin"])
    assert before is None or (tmp_path / "data.bin").read_bytes() == before
    assert socket.getdefaulttimeout() is None


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/data.bin"
        with pytest.raises(ColganError, match=r"could not be fetched .*refused") as caught:
            fetch(Remote(address, "0" * 64, 10), tmp_path, None, quietly)
    assert caught.value.exit_code == 1 and names_in(tmp_path) == []


def test_no_space_is_said_before_anything_is_fetched(server: Server, tmp_path: Path) -> None:
    remote = server.remote("good")
    with pytest.raises(DiskFull, match=r"MiB free, .* MiB needed"):
        fetch(Remote(remote.address, remote.sha256, 2**62), tmp_path, None, quietly)
    assert names_in(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_disk_that_fills_up_on_the_way(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_a_full_device(name: str, mode: str) -> Any:
        Path(name).symlink_to("/dev/full")
        return Path(name).open("r+b")

    monkeypatch.setattr(torch.hub, "open", on_a_full_device, raising=False)
    with pytest.raises(DiskFull, match=r"data\.bin: no space left on the device; nothing of it was kept") as caught:
        fetch(server.remote("good"), tmp_path, None, quietly)
    assert caught.value.exit_code == 1 and names_in(tmp_path) == []


def test_a_killed_download_is_taken_up_by_the_next(server: Server, tmp_path: Path) -> None:
    remote = server.remote("stalled")
    program = (
        "from pathlib import Path; from colgan_search.downloading import Remote, fetch; "
        f"fetch(Remote({remote.address!r}, {remote.sha256!r}, 10), Path({str(tmp_path)!r}), None, print)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], env=environment(no_proxy="*"))
    try:
        wait_for(lambda: any(path.stat().st_size > 0 for path in tmp_path.glob("*.partial")), "half of the file")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    assert names_in(tmp_path) != [] and "data.bin" not in names_in(tmp_path)
    fetch(server.remote("good"), tmp_path, None, quietly)
    assert names_in(tmp_path) == ["data.bin"] and (tmp_path / "data.bin").read_bytes() == CONTENT


def test_mirrors_that_are_no_addresses() -> None:
    for good in (None, "http://host/x", "https://host", "file:///mnt/x"):
        check_mirror(good)
    for bad in ("host/x", "ftp://host/x", "/mnt/x", "http://", "http://[1/"):
        with pytest.raises(BadInput, match="mirror"):
            check_mirror(bad)
