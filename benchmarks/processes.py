"""Programs run from start to end, with their seconds."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.timing import Seconds, timed
from colgan_search.errors import ColganError

ROOT = Path(__file__).parents[1]
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Left out of a program's environment: they would take PyTorch its own choice."""


def run(words: Sequence[str]) -> Seconds:
    """The seconds of a program and its children. ColganError with its last words if it fails."""
    environment = {key: value for key, value in os.environ.items() if key not in THREADS}
    path = os.pathsep.join(filter(None, (str(ROOT), environment.get("PYTHONPATH"))))
    ended: list[subprocess.CompletedProcess[str]] = []

    def once() -> None:
        ended.append(
            subprocess.run(words, env=environment | {"PYTHONPATH": path}, capture_output=True, text=True, check=False)
        )

    seconds = timed(once)
    if ended[0].returncode != 0:
        raise ColganError(f"{' '.join(words[1:4])} failed: {(ended[0].stderr or ended[0].stdout).strip()[-500:]}")
    return seconds
