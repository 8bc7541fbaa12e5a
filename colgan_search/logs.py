"""One line per event, times in UTC, worker and trial on each; never a password."""

import json
import logging
import logging.handlers
import os
import re
import sys
import threading
import time
from io import TextIOWrapper
from pathlib import Path
from urllib.parse import quote, quote_plus

LOG_FILE_BYTES = 5 * 2**20
LOG_FILES_KEPT = 3
HIDDEN = "***"
SHORTEST_SECRET = 3
"""Shorter ones hide nothing, but would black out every other word; in URLs they are hidden all the same."""
NOBODY = "-"
"""Stands for the worker or the trial where there is none."""

_context: dict[str, str] = {"worker": NOBODY, "trial": NOBODY}
_secrets: set[str] = set()
_as_json = False

# A password that nobody has named yet: in a URL, whatever characters it has, or among libpq's keywords.
# PASSWORD in capitals is what help and errors write for one.
_IN_URL = re.compile(
    r"(\b[a-z][a-z0-9+.-]*://[^\s:/@'\"]*:)(?!(?-i:PASSWORD)@[^\s'\"@]*(?:[\s'\"]|$))[^\s'\"]+@", re.IGNORECASE
)
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_IN_KEYWORDS = re.compile(r"\b((?:pg|ssl)?password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&'\"]+)", re.IGNORECASE)


def set_worker(name: str) -> None:
    """Names this process's worker on every later line."""
    _context["worker"] = name


def set_trial(number: int | None) -> None:
    """Names the trial on every later line of this process; a worker runs one at a time."""
    _context["trial"] = NOBODY if number is None else str(number)


def hide(secret: str | None) -> None:
    """Every later line shows *** where it would show `secret`: plain, %-encoded, in a repr, in JSON or in a DSN."""
    if not secret or len(secret) < SHORTEST_SECRET:
        return
    forms = {secret, quote(secret), quote(secret, safe=""), quote(secret, safe=" +"), quote_plus(secret)}
    forms |= {re.sub("%[0-9A-F]{2}", lambda code: code.group().lower(), form) for form in forms if form != secret}
    libpq = secret.replace("\\", "\\\\").replace("'", "\\'")
    # A repr inside a repr, or inside JSON, is escaped once more.
    for form in (secret, libpq):
        for escaped in (form, repr(form)[1:-1], json.dumps(form)[1:-1]):
            forms |= {escaped, repr(escaped)[1:-1], json.dumps(escaped)[1:-1]}
    _secrets.update(forms)


def visible(text: str) -> str:
    """The text with its control characters as Python writes them: what a database says must not steer a terminal.

    Line ends and tabs stay. Escape sequences of 7 and 8 bits, carriage returns, line separators, signs that turn the
    direction of writing, and halves of characters do not.
    """
    return _STEERING.sub(lambda sign: ascii(sign.group())[1:-1], text)


def without_secrets(text: str) -> str:
    """The text with every hidden secret replaced, and every password that stands in a URL or a DSN."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _IN_URL.sub(rf"\g<1>{HIDDEN}@", text)
    return _IN_KEYWORDS.sub(rf"\g<1>{HIDDEN}", text)


class _Lines(logging.Formatter):
    """`2026-01-31T12:00:00.000Z INFO worker trial=3 message`; a traceback follows on the same line."""

    def format(self, record: logging.LogRecord) -> str:
        event = self._event(record)
        line = f"{event['time']} {event['level']} {event['worker']} trial={event['trial']} {event['message']}"
        if "exception" in event:
            line += f" | {event['exception']}"
        return visible(" | ".join(part for part in line.splitlines() if part.strip()))

    def _event(self, record: logging.LogRecord) -> dict[str, str]:
        """Its parts as text without secrets."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        event = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            **_context,
            "message": without_secrets(record.getMessage()),
        }
        if record.exc_info:
            event["exception"] = without_secrets(self.formatException(record.exc_info))
        return event


class _JsonLines(_Lines):
    """The same as one JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self._event(record))


class _Terminal(logging.StreamHandler):  # type: ignore[type-arg]
    """Standard error as it is at the time: a live view puts its own in the place."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def open_own(path: str, flags: int) -> int:
    """An `opener`: a file that it makes is this user's alone, whatever the umask."""
    return os.open(path, flags, 0o600)


class _OwnFile(logging.handlers.RotatingFileHandler):
    def _open(self) -> TextIOWrapper:
        return TextIOWrapper(open(self.baseFilename, "ab", opener=open_own), encoding=self.encoding)


def set_up(file: Path | None = None, *, terminal: bool = True, as_json: bool = False) -> None:
    """Sends this process's events, Python's warnings and threads' errors to standard error and, rotating, to `file`."""
    global _as_json
    _as_json = as_json
    root = logging.getLogger()
    root.handlers.clear()
    # logging's own complaint (a full disk, say) would print the arguments of the event as they are.
    logging.raiseExceptions = False
    if terminal:
        _add(_Terminal())
    if file is not None:
        add_file(file)
    root.setLevel(logging.WARNING)
    logging.getLogger("colgan_search").setLevel(logging.INFO)
    logging.captureWarnings(True)
    threading.excepthook = _log_thread_error


def add_file(file: Path) -> None:
    """Sends every later event to `file` as well, which is rotated at 5 MiB, three old ones kept.

    A file that cannot be made is a warning: a worker does not stop for its log.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = _OwnFile(file, maxBytes=LOG_FILE_BYTES, backupCount=LOG_FILES_KEPT, encoding="utf-8")
    except OSError as error:
        logging.getLogger(__name__).warning("%s: no log is kept there: %s", file, error.strerror)
        return
    _add(handler)


def as_json() -> bool:
    """True if this process's events are JSON: then nothing else is to stand among them."""
    return _as_json


def worker_of_line(line: str) -> str | None:
    """The worker named on a line of a log file of either kind; None if the line is none of ours or names nobody."""
    if line.startswith("{"):
        try:
            worker = json.loads(line)["worker"]
        except (ValueError, KeyError, TypeError):
            return None
    else:
        words = line.split(" ", 4)
        if len(words) < 4 or not words[0].endswith("Z") or not words[3].startswith("trial="):
            return None
        worker = words[2]
    return worker if isinstance(worker, str) and worker != NOBODY else None


def _add(handler: logging.Handler) -> None:
    handler.setFormatter(_JsonLines() if _as_json else _Lines())
    logging.getLogger().addHandler(handler)


def _log_thread_error(error: threading.ExceptHookArgs) -> None:
    if error.exc_value is not None:
        where = error.thread.name if error.thread is not None else "a thread"
        information = (error.exc_type, error.exc_value, error.exc_traceback)
        logging.getLogger(__name__).error("%s ended by an error", where, exc_info=information)
