"""The program: its commands, and what becomes of errors (exit 0 well, 1 failed, 2 bad input)."""

import errno
import logging
import os
import sys
import traceback

import typer

from colgan_search import logs
from colgan_search.cli import usage
from colgan_search.cli.commands import Commands
from colgan_search.cli.wording import as_typed
from colgan_search.errors import ColganError, Interrupted
from colgan_search.launchers.cores import keep_free
from colgan_search.version import __version__

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Whatever was being written, to a file or to standard output, could not be for want of space."""

app = typer.Typer(
    name="colgan-search",
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Finds the best knowledge transfer graph for collaborative GANs.",
    epilog="\b\nExample: colgan-search launch --config digits --trials 12",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _program(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Finds the best knowledge transfer graph for collaborative GANs."""


def main() -> None:
    """Runs the program and ends the process with its exit code."""
    keep_free(os.environ)  # before PyTorch is loaded
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:
        # What is left cannot be written, as was said: it is not tried, and told in a traceback, once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or 1
    if sys.argv[1:2] == ["worker"]:
        # All is closed. To take PyTorch down costs Python seconds, which whoever waits for a drain may not have.
        logging.shutdown()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """The exit code of a command line. Errors that we name are one message on standard error, never a traceback."""
    try:
        result = app(arguments or ["--help"], prog_name=app.info.name, standalone_mode=False)
    except usage.UsageError as error:
        _say(f"error: {usage.explain(error)}")
        return 2
    except Interrupted as stopped:
        _say(str(stopped))
        return 0
    except ColganError as error:
        _say(f"error: {error}")
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        return 1
    except OSError as error:
        return _unexpected(error) if error.errno not in FULL else _full(error)
    except Exception as error:
        return _unexpected(error)
    return result if isinstance(result, int) else 0


def _full(error: OSError) -> int:
    where = error.filename or "the output"
    _say(f"error: {where} cannot be written: {error.strerror}")
    return 1


def _unexpected(error: Exception) -> int:
    from colgan_search.search.database.retry import GRANTS, is_outage, is_refusal, one_line

    if is_refusal(error):
        _say(f"error: the database refuses its role what is needed: {one_line(error)}; {GRANTS}")
        return 2
    if is_outage(error):
        _say(f"error: the database cannot be used now: {one_line(error)}")
        return 1
    _say(traceback.format_exc())
    _say("error: this is a defect of colgan-search; please report the lines above")
    return 1


def _say(text: str) -> None:
    text = as_typed(text)
    if logs.as_json():
        logging.getLogger(__name__).error(text.removeprefix("error: "))
        return
    print(logs.visible(logs.without_secrets(text)), file=sys.stderr)  # noqa: T201
