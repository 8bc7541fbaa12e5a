"""What a Slurm cluster would do to workers, read from its own settings."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping

from colgan_search.errors import BadInput
from colgan_search.extensions.checks import Check
from colgan_search.launchers.slurm_settings import SlurmSettings, slurm

DRAIN_SECONDS = 30
"""A worker's drain takes up to so long."""

SETTING = re.compile(r"^(?P<name>[A-Za-z][A-Za-z0-9_/ -]*?)\s*=\s(?P<value>.*)$")


def parsed(text: str) -> dict[str, str]:
    """The settings that `scontrol show config` prints, by name."""
    found = (SETTING.match(line) for line in text.splitlines())
    return {match["name"]: match["value"].strip() for match in found if match is not None}


def checks(settings: SlurmSettings) -> Iterator[Check]:
    """Every line of a doctor on this cluster."""
    missing = [name for name in ("sbatch", "squeue", "scontrol", "scancel") if shutil.which(name) is None]
    if missing:
        yield Check("slurm", "error", f"not on this machine: {', '.join(missing)}", "go to a login node of the cluster")
        return
    try:
        config = parsed(slurm(["scontrol", "show", "config"], os.environ))
        partitions = slurm(["sinfo", "--noheader", "--format=%R"], os.environ).split()
    except BadInput as error:
        yield Check("slurm", "error", str(error), "is slurmctld up? `scontrol ping`")
        return
    yield Check("slurm", "ok", f"Slurm {config.get('SLURM_VERSION', '')}, cluster {config.get('ClusterName', '')}")
    yield from judged(config, settings)
    wanted = settings.partition.split(",") if settings.partition is not None else []
    if unknown := sorted(set(wanted) - set(partitions)):
        what = f"no partition {', '.join(unknown)}; there are: {', '.join(sorted(set(partitions)))}"
        yield Check("slurm partition", "error", what, "set cluster.partition to one of them")


def judged(config: Mapping[str, str], settings: SlurmSettings) -> Iterator[Check]:
    """What the cluster's settings mean for workers that drain in 30 s and come again."""
    yield _preemption(config)
    wait = _number(config.get("KillWait", ""))
    if wait is not None and wait < DRAIN_SECONDS:
        what = (
            f"KillWait is {wait} s: after scancel, or a preemption without a signal before it, a worker is killed then"
        )
        advice = (
            f"a drain takes up to {DRAIN_SECONDS} s; what a killed worker had since its last checkpoint is done again"
        )
        yield Check(
            "slurm KillWait", "warning", what, advice + ": KillWait=60, or a shorter runtime.checkpoint_minutes"
        )
    else:
        yield Check("slurm KillWait", "ok", f"{wait} s between the signal and the end")
    if config.get("JobRequeue", "1") == "0":
        what = (
            "JobRequeue is 0: a job that does not ask for it is not brought back after a node's failure or a preemption"
        )
        advice = "our script asks for it; where the cluster's rules take that away, hand it in again"
        yield Check("slurm requeue", "warning", what, advice)
    else:
        yield Check("slurm requeue", "ok", "jobs are brought back after a node's failure")
    largest = _number(config.get("MaxArraySize", ""))
    if largest is not None and (settings.workers or 1) > largest:
        what = f"MaxArraySize is {largest}, and {settings.workers} workers are wanted"
        yield Check("slurm array", "error", what, f"at most {largest}: cluster.workers")


def _preemption(config: Mapping[str, str]) -> Check:
    kind, mode = config.get("PreemptType", "preempt/none"), config.get("PreemptMode", "OFF").upper()
    if kind.endswith("none") or mode == "OFF":
        return Check("slurm preemption", "ok", "off: nobody's job is ended for another's")
    signalled = "preempt_send_user_signal" in config.get("SlurmctldParameters", "")
    what = f"{kind}, mode {mode}"
    if "CANCEL" in mode:
        advice = "a preempted element is cancelled and --requeue does nothing: launch again when that has happened"
        return Check("slurm preemption", "warning", what, advice)
    if not signalled:
        what += ": a job that is preempted gets no USR2 first (no preempt_send_user_signal in SlurmctldParameters)"
        advice = "it drains at SIGTERM, in what GraceTime of the partition and KillWait leave: ask for the parameter"
        return Check("slurm preemption", "warning", what, advice)
    return Check("slurm preemption", "ok", f"{what}; USR2 comes first")


def _number(text: str) -> int | None:
    """The number that `30 sec` begins with."""
    match = re.match(r"\d+", text)
    return None if match is None else int(match[0])
