"""The comparisons behind the paper's claims: one pure function for each kind, from what the studies hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from colgan_search.evaluation import comparing
from colgan_search.evaluation.comparing import Difference, Verdict
from colgan_search.gates import CUTOFF, NEGATIVE, POSITIVE, THROUGH
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.reproduction.paper_claims import BUFFER_SHARE, FID_MARGIN, IS_MARGIN, Kind
from colgan_search.reproduction.studies import RowStudies, best_generator, max_is
from colgan_search.roster import generator
from colgan_search.search.study.results import TrialRecord

LEAST_SEEDS = 2
"""A row with fewer trainings has no interval."""
LEAST_TRIALS = 10
"""A search with fewer trials has no quartiles to speak of."""


@dataclass(frozen=True)
class Measured:
    """One comparison's outcome."""

    what: str
    verdict: Verdict
    difference: Difference | None = None
    margin: float | None = None
    """The largest difference that counts as none; None where the question is which is higher."""
    numbers: str = ""
    """How many seeds or trials are behind it, or what a graph has."""
    remark: str | None = None
    """Why there is no answer, or which rows behind it are not complete yet."""


class NoAnswer(Exception):
    """A comparison that cannot be made: its verdict says how, its text why."""

    def __init__(self, verdict: Verdict, why: str) -> None:
        super().__init__(why)
        self.verdict = verdict


def measure(kind: Kind, rows: Sequence[RowStudies], real_is: float | None) -> Measured:
    """What a kind of comparison says of one or two rows. NoAnswer if they lack something.

    `real_is` is our IS of the real images, which says how large a difference counts as none.
    """
    return MEASURES[kind](rows, real_is)


def _is_above(rows: Sequence[RowStudies], real_is: float | None) -> Measured:
    ours, against = (_scores(row) for row in rows)
    difference = comparing.of_means(ours, against)
    return Measured(_minus("IS", rows), comparing.is_above(difference), difference, None, _seeds(ours, against))


def _is_close(rows: Sequence[RowStudies], real_is: float | None) -> Measured:
    ours, against = (_scores(row) for row in rows)
    difference, margin = comparing.of_means(ours, against), _is_margin(real_is)
    verdict = comparing.is_close(difference, margin)
    return Measured(_minus("IS", rows), verdict, difference, margin, _seeds(ours, against))


def _fid_below(rows: Sequence[RowStudies], real_is: float | None) -> Measured:
    ours, against = (_fids(row) for row in rows)
    difference = comparing.of_means(ours, against)
    return Measured(_minus("FID", rows), comparing.is_below(difference), difference, None, _seeds(ours, against))


def _fid_close(rows: Sequence[RowStudies], real_is: float | None) -> Measured:
    ours, against = (_fids(row) for row in rows)
    difference, margin = comparing.of_means(ours, against), FID_MARGIN * sum(against) / len(against)
    verdict = comparing.is_close(difference, margin)
    return Measured(_minus("FID", rows), verdict, difference, margin, _seeds(ours, against))


def _median_above(rows: Sequence[RowStudies], real_is: float | None) -> Measured:
    ours, against = (_trial_scores(row) for row in rows)
    difference = comparing.of_medians(ours, against)
    return Measured(_minus("median IS", rows), comparing.is_above(difference), difference, None, _trials(ours, against))


def _median_close(rows: Sequence[RowStudies], real_is: float | None) -> Measured:
    ours, against = (_trial_scores(row) for row in rows)
    difference, margin = comparing.of_medians(ours, against), _is_margin(real_is)
    verdict = comparing.is_close(difference, margin)
    return Measured(_minus("median IS", rows), verdict, difference, margin, _trials(ours, against))


def _spread_below(rows: Sequence[RowStudies], real_is: float | None) -> Measured:
    ours, against = (_trial_scores(row) for row in rows)
    difference = comparing.of_spreads(ours, against)
    what = _minus("interquartile range of IS", rows)
    return Measured(what, comparing.is_below(difference), difference, None, _trials(ours, against))


def _best_generator_above(rows: Sequence[RowStudies], real_is: float | None) -> Measured:
    """Which generator is best says the winning trial, by how much the other trainings: no luck counts twice."""
    (row,) = rows
    best, *others = _order(row)
    first = _generator_scores(row, best)
    # Whichever comes next in each training: a rival that the winning trial did not show counts as well.
    next_best = [max(scores) for scores in zip(*(_generator_scores(row, other) for other in others), strict=True)]
    difference = comparing.within_pairs(first, next_best)
    what = f"IS: {generator(best).name} − the best other generator of {row.row.label}"
    return Measured(what, comparing.is_above(difference), difference, None, f"{len(first)} seeds")


def _transfers_ramp_up(rows: Sequence[RowStudies], real_is: float | None) -> Measured:
    (row,) = rows
    graph = _graph(row)
    gates = [gate for edge, gate in graph.items() if not edge.adversarial and gate is not CUTOFF]
    counts = [f"{gates.count(gate)} {gate.name}" for gate in (POSITIVE, THROUGH, NEGATIVE)]
    ramps_up = bool(gates) and set(gates) == {POSITIVE}
    return Measured(
        f"open transfer edges of {graph.to_text()}",
        Verdict.YES if ramps_up else Verdict.NO,
        numbers=", ".join(counts),
    )


