"""What a database says when it cannot be used, with what to do where we know it."""

from colgan_search.search.database.retry import GRANTS


def explain(error: Exception) -> str:
    """The database's own words in one line, with what to do where we know it."""
    cause = getattr(error, "orig", None) or error.__cause__ or error
    text = " ".join(str(getattr(cause, "orig", None) or cause).split())
    hints = {
        "password authentication failed": "check the user and password (special characters in %-form)",
        "no password supplied": "put the password into the URL, PGPASSWORD or ~/.pgpass",
        "does not exist": "create it first: createdb NAME, createuser NAME",
        "Connection refused": "is the server running, and are host and port right?",
        "could not translate host name": "check the host's name",
        "file is not a database": "the file is something else than an SQLite database",
        "permission denied for schema": "grant the role CREATE on the schema, or let the owner run `launch` once",
        "permission denied": GRANTS,
        "does not support SSL": "turn TLS on at the server (ssl = on); sslmode=disable is for trusted networks",
        "certificate verify failed": "name the authority's certificate: ?sslmode=verify-full&sslrootcert=FILE",
        "read-only": "this server or role is read-only; name the primary, or another role",
        "statement pooling mode": "set pool_mode = transaction in pgbouncer.ini",
        "disk is full": "free some space on its disk",
        "disk I/O error": "is its disk full, or broken?",
        "readonly": "the file, its folder or its disk is read-only",
        "unable to open": "copy it, with the files -wal and -shm beside it, to a folder where you may write",
    }
    hint = next((f"; {advice}" for sign, advice in hints.items() if sign.lower() in text.lower()), "")
    return text + hint
