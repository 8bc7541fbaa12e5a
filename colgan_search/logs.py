"""One line per event, times in UTC, worker and trial on each; never a password."""

import json
import logging
import logging.handlers
import sys
import time
from pathlib import Path
from urllib.parse import quote

LOG_FILE_BYTES = 5 * 2**20
LOG_FILES_KEPT = 3
HIDDEN = "***"

_context: dict[str, str] = {"worker": "-", "trial": "-"}
_secrets: set[str] = set()


def set_worker(name: str) -> None:
    """Names this process's worker on every later line."""
    _context["worker"] = name


def set_trial(number: int | None) -> None:
    """Names the trial on every later line of this process; a worker runs one at a time."""
    _context["trial"] = "-" if number is None else str(number)


def hide(secret: str | None) -> None:
    """Every later line shows *** where it would show `secret`, plain or in %-form."""
    if secret:
        _secrets.update({secret, quote(secret, safe=""), quote(secret)})


def without_secrets(text: str) -> str:
    """The text with every hidden secret replaced."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


class _Lines(logging.Formatter):
    """`2026-01-31T12:00:00.000Z INFO worker trial message`."""

    converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        moment = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{record.msecs:03.0f}Z"
        line = f"{moment} {record.levelname} {_context['worker']} trial={_context['trial']} {record.getMessage()}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return without_secrets(line)


class _JsonLines(logging.Formatter):
    """The same as one JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        data = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{record.msecs:03.0f}Z",
            "level": record.levelname,
            "worker": _context["worker"],
            "trial": _context["trial"],
            "message": record.getMessage(),
        }
        if record.exc_info:
            data["exception"] = self.formatException(record.exc_info)
        return without_secrets(json.dumps(data))


def set_up(file: Path | None = None, *, terminal: bool = True, as_json: bool = False) -> None:
    """Sends this process's events to standard error and, rotating, to `file`."""
    formatter: logging.Formatter = _JsonLines() if as_json else _Lines()
    handlers: list[logging.Handler] = []
    if terminal:
        handlers.append(logging.StreamHandler(sys.stderr))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(
            logging.handlers.RotatingFileHandler(
                file, maxBytes=LOG_FILE_BYTES, backupCount=LOG_FILES_KEPT, encoding="utf-8"
            )
        )
    root = logging.getLogger()
    root.handlers.clear()
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("colgan_search").setLevel(logging.INFO)
