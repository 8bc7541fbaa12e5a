"""How busy this machine's GPUs are and how full their memory is, as nvidia-smi tells."""

import shutil
import subprocess
import threading
from dataclasses import dataclass

COMMAND = "nvidia-smi"
FIELDS, FORMAT = "index,utilization.gpu,memory.used,memory.total", "csv,noheader,nounits"
QUERY = ("--query-gpu" + "=" + FIELDS, "--format" + "=" + FORMAT)
EVERY_SECONDS = 2.0
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class GpuUse:
    """One GPU at one moment. None is what the driver does not tell (of a slice of a GPU, say)."""

    index: int
    percent: float | None
    """Of the last moments in which it computed anything."""
    used: float | None
    """GiB."""
    total: float | None
    """GiB."""


def parse(text: str) -> list[GpuUse]:
    """The answer of nvidia-smi; lines that are none are passed over."""
    found = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) == 4 and fields[0].isdecimal():
            percent, used, total = map(_number, fields[1:])
            gib = [None if number is None else number / 1024 for number in (used, total)]
            found.append(GpuUse(int(fields[0]), percent, *gib))
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None  # [N/A]


class GpuWatch:
    """Asks again and again in a thread of its own, so that a driver that hangs holds nobody up."""

    def __init__(self, command: str = COMMAND) -> None:
        self.latest: list[GpuUse] = []
        """Empty without NVIDIA's driver, and before the first answer."""
        self._command = shutil.which(command)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="gpu use", daemon=True)

    def __enter__(self) -> "GpuWatch":
        if self._command is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def _watch(self) -> None:
        assert self._command is not None
        while not self._ended.is_set():
            try:
                asked = [self._command, *QUERY]
                ran = subprocess.run(asked, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True)
                self.latest = parse(ran.stdout)
            except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
                self.latest = []
            self._ended.wait(EVERY_SECONDS)
