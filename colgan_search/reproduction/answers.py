"""The answers to the paper's claims: every claim's comparisons, and the one verdict that they give together."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from colgan_search.evaluation.comparing import Verdict
from colgan_search.records import differences
from colgan_search.reproduction.comparisons import Measured, NoAnswer, measure
from colgan_search.reproduction.paper_claims import CLAIMS, Claim, Comparison, Kind
from colgan_search.reproduction.studies import RowStudies

OVER_TRIALS = (Kind.MEDIAN_ABOVE, Kind.MEDIAN_CLOSE, Kind.SPREAD_BELOW, Kind.TRANSFERS_RAMP_UP)
"""Comparisons that look at the search alone, not at trainings of its best graph."""


@dataclass(frozen=True)
class Answer:
    """A claim's answer and what it rests on."""

    claim: Claim
    verdict: Verdict
    measured: tuple[Measured, ...]
    """One for each of the claim's comparisons."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "question": self.claim.question,
            "paper": self.claim.paper,
            "answer": self.verdict.value,
            "comparisons": [
                {"kind": comparison.kind.value, "row": comparison.row, "against": comparison.against, **asdict(one)}
                for comparison, one in zip(self.claim.comparisons, self.measured, strict=True)
            ],
        }


def answer_claims(table: str, found: Mapping[str, RowStudies], real_is: float | None) -> list[Answer]:
    """Every claim of a table with its answer. `real_is` is our IS of the real images, None if not scored."""
    return [answer(claim, found, real_is) for claim in CLAIMS[table]]


def answer(claim: Claim, found: Mapping[str, RowStudies], real_is: float | None) -> Answer:
    """The answer to one claim. `found` has the studies of every row that it names."""
    measured = tuple(_measured(comparison, found, real_is) for comparison in claim.comparisons)
    return Answer(claim, together([one.verdict for one in measured], leave_out=claim.elsewhere), measured)


def together(verdicts: Sequence[Verdict], leave_out: bool = False) -> Verdict:
    """No if one is no, yes if all are yes. With `leave_out`, what was not run does not count."""
    if leave_out:
        verdicts = [verdict for verdict in verdicts if verdict is not Verdict.NOT_RUN] or [Verdict.NOT_RUN]
    for decisive in (Verdict.NO, Verdict.INCOMPARABLE, Verdict.NOT_RUN, Verdict.UNDECIDED):
        if decisive in verdicts:
            return decisive
    return Verdict.YES


def _measured(comparison: Comparison, found: Mapping[str, RowStudies], real_is: float | None) -> Measured:
    rows = [found[name] for name in (comparison.row, comparison.against) if name is not None]
    try:
        _check_comparable(comparison.kind, rows)
        measured = measure(comparison.kind, rows, real_is)
    except NoAnswer as reason:
        what = f"{comparison.kind.value}: {' against '.join(row.row.label for row in rows)}"
        return Measured(what, reason.verdict, remark=str(reason))
    return replace(measured, remark=_incomplete(comparison, rows))


def _check_comparable(kind: Kind, rows: Sequence[RowStudies]) -> None:
    """NoAnswer if any of the trials that `kind` compares was scored by another judge than the rest."""
    trials = [trial for row in rows for trial in (row.searched if kind in OVER_TRIALS else row.trained)]
    known: list[dict[str, Any]] = []
    for trial in trials:
        if trial.protocol is not None and trial.protocol not in known:
            known.append(trial.protocol)
    if any(differences(one, other) for one, other in itertools.combinations(known, 2)):
        raise NoAnswer(Verdict.INCOMPARABLE, "scored under different protocols")


def _incomplete(comparison: Comparison, rows: Sequence[RowStudies]) -> str | None:
    """What the comparison's rows still lack; None if they are complete."""
    lacking = [
        f"{row.row.label}: {lack}"
        for row in rows
        for lack in [*row.search_lacks(), *([] if comparison.kind in OVER_TRIALS else row.trainings_lack())]
    ]
    return "so far, " + "; ".join(lacking) if lacking else None
