"""`confirm`: the leading graphs of a search race with new seeds, in a study of their own, with baselines beside."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

from colgan_search.api.confirm_configs import alone_config, race_config, same_race, with_length
from colgan_search.api.launching import Launched, LaunchRequest, prepare_launch
from colgan_search.api.own_files import named_in
from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR, opened_study, work_folder
from colgan_search.config import StudyConfig
from colgan_search.errors import StudyError
from colgan_search.extensions.launchers import LauncherSettings
from colgan_search.extensions.samplers import SAMPLERS
from colgan_search.racing.rules import wanted
from colgan_search.search.proposing.race import is_race, race_settings
from colgan_search.search.ranking.confirmed import Confirmed, confirmed, race_runs
from colgan_search.search.ranking.naming import ranking
from colgan_search.search.study import results
from colgan_search.search.study.opening import OpenStudy, open_study, study_names
from colgan_search.search.study.shared_files import SharedFiles

TOP, SEEDS, UNTIL = 5, 10, 0.95
"""What `confirm` does unless told otherwise."""
SUFFIX = "-confirm"


@dataclass(frozen=True)
class ConfirmRequest:
    """What a person asked for. None means the usual, or what the confirmation that is there has."""

    study: str | None = None
    """The search, or a confirmation that is to go on; None = the database's only search."""
    top: int | None = None
    """Leading graphs that race, at least 1."""
    seeds: int | None = None
    """Own runs of the winner and of each baseline, at least 2; with the race at most `top` x `seeds` of candidates."""
    epochs: int | None = None
    """Of a training; None = the search's."""
    until: float | None = None
    """Probability, between 0.5 and 1, at which the leader counts as separated."""
    baselines: bool | None = None
    storage: str | None = None
    work_dir: Path = DEFAULT_WORK_DIR
    workers: int | None = None
    device: str | None = None
    cluster: LauncherSettings | None = None
    """Who starts the workers, and how; None = processes of this machine."""
    out: Path | None = None
    """Where the files of a scheduler go, in a folder for each study; None = the study's folder in the work folder."""
    data_root: str | None = None
    weights: str | None = None


@dataclass(frozen=True)
class Confirming:
    """A confirmation that is checked: the configs of its studies, and the files that they must share."""

    request: ConfirmRequest
    configs: tuple[StudyConfig, ...]
    """The race, and one DCGAN beside it; in the order in which they run."""
    shared: tuple[Path, ...]
    """The classifier that the search has scored with."""
    say: Callable[[str], None]

    def launched(self) -> Iterator[Launched]:
        """One study after the other, made or opened, ready for workers; closed when the next one is asked for.

        Only one has the database open at a time: on SQLite a file that is opened twice in one process loses its locks.
        """
        for config in self.configs:
            launched = _launched(self.request, config, self.say)
            try:
                if self.shared:
                    SharedFiles(launched.study).push(self.shared)
                yield launched
            finally:
                launched.study.storage.close()

    def answer(self) -> Confirmed:
        """How it stands now."""
        work = work_folder(self.request.work_dir)
        with opened_study(self.request.storage, work, self.configs[0].name, writing=False) as race:
            return confirmed(race)


@contextmanager
def confirming(request: ConfirmRequest, say: Callable[[str], None] = lambda text: None) -> Iterator[Confirming]:
    """Checks the request; nothing is made before `launched` is asked for its first study.

    A confirmation of the same search with as many trials, candidates, epochs and baselines goes on; any other gets a
    name of its own. BadInput says what is wrong.
    """
    _require_sense(request)
    work, name = work_folder(request.work_dir), request.study
    with TemporaryDirectory() as folder:
        with opened_study(request.storage, work, name, writing=False) as study:
            if not is_race(study.config) and not SAMPLERS.get(study.config.search.sampler).searches:
                raise StudyError(f"study {study.name!r} is no search: it trains {', '.join(study.config.search.first)}")
            if is_race(study.config):
                race = _going_on(study, request)
            else:
                race = _found(study, request) or _begun(study, request, say)
            race = named_in(None, request.data_root, request.weights).applied(race, study.name)
            shared = tuple(SharedFiles(study).pull(Path(folder)))
        alone = alone_config(race)
        yield Confirming(request, (race, *([] if alone is None else [alone])), shared, say)