def _has_buffer(rows: Sequence[RowStudies], real_is: float | None) -> Measured:
    """Of every generator that teaches the best one: how far its IS lies below the bar. One that is below is enough."""
    (row,) = rows
    graph, best = _graph(row), _order(row)[0]
    teachers = [edge.source for edge, _ in graph.incoming(generator(best)) if not edge.adversarial]
    if not teachers:
        return Measured(f"teachers of {generator(best).name} in {graph.to_text()}", Verdict.NO, numbers="none")
    bar = [1.0 + BUFFER_SHARE * (value - 1.0) for value in _generator_scores(row, best)]
    found = []
    for teacher in teachers:
        scores = _generator_scores(row, teacher.number)
        difference = comparing.within_pairs(scores, bar)
        what = f"IS: {teacher.name} − {BUFFER_SHARE:.0%} of {generator(best).name}'s way from 1, {row.row.label}"
        found.append(Measured(what, comparing.is_below(difference), difference, None, f"{len(scores)} seeds"))
    order = (Verdict.YES, Verdict.UNDECIDED, Verdict.NO)
    return min(found, key=lambda one: order.index(one.verdict))


MEASURES: dict[Kind, Callable[[Sequence[RowStudies], float | None], Measured]] = {
    Kind.IS_ABOVE: _is_above,
    Kind.IS_CLOSE: _is_close,
    Kind.FID_BELOW: _fid_below,
    Kind.FID_CLOSE: _fid_close,
    Kind.MEDIAN_ABOVE: _median_above,
    Kind.MEDIAN_CLOSE: _median_close,
    Kind.SPREAD_BELOW: _spread_below,
    Kind.BEST_GENERATOR_ABOVE: _best_generator_above,
    Kind.TRANSFERS_RAMP_UP: _transfers_ramp_up,
    Kind.HAS_BUFFER: _has_buffer,
}


def _minus(what: str, rows: Sequence[RowStudies]) -> str:
    return f"{what}: " + " − ".join(row.row.label for row in rows)


def _seeds(ours: Sequence[float], against: Sequence[float]) -> str:
    return f"{len(ours)} and {len(against)} seeds"


def _trials(ours: Sequence[float], against: Sequence[float]) -> str:
    return f"{len(ours)} and {len(against)} trials"


def _trainings(row: RowStudies) -> Sequence[TrialRecord]:
    if len(row.trained) >= LEAST_SEEDS:
        return row.trained
    if row.trained:
        raise NoAnswer(Verdict.NOT_RUN, f"{row.row.label}: {len(row.trained)} seed, and {LEAST_SEEDS} are needed")
    again = "the best graph was not trained again" if row.searched else "not run"
    raise NoAnswer(Verdict.NOT_RUN, f"{row.row.label}: {again}")


def _scores(row: RowStudies) -> list[float]:
    return [max_is(trial) for trial in _trainings(row)]


def _fids(row: RowStudies) -> list[float]:
    best = [best_generator(trial) for trial in _trainings(row)]
    fids = [score.fid for score in best if score is not None and score.fid is not None]
    if len(fids) < LEAST_SEEDS:
        raise NoAnswer(Verdict.NOT_RUN, f"{row.row.label}: {len(fids)} seeds have an FID, and {LEAST_SEEDS} are needed")
    return fids


def _trial_scores(row: RowStudies) -> list[float]:
    if len(row.searched) < LEAST_TRIALS:
        raise NoAnswer(Verdict.NOT_RUN, f"{row.row.label}: {len(row.searched)} trials, and {LEAST_TRIALS} are needed")
    return [max_is(trial) for trial in row.searched]


def _graph(row: RowStudies) -> KnowledgeTransferGraph:
    if row.winner is None or row.winner.graph is None:
        raise NoAnswer(Verdict.NOT_RUN, f"{row.row.label}: not run")
    return KnowledgeTransferGraph.from_text(row.winner.graph)


def _order(row: RowStudies) -> list[int]:
    """The generators 1..k of a search's best graph, highest IS in the winning trial first."""
    _graph(row)
    scores = None if row.winner is None else row.winner.of("is_mean")
    if scores is None:
        raise NoAnswer(Verdict.NOT_RUN, f"{row.row.label}: every trial of the search diverged")
    return sorted(range(1, len(scores) + 1), key=lambda number: -scores[number - 1])


def _generator_scores(row: RowStudies, number: int) -> list[float]:
    """IS of generator `number` (1..k) in every training of the best graph; 1.0 if it diverged."""
    return [1.0 if (found := trial.of("is_mean")) is None else found[number - 1] for trial in _trainings(row)]


def _is_margin(real_is: float | None) -> float:
    if real_is is None:
        raise NoAnswer(Verdict.NOT_RUN, "the real images were not scored, and the margin is a share of their IS")
    return IS_MARGIN * real_is
