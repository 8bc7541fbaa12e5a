"""A real PgBouncer in front of a test's PostgreSQL, where the machine has one (Debian: `apt install pgbouncer`)."""

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from colgan_search.search.database.urls import normalise_url
from tests.postgres import PASSWORD, Postgres, own_port

START_SECONDS = 60.0


class PgBouncer:
    """Listens on 127.0.0.1:`port`; `sessions` connections to the server for each database and role."""

    def __init__(self, postgres: Postgres, *, mode: str = "transaction", sessions: int = 20, extra: str = "") -> None:
        program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
        if program is None:
            pytest.skip("there is no pgbouncer on this machine")
        folder = Path(tempfile.mkdtemp(prefix="colgan-bouncer-"))
        user = postgres.system_user  # it refuses to run as root
        self.port, self._port_lock = own_port()
        (folder / "users.txt").write_text(f'"colgan" "{PASSWORD}"\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={postgres.port}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {folder}/users.txt\n"
            f"pool_mode = {mode}\ndefault_pool_size = {sessions}\nmax_client_conn = 500\n{extra}\n"
        )
        if user is not None:
            shutil.chown(folder, user)
            for path in folder.iterdir():
                shutil.chown(path, user)
        self._log = (folder / "log").open("w")
        self._process = subprocess.Popen(
            [program, str(folder / "pgbouncer.ini")], user=user, stdout=self._log, stderr=subprocess.STDOUT
        )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.05)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def through(self, url: str) -> str:
        """The URL that leads through it."""
        return normalise_url(url).set(port=self.port).render_as_string(hide_password=False)

    def close(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait()
        self._log.close()
        self._port_lock.release()
