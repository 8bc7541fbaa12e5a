"""Checkpoints in a bucket: a server that speaks S3's protocol, found by the usual variables, as `--checkpoints s3://`."""

import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from colgan_search.cli.app import run as run_cli
from colgan_search.errors import DataError
from colgan_search.gan.checkpoint_store import CheckpointStore, ObjectStore, open_store
from colgan_search.gan.shared_checkpoint import SharedCheckpoint
from tests.fleet import WAIT_SECONDS, optuna_trials, rows_of, wait_until
from tests.integration.cli_helpers import config_data
from tests.integration.conftest import quiet_process  # noqa: F401
from tests.unit.gan_helpers import digest, run
from tests.unit.test_resume import GRAPH
from tests.unit.test_shared_checkpoint import UID, stopped

s3fs = pytest.importorskip("s3fs")
moto = pytest.importorskip("moto.server")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, int]]:
    """Host and port of an S3 of this process."""
    served = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    served.start()
    # Else s3fs hands out its client of the server before, where other files' tests ran between two of these.
    s3fs.S3FileSystem.clear_instance_cache()
    yield served.get_host_and_port()
    served.stop()


@pytest.fixture
def bucket(server: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a new bucket, and in the environment who may write to it, and where it is."""
    import boto3

    for name, value in environment(server[1]).items():
        monkeypatch.setenv(name, value)
    name = f"ours-{secrets.token_hex(4)}"
    boto3.client("s3").create_bucket(Bucket=name)
    return f"s3://{name}/checkpoints"


def environment(port: int) -> dict[str, str]:
    """AWS's own variables; the endpoint is what other makers of buckets say."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@pytest.fixture
def store(bucket: str) -> CheckpointStore:
    opened = open_store(bucket, "study", UID)
    assert isinstance(opened, ObjectStore)
    return opened


def test_another_machine_goes_on_with_the_same_bits(store: CheckpointStore, bucket: str, tmp_path: Path) -> None:
    whole = digest(run(GRAPH))
    stopped(store, tmp_path / "a" / "trial-00007", 3)
    elsewhere = open_store(bucket, "study", UID)
    assert elsewhere.names() == ["trial-00007"]
    seen: list[int] = []
    state = run(
        GRAPH, checkpoint=SharedCheckpoint(tmp_path / "b" / "trial-00007", "run", elsewhere), on_iteration=seen.append
    )
    assert seen == [4, 5, 6, 7, 8] and digest(state) == whole
    elsewhere.remove("trial-00007")
    elsewhere.remove("trial-00007")
    assert store.names() == [] and store.get("trial-00007") is None


def test_half_written_and_foreign_ones_are_refused(
    store: CheckpointStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stopped(store, tmp_path / "a" / "trial-1", 3)
    whole = store.get("trial-1")
    assert whole is not None
    assert SharedCheckpoint(tmp_path / "b" / "trial-1", "another run", store).load() is None
    assert "belongs to run 'run', this one is 'another run'" in caplog.text
    store.put("trial-1", memoryview(whole[:-100]))
    assert SharedCheckpoint(tmp_path / "b" / "trial-1", "run", store).load() is None
    assert "refused: cut short or unreadable" in caplog.text


def test_a_bucket_that_is_not_there_is_refused_in_one_line(bucket: str) -> None:
    with pytest.raises(DataError, match="`checkpoints` s3://nobody-has-this/x: cannot be used"):
        open_store("s3://nobody-has-this/x", "study", UID)


class Holding:
    """Forwards to the server until so many bytes have come from clients; the rest it takes and keeps."""

    def __init__(self, target: int, limit: int) -> None:
        self.target, self.left = target, limit
        self.held = threading.Event()
        self._counting = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                with self._counting:
                    self.left -= len(data) if counted else 0
                    if self.left < 0:
                        self.held.set()
                        continue
                sink.sendall(data)

    def close(self) -> None:
        """No more connections."""
        self._listener.close()


@pytest.mark.parametrize("size", [20_000_000, 120_000_000], ids=["at once", "in parts"])
def test_a_worker_that_is_killed_in_the_middle_of_an_upload_leaves_the_one_before(
    size: int, store: CheckpointStore, server: tuple[str, int], bucket: str
) -> None:
    """120 MB, like the 155 MiB of the paper's size, go in several parts."""
    store.put("trial-1", memoryview(b"the one before"))
    between = Holding(server[1], size - 5_000_000)
    program = (
        "import sys; from colgan_search.gan.checkpoint_store import open_store; "
        f"store = open_store({bucket!r}, 'study', {UID!r}); store.put('trial-1', memoryview(bytes({size})))"
    )
    variables = {**os.environ, **environment(between.port), "PYTHONPATH": os.pathsep.join(sys.path)}
    uploading = subprocess.Popen([sys.executable, "-c", program], env=variables)
    try:
        assert between.held.wait(WAIT_SECONDS), "the upload never came so far"
        assert uploading.poll() is None
    finally:
        uploading.kill()
        uploading.wait()
        between.close()
    assert store.get("trial-1") == b"the one before" and store.names() == ["trial-1"]
    store.put("trial-1", memoryview(b"the next"))
    assert store.get("trial-1") == b"the next"


@pytest.mark.usefixtures("quiet_process")
def test_a_worker_on_another_machine_goes_on_from_the_bucket(
    bucket: str, prepared_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, config = prepared_postgres_url, tmp_path / "small.yaml"
    changes = {"training__epochs": 60, "service": {"lease_seconds": 4.0}, "runtime__checkpoint_minutes": 0.01}
    config.write_text(yaml.safe_dump(config_data(**changes)))
    monkeypatch.setenv("COLGAN_STORAGE", url)
    made = ["launch", "--config", str(config), "--trials", "1", "--workers", "0", "--work-dir", str(tmp_path / "made")]
    assert run_cli(made) == 0

    def worker(number: int) -> "subprocess.Popen[bytes]":
        words = [
            "worker",
            "--study",
            "small",
            "--work-dir",
            str(tmp_path / f"machine-{number}"),
            "--checkpoints",
            bucket,
        ]
        return subprocess.Popen([sys.executable, "-m", "colgan_search", *words])

    (uid,) = rows_of(url, "SELECT uid FROM colgan_studies")[0]
    travelling = open_store(bucket, "small", uid)
    first = worker(0)
    try:
        wait_until(lambda: "trial-00000" in travelling.names(), "the first worker's checkpoint is in the bucket")
    finally:
        first.kill()
        first.wait()
    second = worker(1)
    try:
        assert second.wait(WAIT_SECONDS) == 0
    finally:
        second.kill()
        second.wait()
    assert [trial.state.name for trial in optuna_trials(url, "small")] == ["COMPLETE"]
    logs = "".join(file.read_text() for file in tmp_path.glob("machine-1/small/logs/*.log"))
    assert "goes on from the shared checkpoint" in logs
    assert travelling.names() == [], "what has ended needs none"
