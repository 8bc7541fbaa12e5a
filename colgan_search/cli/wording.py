"""Messages from below name arguments and functions in backquotes; the command line says its options and commands."""

import re

ARGUMENTS = (
    *(
        "baselines",
        "checkpoints",
        "config",
        "data_root",
        "device",
        "epochs",
        "grow",
        "leave_pictures",
        "mirror",
        "name",
        "out",
        "reuse",
        "seed",
        "seeds",
        "skip_broken",
    ),
    *("storage", "study", "top", "trials", "until", "weights", "work_dir", "workers", "workers_per_gpu"),
)
"""Whose option has the same name."""

SAID = {name: f"--{name.replace('_', '-')}" for name in ARGUMENTS} | {
    "wait_minutes": "--wait-for-database",
    "drain": "`colgan-search drain`",
    "launch": "`colgan-search launch`",
    "prepare": "`colgan-search prepare`",
    "monitor": "`colgan-search status`",
    "export_best": "`best --export`",
}
"""Name of an argument or a function -> what a person at the command line types."""


def as_typed(text: str) -> str:
    """The message in words of the command line."""
    return re.sub(r"`(\w+)`", lambda name: SAID.get(name[1], name[0]), text)
