"""A reproduced table for people: our rows beside the paper's, what they mean, and the paper's claims with answers."""

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise

from colgan_search.evaluation.classifier_card import poor
from colgan_search.reproduction.answers import Answer
from colgan_search.reproduction.comparisons import Measured
from colgan_search.reproduction.paper_claims import RULES
from colgan_search.reproduction.paper_tables import NOTES, protocol_sentence
from colgan_search.reproduction.rows import RowResult
from colgan_search.reproduction.running import Reproduction
from colgan_search.version import __version__

COLUMNS = (
    "row",
    "paper: IS ± std over splits",
    "paper: FID",
    "ours: IS ± std over seeds",
    "ours: IS std over splits",
    "ours: FID ± std over seeds",
    "seeds",
    "weights",
    "state",
)
WINNER, AGAIN = "winning trial", "trained again"


def markdown(wanted: Reproduction, rows: Sequence[RowResult], real: RowResult, answers: Sequence[Answer]) -> str:
    """The table, what its figures mean, the paper's claims, and every training behind it."""
    lines = [
        f"## {wanted.table.replace('table', 'Table ')} at the {wanted.scale} scale",
        "",
        *_table(COLUMNS, (_cells(row) for row in [*rows, real])),
        "",
        *_notes(wanted, rows),
        *_claims(answers),
        *_origins(wanted, rows, real),
        *_every_seed(rows),
    ]
    return "\n".join(lines) + "\n"


def _notes(wanted: Reproduction, rows: Sequence[RowResult]) -> Iterator[str]:
    yield f"- {protocol_sentence(wanted.scale)}"
    yield "- Paper: mean and deviation over the splits of one training."
    yield (
        "- Ours: mean and deviation over training seeds of the maximum IS over the generators; FID of that generator. "
        "Beside it the mean over the seeds of the deviation over splits, which is what the paper prints; empty with "
        "1 split."
    )
    if any(row.kind == WINNER for row in rows):
        yield (
            f"- A searched row stands twice. `{WINNER}`: the search's best trial itself, one training, which is what "
            "the paper prints; it was chosen for its score, so it is the luckiest of all trials. "
            f"`{AGAIN}`: the same graph with new seeds; this is the line to compare with other rows."
        )
    for row, again in pairwise(rows):
        if row.flattered_by is not None:
            yield (
                f"- {row.label}: the winning trial, best of {row.search_trials}, has {row.our_is:.2f}. Its graph "
                f"trained again has {_mean(again.our_is, again.our_is_std_over_seeds)} "
                f"({_count(again.seeds, 'seed')}), so the winning trial was flattered by {row.flattered_by:+.2f}."
            )
    yield "- Weights that count: `last` at the end of the training, `best` where the interim IS was highest."
    yield from (f"- {note}" for note in NOTES.get(wanted.table, ()))
    if len({row.protocol["weights_digest"] for row in rows if row.protocol is not None}) > 1:
        yield "- These rows were judged by extractors of different weights: their scores are not comparable."
    for row in rows:
        if (doubt := poor(row.classifier_accuracy)) is not None:
            yield f"- {row.name}: warning: {doubt}"


def _origins(wanted: Reproduction, rows: Sequence[RowResult], real: RowResult) -> Iterator[str]:
    """Graph, study and protocol of every line, and the command."""
    yield from ("", "Where it comes from:", "")
    texts = [_text(row.protocol) for row in [*rows, real] if row.protocol is not None]
    protocols = list(dict.fromkeys(texts))
    for row in [*rows, real]:
        said = [f"graph `{row.graph}`"] if row.graph is not None else []
        said += [f"study `{row.study}`"] if row.study is not None else []
        said += [f"protocol {protocols.index(_text(row.protocol)) + 1}"] if row.protocol is not None else []
        if said:
            yield f"- {row.name}: {', '.join(said)}"
    yield from (f"- Protocol {number}: `{text}`" for number, text in enumerate(protocols, start=1))
    yield f"- Made by colgan-search {__version__}: `{wanted.made_by}`"


def _claims(answers: Sequence[Answer]) -> Iterator[str]:
    if not answers:
        return
    yield from ("", "What the paper says of its results, as questions:", "")
    numbered = list(enumerate(answers, start=1))
    yield from _table(
        ("claim", "question", "the paper", "here"),
        ((number, one.claim.question, one.claim.paper, f"**{one.verdict.value}**") for number, one in numbered),
    )
    yield from ("", "What the answers rest on:", "")
    yield from _table(
        ("claim", "compared", "difference", "95 % interval", "margin", "from", "says", "remark"),
        ((number, *_comparison(measured)) for number, one in numbered for measured in one.measured),
    )
    yield from ("", "The rule, fixed beforehand:", "")
    yield from (f"- {rule}" for rule in RULES)


def _comparison(measured: Measured) -> tuple[object, ...]:
    difference = measured.difference
    return (
        measured.what,
        None if difference is None else f"{difference.value:+.2f}",
        None if difference is None else f"{difference.low:+.2f} to {difference.high:+.2f}",
        None if measured.margin is None else f"±{measured.margin:.2f}",
        measured.numbers,
        measured.verdict.value,
        measured.remark,
    )


def _every_seed(rows: Sequence[RowResult]) -> Iterator[str]:
    if not any(row.per_seed for row in rows):
        return
    yield from ("", "Every training:", "")
    yield from _table(
        ("row", "trial", "seed", "IS", "IS std over splits", "FID", "diverged"),
        (
            (
                row.name,
                seed.trial,
                seed.seed,
                _number(seed.our_is),
                _number(seed.our_is_std_over_splits),
                _number(seed.our_fid),
                seed.diverged,
            )
            for row in rows
            for seed in row.per_seed
        ),
    )


def _cells(row: RowResult) -> tuple[object, ...]:
    fid = _mean(row.our_fid, row.our_fid_std_over_seeds)
    if row.our_fid is not None and row.fid_seeds != row.seeds:
        fid += f" ({_count(row.fid_seeds, 'seed')})"
    seeds = f"1, best of {row.search_trials}" if row.kind == WINNER and row.seeds else row.seeds or None
    return (
        row.name,
        _mean(row.printed_is, row.printed_is_std_over_splits),
        _number(row.printed_fid),
        _mean(row.our_is, row.our_is_std_over_seeds),
        _number(row.our_is_std_over_splits),
        fid,
        seeds,
        row.weights,
        row.state,
    )


def _table(head: Sequence[str], lines: Iterator[tuple[object, ...]]) -> Iterator[str]:
    """A Markdown table; None = an empty cell."""
    yield _line(head)
    yield "|---" * len(head) + "|"
    yield from (_line(line) for line in lines)


def _line(cells: Sequence[object]) -> str:
    return "| " + " | ".join("" if cell is None else str(cell).replace("|", "/") for cell in cells) + " |"


def _text(protocol: object) -> str:
    return json.dumps(protocol, sort_keys=True)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _mean(mean: float | None, deviation: float | None) -> str:
    return _number(mean) if deviation is None else f"{mean:.2f} ± {deviation:.2f}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
