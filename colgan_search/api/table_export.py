"""Tables of measured graphs, for rehearsals, made of studies."""

import os
import platform
import re
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR, opened_study, output_file, work_folder
from colgan_search.config.fingerprint import fingerprint, result_settings
from colgan_search.errors import BadInput, StudyError
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import MAX_IS, EpochScores, Outcome, comparable
from colgan_search.rehearsal.table import TABLE_NAME, Card, Row, Table, find, read, write
from colgan_search.search.study import results
from colgan_search.search.study.opening import OpenStudy
from colgan_search.symmetry import canonical_order
from colgan_search.version import __version__

TABLE = ".csv"
"""How the name of a table ends."""
NOT_OF_A_TRAINING = ("search.", "seed")
"""Settings that decide which graphs are trained and with which seeds, not how."""


def export_table(
    studies: Sequence[str],
    out: Path,
    storage: str | None = None,
    work_dir: Path = DEFAULT_WORK_DIR,
) -> Table:
    """Writes all complete trials of the studies as one table, `out` (.csv) with a .json beside it.

    A name that ends in .csv is a table, `out` itself perhaps, whose trainings are taken in: so a table grows by studies
    of several databases. A training that comes twice counts once, under its first name: also one that a study took over
    (`reuse`), and one that two studies of one seed did alike. Two that differ and are called the same trial of the same
    study are an error.
    BadInput, and nothing written, for a file's name that no table can have, if a study has no complete trial, looks for
    another objective than the maximum IS, has several discriminators, or if not all trainings are measured alike at the
    same moments; DataError for a table that cannot be read.
    """
    if out.suffix != TABLE:
        raise BadInput(f"{out}: a table's file ends in {TABLE}")
    if not re.fullmatch(TABLE_NAME, out.stem):
        raise BadInput(f"{out}: {out.stem!r} is no table's name; letters, digits, '.', '_' and '-' make one, up to 100")
    output_file(out)
    card: Card | None = None
    rows: dict[tuple[str, int], Row] = {}
    trained: dict[Any, Row] = {}
    for name in dict.fromkeys(studies):
        if name.endswith(TABLE):
            table = read(find(name))
            theirs, found = table.card, list(table.rows)
        else:
            with opened_study(storage, work_folder(work_dir), name, writing=False) as study:
                theirs, found = _of_study(study)
        card = theirs if card is None else _merged(card, theirs, name)
        for row in found:
            if trained.setdefault(row.training, row) is not row:
                continue
            if rows.setdefault((row.study, row.trial), row) is not row:
                raise StudyError(
                    f"{name!r}: trial {row.trial} of {row.study} is another training than the one of that name before "
                    "it; rename a study (`colgan-search rename`)"
                )
    if card is None:
        raise BadInput("no study is named to make a table of")
    # Without the storage: where a database was is of no use to others, and may be secret.
    named = " ".join(f"--export {Path(name).name if name.endswith(TABLE) else name}" for name in dict.fromkeys(studies))
    card = card.model_copy(update={"name": out.stem, "command": f"colgan-search rehearse {named} --out {out.name}"})
    table = Table(card, sorted(rows.values(), key=lambda row: (row.graph, row.study, row.trial)), str(out))
    write(out, table)
    return table


def _of_study(study: OpenStudy) -> tuple[Card, list[Row]]:
    config = study.config
    if config.objective != MAX_IS or config.roster.discriminators > 1:
        raise StudyError(
            f"study {study.name!r}: tables are of the maximum IS with one discriminator; it is of "
            f"{config.objective.words} and {config.roster}"
        )
    done = {record.number: record.seed for record in results.trials(study) if record.state == "complete"}
    outcomes = {number: results.outcome(study, number) for number in done}
    known = {number: outcome for number, outcome in outcomes.items() if outcome is not None}
    healthy = [outcome for outcome in known.values() if outcome.diverged is None]
    if not healthy:
        raise StudyError(f"study {study.name!r} has no complete trial that did not diverge; a table needs some")
    history = healthy[0].history
    card = Card(
        name=study.name,
        k=config.k,
        gates=tuple(gate.name for gate in config.search.gates),
        epochs=config.training.epochs,
        moments=tuple(moment.epoch for moment in history),
        settings={
            key: value for key, value in result_settings(config).items() if not key.startswith(NOT_OF_A_TRAINING)
        },
        fingerprints=(fingerprint(config),),
        protocol=history[-1].scores.protocol,
        interim_protocol=history[0].scores.protocol if len(history) > 1 else None,
        versions=(__version__,),
        command="",
        machine=f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs; trained on {healthy[0].device}",
        date=datetime.now(timezone.utc).date().isoformat(),
    )
    return card, [_row(card, study.name, number, outcome) for number, outcome in known.items()]


def _row(card: Card, study: str, number: int, outcome: Outcome) -> Row:
    where = f"study {study!r}: trial {number}"
    graph = KnowledgeTransferGraph.from_text(outcome.graph)
    order, discriminators = canonical_order(graph)
    at = {moment.epoch: moment for moment in outcome.history}
    if outcome.diverged is None and tuple(at) != card.moments:
        raise StudyError(f"{where} was scored after the epochs {list(at)}, others after {list(card.moments)}")
    for epoch, moment in at.items():
        wanted = card.protocol if epoch == card.moments[-1] else card.interim_protocol
        if wanted is None or not comparable(moment.scores.protocol, wanted):
            raise StudyError(f"{where}, epoch {epoch}: scored under another protocol than the table's other trainings")
    end = at.get(card.epochs)
    fid = None if end is None or outcome.diverged is not None else end.scores.of("fid")
    return Row(
        graph=graph.relabel(order, discriminators).to_text(),
        study=study,
        trial=number,
        seed=outcome.seed,
        seconds=round(outcome.seconds, 3),
        diverged=outcome.diverged is not None,
        scores=tuple(_moment(at.get(epoch), order) for epoch in card.moments),
        fid=None if fid is None else tuple(round(fid[i - 1], 4) for i in order),
    )


def _moment(moment: EpochScores | None, order: Sequence[int]) -> tuple[float | None, ...]:
    if moment is None:
        return (None,) * len(order)
    return tuple(max(1.0, round(moment.scores.generators[i - 1].is_mean, 5)) for i in order)


PROTOCOLS = ("protocol", "interim_protocol")
SEVERAL = ("fingerprints", "versions")
"""What a table may have several of."""
BETWEEN = " | "
"""Several machines."""


def _merged(card: Card, other: Card, name: str) -> Card:
    for key in ("k", "gates", "epochs", "moments", "settings", "protocol", "interim_protocol"):
        ours, theirs = getattr(card, key), getattr(other, key)
        if ours != theirs and not (key in PROTOCOLS and ours and theirs and comparable(ours, theirs)):
            if key == "settings":
                different = sorted(one for one in {*ours, *theirs} if ours.get(one) != theirs.get(one))
                key, ours, theirs = different[0], ours.get(different[0]), theirs.get(different[0])
            raise StudyError(
                f"{name!r} does not fit what is named before it in one table: its {key} is {theirs!r}, theirs {ours!r}"
            )
    several = {key: tuple(dict.fromkeys(getattr(card, key) + getattr(other, key))) for key in SEVERAL}
    machines = dict.fromkeys([*card.machine.split(BETWEEN), *other.machine.split(BETWEEN)])
    latest = max(card.date, other.date)
    return card.model_copy(update={**several, "machine": BETWEEN.join(machines), "date": latest})
