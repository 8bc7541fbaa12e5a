"""Who may ask a web application what: a WSGI application around another one that knows no login."""

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

READING = ("GET", "HEAD")
USER = "colgan"
"""For people: any user name is taken, the password counts."""

HEADERS = (
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "same-origin"),
)
"""On every answer: no page of others shows or uses one of ours."""

ARTIFACTS = "/artifacts/"
CONTENT = (("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox"),)
"""On what trials have left: a page or picture with a script in it, which somebody put into the database, runs none."""

Answer = Callable[..., Any]
Application = Callable[[dict[str, Any], Answer], Iterable[bytes]]


@dataclass(frozen=True)
class Guard:
    """Lets a request through to `application`, or answers it with the reason why not.

    A page of another site that the user visits can send requests here. It is known by its Origin; where it names this
    machine by a name of its own (DNS rebinding), by the Host. A password (HTTP Basic) keeps everyone else out: with
    one, the server may go by any name, as browsers send it only to the address that it was typed for.
    """

    application: Application
    password: str | None = None
    writable: bool = False
    """False = nothing can be changed: GET and HEAD alone."""

    def __call__(self, environ: dict[str, Any], start_response: Answer) -> Iterable[bytes]:
        """The WSGI protocol."""
        refused = self._refusal(environ)
        if refused is not None:
            status, reason, *more = refused
            text = f"{reason}\n".encode()
            start_response(status, [("Content-Type", "text/plain; charset=utf-8"), *HEADERS, *more])
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [text]

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            content = CONTENT if environ.get("PATH_INFO", "").startswith(ARTIFACTS) else ()
            return start_response(status, [*headers, *HEADERS, *content], *error)

        return self.application(environ, start)

    def _refusal(self, environ: dict[str, Any]) -> tuple[Any, ...] | None:
        """Status, reason and headers for a request that is not let through."""
        host, origin = environ.get("HTTP_HOST", ""), environ.get("HTTP_ORIGIN")
        if self.password is None and not is_local(_name(host)):
            return "403 Forbidden", "this dashboard answers to localhost alone; open it by that name"
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return "403 Forbidden", "requests of other sites are refused"
        if environ.get("HTTP_SEC_FETCH_SITE") in ("cross-site", "same-site") and not _follows_a_link(environ):
            return "403 Forbidden", "requests of other sites are refused"
        if self.password is not None and not self._knows_password(environ.get("HTTP_AUTHORIZATION", "")):
            challenge = ("WWW-Authenticate", 'Basic realm="colgan-search dashboard", charset="UTF-8"')
            return "401 Unauthorized", f"a password is needed (any user name, {USER} say)", challenge
        if not self.writable and environ["REQUEST_METHOD"] not in READING:
            allowed = ("Allow", ", ".join(READING))
            return "405 Method Not Allowed", "this dashboard only shows; start it with --writable to change", allowed
        return None

    def _knows_password(self, header: str) -> bool:
        assert self.password is not None
        kind, _, words = header.partition(" ")
        try:
            given = base64.b64decode(words.strip(), validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            given = b""
        return kind.lower() == "basic" and hmac.compare_digest(given, self.password.encode())


def is_local(name: str) -> bool:
    """True for this machine's own name and addresses, which no other machine reaches: localhost, 127.0.0.1, ::1."""
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _follows_a_link(environ: dict[str, Any]) -> bool:
    """True for a page that a person opens by a link on another site: it is shown to the person, not to that site."""
    return environ["REQUEST_METHOD"] in READING and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
