"""The rows of a reproduced table, from the studies as they are now."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from colgan_search.reproduction.running import Reproduction
from colgan_search.reproduction.studies import RowStudies, best_generator, first_protocol, max_is
from colgan_search.search.study.results import TrialRecord

NOT_RUN = "not run"
Kind = Literal["given graph", "winning trial", "trained again", "real images"]


@dataclass(frozen=True)
class SeedResult:
    """One training of a row's graph: the maximum IS over its generators, and the FID of that generator."""

    trial: int
    seed: str | None
    our_is: float
    """1.0, the floor, if it diverged."""
    our_is_std_over_splits: float | None
    our_fid: float | None
    diverged: str | None


@dataclass(frozen=True)
class RowResult:
    """One line of the reproduced table. Our IS is the mean over training seeds of the maximum IS of one training.

    Deviations over seeds say how much trainings differ, deviations over splits how much parts of one training's
    images do; the paper prints the latter. A searched row has two lines: the search's winning trial itself, which is
    what the paper prints, and its graph trained again with new seeds, which the paper has not.
    """

    label: str
    kind: Kind
    printed_is: float | None
    printed_is_std_over_splits: float | None
    printed_fid: float | None
    state: str
    """`complete`, `not run`, or what is missing or wrong, e.g. `search 6 of 40 trials, 2 of 5 seeds, 1 diverged`."""
    our_is: float | None = None
    our_is_std_over_seeds: float | None = None
    our_is_std_over_splits: float | None = None
    """Mean over the seeds that did not diverge; None with 1 split."""
    our_fid: float | None = None
    our_fid_std_over_seeds: float | None = None
    fid_seeds: int = 0
    """Trainings behind `our_fid`: one that diverged has no FID."""
    seeds: int = 0
    """Trainings behind `our_is`."""
    per_seed: tuple[SeedResult, ...] = ()
    weights: str | None = None
    """Weights that count (evaluation.point): `last`, or `best` of the interim scores."""
    graph: str | None = None
    study: str | None = None
    search_trials: int | None = None
    """Complete trials of the search that this line's graph won."""
    flattered_by: float | None = None
    """Of a winning trial: its IS minus the mean of its graph trained again. It is the luckiest of many."""
    protocol: dict[str, Any] | None = None
    classifier_accuracy: float | None = None
    """Held-out accuracy of the classifier that scored, the lowest of the trainings; None with Inception."""
    command: str = ""

    @property
    def name(self) -> str:
        """The line's name: one of a search says which of its two lines it is."""
        return self.label if self.kind in ("given graph", "real images") else f"{self.label}, {self.kind}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON and CSV."""
        return asdict(self)


def table_rows(wanted: Reproduction, found: Mapping[str, RowStudies]) -> list[RowResult]:
    """The table's lines: one for each given graph, two for each search."""
    return [line for row in wanted.rows() for line in _lines(wanted, found[row.config])]


def _lines(wanted: Reproduction, found: RowStudies) -> list[RowResult]:
    row = found.row
    blank = RowResult(
        label=row.label,
        kind="winning trial" if row.search else "given graph",
        printed_is=row.printed_is,
        printed_is_std_over_splits=row.printed_is_std,
        printed_fid=row.printed_fid,
        state=NOT_RUN,
        weights=found.weights,
        command=wanted.made_by,
    )
    if not row.search:
        return [_trained(replace(blank, study=found.study), found) if found.trained else blank]
    unprinted = replace(blank, kind="trained again", printed_is=None, printed_is_std_over_splits=None, printed_fid=None)
    winner = found.winner
    if winner is None:
        return [blank, unprinted]
    winning = _with_scores(
        replace(blank, study=found.study, search_trials=len(found.searched)), [winner], found.search_lacks()
    )
    again = replace(unprinted, graph=winner.graph, study=found.again, search_trials=len(found.searched))
    if found.trained:
        again = _trained(again, found)
        assert winning.our_is is not None and again.our_is is not None
        winning = replace(winning, flattered_by=winning.our_is - again.our_is)
    else:
        searched = found.search_lacks() or [f"search {len(found.searched)} trials"]
        again = replace(again, state=", ".join([*searched, "best graph not trained again"]))
    return [winning, again]


def _trained(blank: RowResult, found: RowStudies) -> RowResult:
    return _with_scores(blank, found.trained, [*found.search_lacks(), *found.trainings_lack()])


def _with_scores(blank: RowResult, trials: Sequence[TrialRecord], lacking: Sequence[str]) -> RowResult:
    """Means and deviations over trainings of one graph, at least one. `lacking` says what the line lacks."""
    seeds = tuple(_seed_result(trial) for trial in trials)
    values = [seed.our_is for seed in seeds]
    over_splits = [seed.our_is_std_over_splits for seed in seeds if seed.our_is_std_over_splits is not None]
    fids = [seed.our_fid for seed in seeds if seed.our_fid is not None]
    diverged = sum(seed.diverged is not None for seed in seeds)
    state = [*(lacking or ["complete"]), *([f"{diverged} diverged"] if diverged else [])]
    return replace(
        blank,
        state=", ".join(state),
        our_is=statistics.fmean(values),
        our_is_std_over_seeds=statistics.stdev(values) if len(values) > 1 else None,
        our_is_std_over_splits=statistics.fmean(over_splits) if over_splits else None,
        our_fid=statistics.fmean(fids) if fids else None,
        our_fid_std_over_seeds=statistics.stdev(fids) if len(fids) > 1 else None,
        fid_seeds=len(fids),
        seeds=len(seeds),
        per_seed=seeds,
        graph=trials[0].graph,
        protocol=first_protocol(trials),
        classifier_accuracy=min(
            (t.classifier_accuracy for t in trials if t.classifier_accuracy is not None), default=None
        ),
    )


def _seed_result(trial: TrialRecord) -> SeedResult:
    best = best_generator(trial)
    has_splits = trial.protocol is not None and trial.protocol["splits"] > 1
    return SeedResult(
        trial=trial.number,
        seed=None if trial.seed is None else str(trial.seed),
        our_is=max_is(trial),
        our_is_std_over_splits=best.is_std if best is not None and has_splits else None,
        our_fid=None if best is None else best.fid,
        diverged=trial.diverged,
    )
