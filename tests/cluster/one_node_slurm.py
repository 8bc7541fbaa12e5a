"""A real Slurm of one node, for tests: slurmctld, slurmd and munged of this machine, started and ended by a fixture."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

TOOLS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scontrol", "scancel", "sinfo")
WAIT_SECONDS = 60.0

CONFIG = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=2,requeue_delay=1
SlurmctldParameters=preempt_send_user_signal
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
KillWait=10
MinJobAge=600
InactiveLimit=0
ReturnToService=2
JobRequeue=1
NodeName={host} NodeAddr=127.0.0.1 CPUs=6 RealMemory=1024 State=UNKNOWN
PartitionName=low Nodes={host} Default=YES MaxTime=60 State=UP PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes={host} MaxTime=60 State=UP PriorityTier=10 PreemptMode=OFF
"""
"""Six workers fill the node; a job in `urgent` preempts them, and they get their signal first."""


def missing() -> str | None:
    """Why no Slurm can be started here; None if one can."""
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent:
        return f"Slurm is not installed: no {', '.join(absent)} (Debian: slurmctld slurmd slurm-client munge)"
    return None if os.getuid() == 0 else "a Slurm of one's own needs root"


class OneNodeSlurm:
    """Started by hand, ended by hand; everything lies in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}

    def start(self) -> None:
        """Returns when the node takes jobs."""
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={self.folder}/munge.{end}" for option, end in files.items()]
        subprocess.run(["munged", "--force", *options], check=True)
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            ports = one.getsockname()[1], two.getsockname()[1]
        host = socket.gethostname().split(".")[0]
        (self.folder / "slurm.conf").write_text(CONFIG.format(host=host, folder=self.folder, ports=ports))
        for daemon in (["slurmctld", "-c"], ["slurmd"]):
            subprocess.run(
                daemon, check=True, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        until = time.monotonic() + WAIT_SECONDS
        while "idle" not in self.run("sinfo", "--noheader", "--format=%T", check=False):
            assert time.monotonic() < until, (self.folder / "slurmctld.log").read_text()[-2000:]
            time.sleep(0.2)

    def run(self, *command: str, check: bool = True) -> str:
        """What one of Slurm's programs prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        assert not check or done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def elements(self, states: str = "all") -> list[str]:
        """The array elements that the scheduler has in these states, as `7_2`."""
        return self.run("squeue", "--noheader", "--array", f"--states={states}", "--format=%i").split()

    def stop(self) -> None:
        """Ends all jobs and the three daemons."""
        self.run("scancel", "--user=root", check=False)
        for daemon in ("slurmd", "slurmctld", "munge"):
            try:
                pid = int((self.folder / f"{daemon}.pid").read_text())
                os.kill(pid, signal.SIGTERM)
                until = time.monotonic() + WAIT_SECONDS
                while time.monotonic() < until:
                    os.kill(pid, 0)
                    time.sleep(0.1)
            except (OSError, ValueError):
                continue
