"""TLS is asked for by the URL alone: encrypted where the server can, refused in plain words where it cannot."""

import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from colgan_search.cli.app import run
from colgan_search.errors import StorageError
from colgan_search.search.database.opening import open_storage
from tests.integration import cli_helpers as helpers
from tests.postgres import PASSWORD, Postgres

pytestmark = pytest.mark.slow

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""What a PostgreSQL client sends first when it wants TLS; the answer is one byte, S or N."""


class TlsFront:
    """Speaks TLS in front of the test server, whose binaries have none."""

    def __init__(self, port: int, certificate: Path, key: Path) -> None:
        self.behind = port
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.encrypted = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        try:
            if client.recv(8) != SSL_REQUEST:
                client.close()  # whoever speaks in the clear is not let through
                return
            client.sendall(b"S")
            secure = self.context.wrap_socket(client, server_side=True)
        except OSError:
            client.close()
            return
        self.encrypted += 1
        server = socket.create_connection(("127.0.0.1", self.behind))
        back = threading.Thread(target=self._pump, args=(server, secure), daemon=True)
        back.start()
        self._pump(secure, server)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            end.close()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for `localhost`, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl program to make a certificate")
    paths = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run(command, check=True, capture_output=True)
    return paths


@pytest.fixture
def front(postgres: Postgres, certificate: tuple[Path, Path]) -> Iterator[TlsFront]:
    """The test server behind TLS."""
    made = TlsFront(postgres.port, *certificate)
    yield made
    made.socket.close()


def test_an_encrypted_study_is_made_and_read_back(
    postgres_url: str, front: TlsFront, certificate: tuple[Path, Path], postgres: Postgres, tmp_path: Path
) -> None:
    through = postgres_url.replace(f"127.0.0.1:{postgres.port}", f"localhost:{front.port}")
    verified = f"{through}?sslmode=verify-full&sslrootcert={certificate[0]}"
    helpers.fake_study(verified, helpers.small_config(tmp_path), total=2, done=1)
    assert front.encrypted >= 2, "our engine and Optuna's"
    assert len(helpers.trials_of(postgres_url)) == 1, "read past the TLS, straight from the server"


def test_an_unknown_authority_is_refused_with_what_to_do(
    postgres_url: str, front: TlsFront, postgres: Postgres, tmp_path: Path
) -> None:
    through = postgres_url.replace(f"127.0.0.1:{postgres.port}", f"localhost:{front.port}")
    other = tmp_path / "other.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=other", "-out", str(other)]
    subprocess.run([*command, "-keyout", str(tmp_path / "other.key")], check=True, capture_output=True)
    with pytest.raises(StorageError, match="certificate verify failed; name the authority's certificate") as refused:
        open_storage(f"{through}?sslmode=verify-full&sslrootcert={other}", create=True)
    assert PASSWORD not in str(refused.value)


def test_tls_that_the_server_does_not_have_is_refused(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StorageError, match="does not support SSL, but SSL was required; turn TLS on") as refused:
        open_storage(f"{postgres_url}?sslmode=require", create=True)
    assert PASSWORD not in str(refused.value)
    assert run(["status", "--storage", f"{postgres_url}?sslmode=require", "--work-dir", str(tmp_path)]) == 2
    assert "SSL was required" in capsys.readouterr().err
    open_storage(f"{postgres_url}?sslmode=disable", create=True).close()


def test_a_wrong_word_for_tls_is_refused(postgres_url: str) -> None:
    with pytest.raises(StorageError, match="sslmode"):
        open_storage(f"{postgres_url}?sslmode=perhaps", create=True)
