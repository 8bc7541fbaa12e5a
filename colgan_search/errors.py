"""Every failure that colgan-search names, one class per kind; its message says what, where and what is right.

ColganError                     exit code 1
├── BadInput                    exit code 2: the user can put it right; nothing was written
│   ├── ConfigError             a study config: file, key path, value, what is allowed
│   ├── GraphError              a graph, gate or preset
│   ├── DataError               a data set, an image folder, an image, a weights file
│   ├── StorageError            a storage URL, password, database
│   │   ├── Unreachable         a database that does not answer or let us in now; it may later
│   │   └── NothingThere        no such SQLite file, or a database without our tables
│   ├── StudyError              a study: unknown, another config, another version, too few trials
│   ├── PluginError             an installed package whose extension cannot be used
│   ├── UnknownMember           a name that no extension has: what is known, what to install
│   └── DeviceError             a GPU that is not there, workers that cannot be
├── Diverged                    a GAN gave NaN or Inf: a result, not a fault
├── Interrupted                 asked to stop: checkpointed, to be resumed
├── Pruned                      cut at an interim score: a result, not a fault
├── LeaseLost                   another worker took the slot over: drop the work
├── TrialFault                  a trial could not go on (memory, disk, file): its slot is given back
│   └── OutOfMemory             the memory of a GPU or of the machine
├── GpuFull                     exit code 69: one worker too many on a GPU; the others go on
├── DiskFull                    too little space: nothing was half-written
├── CheckpointRefused           a checkpoint that is cut short, unreadable or from another run
└── Outage                      the database stayed away for longer than the study allows
"""


def first_line(error: BaseException) -> str:
    """Of the words of another library's error; the name of its kind if it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def in_one_line(error: BaseException, longest: int | None = 200) -> str:
    """All its words in one line, cut at so many characters; the name of its kind if it has none."""
    return " ".join(str(error).split())[:longest] or type(error).__name__


class ColganError(Exception):
    """The root of all failures that this package raises on purpose."""

    exit_code = 1


class BadInput(ColganError):
    """Something the user gave is wrong, and the message says what would be right."""

    exit_code = 2


class ConfigError(BadInput):
    """A study config is unreadable, has an unknown key, or a value of a wrong type or out of range."""


class GraphError(BadInput):
    """A knowledge transfer graph, a gate or a preset cannot be read, or does not fit the study."""


class DataError(BadInput):
    """A data set or a weights file is missing, broken or not what it should be."""


class StorageError(BadInput):
    """A storage URL is of an unknown kind, or the database behind it cannot be used as given."""


class Unreachable(StorageError):
    """The database does not answer, or does not let us in, at the start; later it may."""


class NothingThere(StorageError):
    """There is no such SQLite file, or the database holds none of our tables: nothing was ever run in it."""


class StudyError(BadInput):
    """A study does not exist, or is not the one that the caller means."""


class PluginError(BadInput):
    """A member of an extension point cannot be loaded, is none, or takes another's name."""


class UnknownMember(BadInput):
    """A name that no member of the extension point has."""


class DeviceError(BadInput):
    """A device that the study needs is not on this machine."""


class Diverged(ColganError):
    """Training or scoring met NaN or Inf. Scored 1.0 (the floor of the inception score), never retried."""


class Interrupted(ColganError):
    """The run was asked to stop; its checkpoint is on disk and it can be resumed."""


class Pruned(ColganError):
    """The training is to end at its interim score number `evaluation` (from 1), as soon as it has that one."""

    def __init__(self, evaluation: int) -> None:
        super().__init__(f"pruned at interim score {evaluation}")
        self.evaluation = evaluation


class LeaseLost(ColganError):
    """The slot's lease ran out and another worker took it over; this attempt must not report."""


class TrialFault(ColganError):
    """A trial could not go on for a reason that is not its graph's; the slot is given back."""


class OutOfMemory(TrialFault):
    """The memory of a GPU, or of the machine, is not enough for what runs there."""


class GpuFull(ColganError):
    """A worker that shares its GPU ran out of its memory: it takes no more trials, and the others go on."""

    exit_code = 69  # sysexits.h: a resource is unavailable


class DiskFull(TrialFault):
    """Too little free space for the next write; the files that were there are whole."""


class ProcessKilled(ColganError):
    """A process that worked for this one was ended from outside, perhaps for want of memory."""


class CheckpointRefused(ColganError):
    """A checkpoint is cut short, unreadable, or belongs to another run."""


class Outage(ColganError):
    """The database could not be reached for longer than the study's outage limit."""
