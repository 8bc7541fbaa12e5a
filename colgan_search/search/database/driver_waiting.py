"""How psycopg2 waits for a server: in Python, so that signals are heard meanwhile, and not for ever."""

import selectors

import psycopg2
import psycopg2.extensions

ANSWER_SECONDS = 8.0
"""A server that is silent for so long while we wait for it is away: a drain, with two such waits, ends within 30 s."""

_EVENTS = {
    psycopg2.extensions.POLL_READ: selectors.EVENT_READ,
    psycopg2.extensions.POLL_WRITE: selectors.EVENT_WRITE,
}


def wait_in_python() -> None:
    """Makes every psycopg2 connection of this process wait by `wait_for_answer`."""
    # Inside libpq a frozen server would hold the process for ever, deaf to SIGTERM and Ctrl-C.
    psycopg2.extensions.set_wait_callback(wait_for_answer)


def wait_for_answer(connection: psycopg2.extensions.connection) -> None:
    """Waits until the server has answered; OperationalError, and the connection is closed, if it is silent too long."""
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), _EVENTS[state])
            if not selector.select(ANSWER_SECONDS):
                raise psycopg2.OperationalError(f"no answer from the server for {ANSWER_SECONDS:.0f} s")
