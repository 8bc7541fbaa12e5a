"""Checkpoints that travel: a training goes on elsewhere with the same bits; what is broken or foreign is refused."""

import logging
from pathlib import Path

import pytest

from colgan_search.errors import DataError, Interrupted
from colgan_search.gan.checkpoint import CheckpointFile
from colgan_search.gan.checkpoint_store import CheckpointStore, FolderStore, ObjectStore, open_store
from colgan_search.gan.shared_checkpoint import SharedCheckpoint
from tests.unit.gan_helpers import digest, run
from tests.unit.test_resume import GRAPH, StopAfter

UID = "0123456789abcdef" * 2
KINDS = ["folder", "memory", "file"]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> CheckpointStore:
    """A store of each kind, as `--checkpoints` opens it."""
    address = {"folder": f"{tmp_path}/shared", "memory": f"memory://{tmp_path}", "file": f"file://{tmp_path}/bucket"}
    if request.param != "folder":
        pytest.importorskip("fsspec")
    opened = open_store(address[request.param], "study", UID)
    assert isinstance(opened, FolderStore if request.param == "folder" else ObjectStore)
    return opened


def stopped(store: CheckpointStore, machine: Path, iterations: int) -> None:
    """A training that is stopped after so many more iterations on a machine with that folder for the trial."""
    with pytest.raises(Interrupted):
        run(GRAPH, checkpoint=SharedCheckpoint(machine, "run", store), should_stop=StopAfter(iterations))


def test_another_machine_goes_on_with_the_same_bits(store: CheckpointStore, tmp_path: Path) -> None:
    whole = digest(run(GRAPH))
    stopped(store, tmp_path / "a" / "trial-00007", 3)
    assert store.names() == ["trial-00007"]
    seen: list[int] = []
    state = run(
        GRAPH,
        checkpoint=SharedCheckpoint(tmp_path / "b" / "trial-00007", "run", store),
        on_iteration=seen.append,
    )
    assert seen == [4, 5, 6, 7, 8]
    assert digest(state) == whole
    store.remove("trial-00007")
    store.remove("trial-00007")
    assert store.names() == [] and store.get("trial-00007") is None


def test_a_machine_that_was_left_behind_takes_the_one_that_is_further(store: CheckpointStore, tmp_path: Path) -> None:
    a, b = tmp_path / "a" / "trial-1", tmp_path / "b" / "trial-1"
    stopped(store, a, 2)
    stopped(store, b, 3)  # goes on from 2
    seen: list[int] = []
    run(GRAPH, checkpoint=SharedCheckpoint(a, "run", store), on_iteration=seen.append)
    assert seen == [6, 7, 8]


def test_a_machine_that_is_further_than_the_store_keeps_its_own(store: CheckpointStore, tmp_path: Path) -> None:
    a = tmp_path / "a" / "trial-1"
    stopped(store, a, 2)
    behind = store.get("trial-1")
    assert behind is not None
    stopped(store, a, 3)
    store.put("trial-1", memoryview(behind))
    seen: list[int] = []
    run(GRAPH, checkpoint=SharedCheckpoint(a, "run", store), on_iteration=seen.append)
    assert seen == [6, 7, 8]


@pytest.mark.parametrize("cut", [0, 1, 5000, -1])
def test_half_written_ones_are_refused(
    store: CheckpointStore, tmp_path: Path, cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    stopped(store, tmp_path / "a" / "trial-1", 3)
    whole = store.get("trial-1")
    assert whole is not None and len(whole) > 5000
    store.put("trial-1", memoryview(whole[:cut]))
    seen: list[int] = []
    run(GRAPH, checkpoint=SharedCheckpoint(tmp_path / "b" / "trial-1", "run", store), on_iteration=seen.append)
    assert seen == list(range(1, 9))
    assert "refused: cut short or unreadable" in caplog.text


def test_foreign_ones_are_refused(store: CheckpointStore, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stopped(store, tmp_path / "a" / "trial-1", 3)
    assert SharedCheckpoint(tmp_path / "b" / "trial-1", "another run", store).load() is None
    assert "belongs to run 'run', this one is 'another run'" in caplog.text


class Broken(FolderStore):
    """A store that went away after it was opened."""

    def put(self, name: str, content: memoryview) -> None:
        raise ConnectionError("no route to the bucket")

    def get(self, name: str) -> bytes | None:
        raise TimeoutError("no answer")


def test_a_store_that_goes_away_costs_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    machine = tmp_path / "a" / "trial-1"
    stopped(Broken(tmp_path), machine, 3)
    assert "no answer" in caplog.text and "no route to the bucket" in caplog.text
    loaded = CheckpointFile(machine, "run").load()
    assert loaded is not None and loaded["progress"][0] == 3


def test_studies_of_one_name_keep_theirs_apart(tmp_path: Path) -> None:
    one, two = (open_store(str(tmp_path), "study", uid) for uid in (UID, UID[::-1]))
    one.put("trial-1", memoryview(b"1"))
    assert two.names() == [] and one.names() == ["trial-1"]


def test_places_that_cannot_be_used_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(DataError, match=r"`checkpoints` .*a file.*: cannot be used"):
        open_store(str(tmp_path / "a file"), "study", UID)
    pytest.importorskip("fsspec")
    with pytest.raises(DataError, match="nosuch"):
        open_store("nosuch://bucket/path", "study", UID)
