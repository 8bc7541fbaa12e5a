"""The one owner of the names of files and folders: of the work folder, of runs, of checkpoints and of bundles."""

from dataclasses import dataclass
from pathlib import Path

from colgan_search.errors import StudyError

DEFAULT_WORK_DIR = Path("colgan_work")
"""The work folder when none is named."""

TRIAL_PREFIX = "trial-"
"""Before the number of a trial, in the name of its run folder."""

CHECKPOINT, PREVIOUS_CHECKPOINT, CHECKPOINTS = "checkpoint.pt", "checkpoint.previous.pt", "checkpoint*.pt"
"""The latest, the one before it, and a pattern for both."""

GENERATORS_FILE = "generators.safetensors"
"""The generators that count, in a run folder or a bundle."""

AVERAGES_FILE = "generators-ema.safetensors"
"""Their moving averages at the end of the training, if training.ema asks for them."""

GRAPH, CONFIG = "graph.json", "config.yaml"
SAMPLES, SCORES, COMMAND, VERSIONS = "samples.png", "scores.json", "command.txt", "versions.json"
BUNDLE = (GRAPH, CONFIG, GENERATORS_FILE, AVERAGES_FILE, SAMPLES, SCORES, COMMAND, VERSIONS)
"""Everything that a bundle can hold."""

RUN_FILE, OUTCOME_FILE, GRAPH_PICTURE = "run.json", "outcome.json", "graph.png"
"""What `train` leaves beside its seeds: what was trained; of every seed its outcome; the graph drawn."""

TELEMETRY_FILE, FRAMES_FILE, STRIP_FILE, FILM_FILE = "telemetry.csv", "frames.npz", "strip.png", "film.gif"
"""Of a training, in its run folder: the table of its epochs, samples of fixed z on the way, and these as pictures."""

SEED_PREFIX = "seed-"
SEEDS = f"{SEED_PREFIX}*"

CLASSIFIER_PREFIX, STATISTICS_PREFIX = "classifier-", "fid-"
CLASSIFIERS, STATISTICS = f"{CLASSIFIER_PREFIX}*.safetensors", f"{STATISTICS_PREFIX}*.npz"
"""In a cache: weights, each with its card beside it, and reference statistics."""

REHEARSAL_RUNS, REHEARSAL_TABLE = "rehearsal-runs.jsonl", "rehearsal-table"
"""Of rehearsed searches: a line for each, and (with a suffix) what they gave."""

UNREADABLE_SUFFIX = ".unreadable"
"""Of a spooled result that was set aside."""

UNFINISHED = ".*.tmp"
"""What a process that died over an atomic write has left (see `files.atomic_path`)."""


def seed_folder(run: Path, number: int) -> Path:
    """The folder of training seed `number` (0, 1, ...) in a run folder of `train`."""
    return run / f"{SEED_PREFIX}{number}"


@dataclass(frozen=True)
class WorkFolder:
    """Names inside `root`: `studies.db`, `cache/`, `train/`; of a study `trial-00012/`, `spool/`, `logs/`.

    StudyError, and no path, for a study or a trial whose name would lead out of `root`.
    """

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite file that is used when no storage is named."""
        return self.root / "studies.db"

    @property
    def cache(self) -> Path:
        """Classifier weights and reference statistics, shared by all studies of this machine."""
        return self.root / "cache"

    @property
    def gpus(self) -> Path:
        """Which workers hold which GPU, and what they have measured of its memory."""
        return self.root / "gpus"

    @property
    def train(self) -> Path:
        """One folder per graph that was trained outside a search."""
        return self.root / "train"

    def study(self, study: str) -> Path:
        """Everything of one study on this machine."""
        if study in ("", ".", "..") or any(sign in study for sign in "/\\\0"):
            raise StudyError(f"{study!a} is not a study's name: it would be a path, not one folder")
        return self.root / study

    def run(self, study: str, trial: int) -> Path:
        """The run folder of one trial: its checkpoints."""
        if not isinstance(trial, int) or trial < 0:
            raise StudyError(f"{trial!a} is not the number of a trial")
        return self.study(study) / f"{TRIAL_PREFIX}{trial:05d}"

    def spool(self, study: str) -> Path:
        """Results that wait for the database to accept them."""
        return self.study(study) / "spool"

    def logs(self, study: str) -> Path:
        """One log file per worker."""
        return self.study(study) / "logs"

    def retrained(self, study: str, trial: int) -> Path:
        """The run folder of a trial that was trained again for its bundle."""
        return self.study(study) / f"retrained-{trial:05d}"

    def handed_in(self, study: str, launcher: str) -> Path:
        """What a scheduler was given for a study."""
        return self.study(study) / launcher

    @property
    def reproduced(self) -> Path:
        """Tables and figures of the paper, reproduced."""
        return self.root / "reproduce"

    @property
    def rehearsal(self) -> Path:
        """Searches without training, their table and figure."""
        return self.root / "rehearsal"
