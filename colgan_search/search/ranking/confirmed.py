"""The answer of `confirm`: what the runs of a race, and one DCGAN beside it, say of the search's leading graphs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from colgan_search.errors import BadInput
from colgan_search.evaluation.comparing import Difference
from colgan_search.racing.answer import Answer, answer, mirrored
from colgan_search.racing.rules import Run
from colgan_search.records import Objective
from colgan_search.search.proposing.race import RaceSettings, is_race, race_settings
from colgan_search.search.study import results
from colgan_search.search.study.opening import OpenStudy, open_study, our_study_names, study_names

ALONE = "dcgan"
"""The baseline that is a study of its own: one generator, one discriminator."""


@dataclass(frozen=True)
class Confirmed:
    """How far a confirmation is, and what it says. Values are of the study's objective, in its own sense."""

    study: str
    of: str
    """The search whose leading graphs these are."""
    objective: Objective
    settings: RaceSettings
    same_length: bool
    """True if its trainings are as long as the search's: only then can their values be compared."""
    answer: Answer
    baseline_names: dict[str, str]
    """Graph in text form -> its name."""
    finished: bool

    @property
    def estimate_flattered_by(self) -> Difference | None:
        """How much better the search's estimate of the winner was than it is, with the 95 % interval of its mean."""
        candidate = self._winner
        return None if candidate is None else self._flattered(candidate.estimate)

    @property
    def luckiest_flattered_by(self) -> Difference | None:
        """How much better the winner's best single run in the search was than the winner is."""
        candidate = self._winner
        return None if candidate is None else self._flattered(candidate.luckiest)

    @property
    def _winner(self) -> Any:
        return next((one for one in self.settings.candidates if one.graph == self.answer.winner), None)

    def _flattered(self, said: float) -> Difference | None:
        mean = self.answer.mean
        if mean is None or mean.low is None or mean.high is None or not self.same_length:
            return None
        if self.objective.higher_is_better:
            return Difference(said - mean.value, said - mean.high, said - mean.low)
        return Difference(mean.value - said, mean.low - said, mean.high - said)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = asdict(self.answer)
        for one in found["baselines"]:
            one["graph"] = one["baseline"]
            one["baseline"] = self.baseline_names.get(one["baseline"], one["baseline"])
        return {
            "study": self.study,
            "of": self.of,
            "objective": self.objective.words,
            "finished": self.finished,
            "seeds": self.settings.seeds,
            "until": self.settings.until,
            "same_length_as_search": self.same_length,
            **found,
            "search_said": [one.model_dump(mode="json") for one in self.settings.candidates],
            "estimate_flattered_by": _as_dict(self.estimate_flattered_by),
            "luckiest_run_flattered_by": _as_dict(self.luckiest_flattered_by),
        }


def alone_name(race: str) -> str:
    """The name of the study of one DCGAN beside a race."""
    return f"{race}-{ALONE}"


def races_of(study: OpenStudy) -> list[OpenStudy]:
    """The confirmations of a study's graphs. Without those that cannot be read."""
    found = []
    for name in our_study_names(study.storage):
        try:
            race = open_study(study.storage, name)
        except BadInput:
            continue
        if is_race(race.config) and race_settings(race.config.search).study == study.name:
            found.append(race)
    return found


def awaits_alone(settings: RaceSettings) -> bool:
    """True if a study of one DCGAN runs beside the race: it has baselines, and one DCGAN is none of its own graphs."""
    return bool(settings.baselines) and all(one.name != ALONE for one in settings.baselines)


def race_runs(study: OpenStudy) -> list[Run]:
    """The runs of a race, larger is better, in the order in which they were begun."""
    higher = study.config.objective.higher_is_better
    found = []
    for trial in results.trials(study):
        if trial.state != "fail" and trial.graph is not None:
            value = trial.value if trial.state == "complete" else None
            found.append(Run.of_trial(trial.graph, trial.role, value, higher_is_better=higher))
    return [one for one in found if one is not None]


def confirmed(study: OpenStudy) -> Confirmed:
    """How the race stands, with the study of one DCGAN beside it if there is one."""
    settings, objective = race_settings(study.config.search), study.config.objective
    beside = alone_name(study.name)
    extra: dict[str, Sequence[float]] = {}
    complete = study.slots.budget().finished
    if awaits_alone(settings) and beside not in study_names(study.storage):
        complete = False
    if beside in study_names(study.storage):
        alone = open_study(study.storage, beside)
        complete = complete and alone.slots.budget().finished
        sign = 1.0 if objective.higher_is_better else -1.0
        extra[ALONE] = [sign * one.value for one in results.completed(alone) if one.value is not None]
    found = answer(settings.rules, race_runs(study), extra)
    return Confirmed(
        study=study.name,
        of=settings.study,
        objective=objective,
        settings=settings,
        same_length=settings.epochs == study.config.training.epochs,
        answer=found if objective.higher_is_better else mirrored(found),
        baseline_names={one.graph: one.name for one in settings.baselines},
        finished=complete,
    )


def _as_dict(difference: Difference | None) -> dict[str, float] | None:
    return None if difference is None else asdict(difference)
