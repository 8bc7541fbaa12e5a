"""The job script of `slurm`: read from top to bottom, every value checked before and quoted here."""

import re
import shlex
from collections.abc import Iterator

from colgan_search.errors import ConfigError
from colgan_search.extensions.launchers import Order
from colgan_search.launchers.slurm_settings import LOGS, SCRIPT, SlurmSettings
from colgan_search.version import __version__

PLAIN = re.compile(r"[A-Za-z0-9_./@+=,-]+")
"""What sbatch takes in an `#SBATCH` line without any rules of its own."""

AGAIN = "limit:0 | limit:140 | :75 | :134 | :135 | :137 | :139"
"""What brings a worker back: drained, or not yet listening, before the limit; it hung, or a signal ended it (no memory,
a bus error) that nobody here had asked for."""


def job_name(study: str) -> str:
    """The name of the array of a study."""
    return f"colgan-{study}"


def script(settings: SlurmSettings, order: Order) -> str:
    """The text of the script. ConfigError if sbatch could not read the path of the logs."""
    lines = [
        "#!/bin/bash",
        f"# Workers of the study {order.study}, written by colgan-search {__version__}.",
        f"# Read it, change it, hand it in as often as you like: sbatch {shlex.quote(order.out + '/' + SCRIPT)}",
        *(f"#SBATCH {directive}" for directive in _directives(settings, order)),
        "",
        "set -u",
        *_environment(settings, order),
        *settings.lines,
        "",
        *_worker(settings, order),
        "",
        *_again(settings, order),
    ]
    return "\n".join(lines) + "\n"


def _directives(settings: SlurmSettings, order: Order) -> Iterator[str]:
    if not PLAIN.fullmatch(order.out):
        raise ConfigError(
            f"`out` {order.out!r}: sbatch reads no such path; letters, digits and any of _ . / @ + = , - are right"
        )
    yield f"--job-name={job_name(order.study)}"
    yield f"--array=0-{max((settings.workers or 1) - 1, 0)}"
    yield "--ntasks=1"
    yield f"--cpus-per-task={settings.cpus}"
    if settings.memory_mib is not None:
        yield f"--mem={settings.memory_mib}M"
    if settings.gpus:
        yield f"--gres=gpu:{settings.gpus}"
    if settings.minutes is not None:
        yield f"--time={settings.minutes}"
    for name, value in (("partition", settings.partition), ("account", settings.account), ("qos", settings.qos)):
        if value is not None:
            yield f"--{name}={value}"
    yield f"--signal=B:USR2@{settings.signal_seconds}"
    yield "--requeue"
    yield "--open-mode=append"
    yield f"--output={order.out}/{LOGS}/%A_%a.log"
    yield from settings.options


def _environment(settings: SlurmSettings, order: Order) -> Iterator[str]:
    if order.storage is not None:
        yield f"export COLGAN_STORAGE={shlex.quote(order.storage)}"
    if order.secret is not None:
        yield f"export PGPASSFILE={shlex.quote(order.secret)}  # the password; this script has none"
    yield "# in the worker's name:"
    yield 'export COLGAN_JOB="slurm-${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}_${SLURM_ARRAY_TASK_ID:-0}"'
    yield f"work_dir={_place(settings.work_dir) if settings.work_dir else shlex.quote(order.work)}"
    yield 'mkdir -p "$work_dir"'


def _place(text: str) -> str:
    """In double quotes: its letters mean nothing there, its variables are filled in."""
    return f'"{text}"'


def _worker(settings: SlurmSettings, order: Order) -> Iterator[str]:
    words = [order.python, "-m", "colgan_search", "worker", "--study", order.study]
    words += ["--wait-for-database", f"{order.outage_minutes:g}"]
    words += [f"{option}={path}" for option, path in (order.own_files or {}).items()]
    command = shlex.join(words) + ' --work-dir "$work_dir"'
    if settings.checkpoints is not None:
        command += f" --checkpoints {_place(settings.checkpoints)}"
    yield from f"""\
# Slurm signals this shell, which passes it on as a drain: checkpoint, give the trial back, leave.
asked=
worker=
leave() {{
    asked=$1
    echo "$(date +%s) asked to leave: $1" >&2
    [ -z "$worker" ] || kill -USR2 "$worker" 2>/dev/null
}}
trap 'leave limit' USR2     # {settings.signal_seconds} s before the time limit, or before a preemption
trap 'leave cancelled' TERM # scancel, or a preemption

{command} &
worker=$!
while :; do
    wait "$worker"
    code=$?
    kill -0 "$worker" 2>/dev/null || break # else a signal came meanwhile
done
echo "$(date +%s) the worker ended with $code" >&2""".splitlines()


def _again(settings: SlurmSettings, order: Order) -> Iterator[str]:
    itself = shlex.quote(f"{order.out}/{SCRIPT}")
    yield from f"""\
# It comes again after a time limit, a hang or a lack of memory, {settings.rounds} times at most. The worker of a
# study that is done, or that `colgan-search drain` drains, leaves at once.
rounds=$((${{SLURM_RESTART_COUNT:-0}} + ${{COLGAN_ROUNDS:-0}}))
# Not $SLURM_JOB_ID: one element has the number of the whole array, and would requeue all of it.
me="${{SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}}${{SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}}"
case "$asked:$code" in
{AGAIN})
    if [ "$rounds" -ge {settings.rounds} ]; then
        echo "came again $rounds times, which is enough; by hand: sbatch "{itself} >&2
        exit "$code"
    fi
    trap '' TERM USR2
    echo "ended with $code after ${{asked:-no signal}}; comes again" >&2
    said=$(scontrol requeue "$me" 2>&1) && exit 0
    case "$said" in
    *pending*) exit 0 ;; # Slurm has requeued it itself
    esac
    echo "$said; handed in anew" >&2
    COLGAN_ROUNDS=$((rounds + 1)) sbatch --array="${{SLURM_ARRAY_TASK_ID:-0}}" {itself}
    ;;
esac
exit "$code\"""".splitlines()