def _require_sense(request: ConfirmRequest) -> None:
    """StudyError for a number that makes no sense, before anything is read."""
    whole = {"top": (request.top, 1), "seeds": (request.seeds, 2), "epochs": (request.epochs, 1)}
    for name, (value, least) in whole.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise StudyError(f"`{name}` {value!r} is not allowed: a whole number of at least {least}")
    if request.until is not None and not 0.5 < request.until < 1.0:
        raise StudyError(
            f"`until` {request.until} is not allowed: a probability between 0.5 and 1 (both excluded), e.g. 0.95"
        )


def _going_on(study: OpenStudy, request: ConfirmRequest) -> StudyConfig:
    """The config of a confirmation that was named itself."""
    given = [f"`{name}`" for name in ("top", "epochs", "baselines") if getattr(request, name) is not None]
    if given:
        search = race_settings(study.config.search).study
        raise StudyError(
            f"study {study.name!r} is a confirmation with candidates of its own; {given[0]} would be another one: "
            f"name the search, `study` {search}"
        )
    return with_length(study.config, request.seeds, request.until)


def _found(search: OpenStudy, request: ConfirmRequest) -> StudyConfig | None:
    """The config of the confirmation of this search, as it is now, that is there already."""
    there = study_names(search.storage)
    for name in takewhile(there.__contains__, _names(search)):
        race = open_study(search.storage, name).config
        if same_race(
            race,
            search.name,
            len(results.completed(search)),
            top=request.top,
            epochs=request.epochs or search.config.training.epochs,
            baselines=request.baselines is not False,
        ):
            return with_length(race, request.seeds, request.until)
    return None


def _names(search: OpenStudy) -> Iterator[str]:
    """`digits-confirm`, `digits-confirm-2`, ..."""
    base = f"{search.name}{SUFFIX}"
    return (base if number == 1 else f"{base}-{number}" for number in count(1))


def _begun(search: OpenStudy, request: ConfirmRequest, say: Callable[[str], None]) -> StudyConfig:
    """The config of a new confirmation of a search."""
    budget, found = search.slots.budget(), ranking(search)
    if not budget.finished:
        far = f"{budget.done} of {budget.total} trials"
        say(f"study {search.name} is not done: {far}; these are its leading graphs so far")
    top = min(TOP, len(found.graphs)) if request.top is None else request.top
    if top > len(found.graphs):
        raise StudyError(
            f"`top` {top} is not allowed: study {search.name!r} has results of {len(found.graphs)} distinct graphs"
        )
    there = study_names(search.storage)
    return race_config(
        search.config,
        search.name,
        next(name for name in _names(search) if name not in there),
        found.graphs[:top],
        trials=len(results.completed(search)),
        epochs=request.epochs,
        baselines=request.baselines is not False,
        seeds=SEEDS if request.seeds is None else request.seeds,
        until=UNTIL if request.until is None else request.until,
    )


def _launched(request: ConfirmRequest, config: StudyConfig, say: Callable[[str], None]) -> Launched:
    """The study, made or opened, with the total that its config has, or with what it has been found to need."""
    if request.cluster is not None:
        config = config.model_copy(update={"cluster": request.cluster})
    launch = LaunchRequest(
        config,
        study=config.name,
        storage=request.storage,
        work_dir=request.work_dir,
        workers=request.workers,
        device=request.device,
        out=None if request.out is None else request.out / config.name,
    )
    launched = prepare_launch(launch, say)
    try:
        study, total = launched.study, config.search.trials
        if is_race(study.config):
            runs = race_runs(study)
            others = study.slots.budget().done - sum(run.value is not None for run in runs)  # enqueued by somebody
            total = wanted(race_settings(config.search).rules, runs) + max(others, 0)
        begun = study.slots.budget()
        if total > begun.total:
            study.slots.set_total(total)
        elif total < begun.total:
            study.slots.lower_total(total)
    except BaseException:
        launched.study.storage.close()
        raise
    return launched
