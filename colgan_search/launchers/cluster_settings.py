"""Settings that all schedulers share, and the one rule for each kind of text that goes into their files."""

from typing import Annotated

from pydantic import Field

from colgan_search.extensions.launchers import LauncherSettings

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.,@+-]{0,199}$")]
"""Of a partition, an account: nothing in it means anything to a shell, to YAML or to a scheduler."""

DnsName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
"""Of a thing in Kubernetes."""

Image = Annotated[str, Field(pattern=r"^[a-z0-9][A-Za-z0-9._/:@-]{0,499}$")]
"""Of a container, with its registry and tag."""

Place = Annotated[
    str, Field(pattern=r"^(/|\$[A-Z_][A-Z0-9_]*)([A-Za-z0-9_./@+=-]|\$[A-Z_][A-Z0-9_]*)*$", max_length=1000)
]
"""A folder on a worker's machine; variables of its environment may stand in it: `$TMPDIR/colgan`."""

Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=2000)]
"""One line of shell, as it stands: a person's own words, and never read from a database."""


class ClusterSettings(LauncherSettings):
    """What every scheduler is told."""

    workers: int | None = Field(None, ge=0, le=10_000, description="workers, each with a trial at a time; null = 1")
    gpus: int = Field(1, ge=0, le=64, description="GPUs of a worker; a worker uses one")
    cpus: int = Field(2, ge=1, le=1024, description="cores of a worker")
    memory_gib: float | None = Field(
        None, gt=0.0, le=100_000.0, description="memory of a worker; null = what the scheduler gives"
    )
    minutes: int | None = Field(
        None, ge=1, le=525_600, description="time limit of a worker; null = what the scheduler gives"
    )
    lines: tuple[Line, ...] = Field((), description="lines of shell before the worker, e.g. [module load cuda/12.8]")

    @property
    def memory_mib(self) -> int | None:
        """Rounded up."""
        return None if self.memory_gib is None else -int(-self.memory_gib * 1024 // 1)
