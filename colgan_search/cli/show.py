"""How a study and its trials look in the terminal."""

from __future__ import annotations  # so that the types of the api are not imported for their names

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from colgan_search.cli import show_confirmed, show_ranking
from colgan_search.cli.console import console, duration, one_line, out
from colgan_search.files import make_private
from colgan_search.records import GeneratorScore, Objective, Scores, score_text

if TYPE_CHECKING:
    from colgan_search.search.care.monitor import Snapshot
    from colgan_search.search.study.cuts import Cuts
    from colgan_search.search.study.opening import OpenStudy
    from colgan_search.search.study.results import TrialRecord
    from colgan_search.symmetry import Extent

LONGEST_NUMBER = 10**4000
"""Python writes no whole number with more than 4,300 digits."""


def short_worker(worker: str) -> str:
    """Host and process number of a worker's name."""
    return ":".join(worker.split(":")[:2])


def value_text(record: TrialRecord, decimals: int = 2) -> str:
    """The trial's value; nothing as long as it has none."""
    return "" if record.value is None else score_text(record.value, decimals)


def best_line(record: TrialRecord, objective: Objective) -> str:
    """The trial with the best value in one line: which graph is best, no single run says."""
    return f"luckiest run: {objective.label} {value_text(record, 3)}, trial {record.number}, {record.graph}"


def time_left(now: Snapshot) -> str | None:
    """`12 min +- 2 min left`, `about 12 min left` while there is no spread; None if it is not known, or nothing is."""
    if now.seconds_left is None or now.budget.finished:
        return None
    if now.seconds_left < 1.0:  # all epochs are trained
        return "scoring the last images"
    if now.seconds_spread is None:
        return f"about {duration(now.seconds_left)} left"
    return f"{duration(now.seconds_left)} +- {duration(now.seconds_spread)} left"


def progress_line(now: Snapshot, objective: Objective) -> str:
    """A study's state in one line."""
    budget = now.budget
    parts = [f"{budget.done}/{budget.total} trials done", f"{budget.running} running"]
    if budget.failed:
        parts.append(f"{budget.failed} failed")
    if now.reused:
        parts.append(f"{now.reused} taken over from other studies")
    if (left := time_left(now)) is not None:
        parts.append(left)
    if now.best is not None:
        parts.append(best_line(now.best, objective))
    return "; ".join(parts)


def extent_json(extent: Extent) -> dict[str, int | bool | None]:
    """The size of a space; `distinct` is a lower bound where it is not exact, and null what is too long to write."""
    return {
        "assignments": extent.assignments if extent.assignments < LONGEST_NUMBER else None,
        "distinct": extent.distinct if extent.distinct < LONGEST_NUMBER else None,
        "distinct_exact": extent.exact,
    }


def cuts_line(cuts: Cuts, method: str) -> str:
    """What pruning has cut, and how often it would have been wrong."""
    text = f"pruning by {method}: {cuts.pruned} pruned"
    if not cuts.finished:
        return f"{text}; none that would have been was finished yet, so nothing is known of wrong cuts"
    return (
        f"{text}; {cuts.finished} that would have been {'were' if cuts.finished > 1 else 'was'} finished all the same: "
        f"{cuts.above_median} came out above the median of the complete trials, {cuts.top_quarter} in their top quarter"
    )


def doubt_line(text: str) -> str:
    """What is to be said before a score is believed, to be told from the scores."""
    return f"warning: {text}"


def best(study: OpenStudy, work_dir: Path, picture: Path | None = None) -> None:
    """The best graph in words, its scores, and its picture as PNG and SVG."""
    from colgan_search.api.doubts import doubt
    from colgan_search.search.ranking.naming import named
    from colgan_search.search.study import results
    from colgan_search.search.study.cuts import cuts

    found = named(study)
    record = found.run
    files = draw_best(study, record, work_dir, picture)  # first: it may refuse the picture's name
    records = results.trials(study)
    if found.race is not None:
        show_confirmed.answer(found.race)
    out(f"best graph of study {study.name}: trial {record.number} of {found.complete} complete")
    if record.reused_from is not None:
        out(f"  taken over from study {record.reused_from.study}, trial {record.reused_from.number}")
    out(f"  {record.graph}")
    for line in results.best_graph(record).describe():
        out(f"  {line}")
    if found.ranking is not None:
        show_ranking.estimate(found.ranking, study.config.objective)
    score_table(record)
    if study.config.pruning.on:
        out(f"  {cuts_line(cuts(records, study.config.objective), study.config.pruning.method)}")
    if (text := doubt(study)) is not None:
        out(f"  {doubt_line(text)}")
    recorded = results.outcome(study, record.number)
    if recorded is not None and len(recorded.variants) > 1:
        variants_table(recorded.variants, study.config.evaluation.point)
    for path in files:
        out(f"  picture: {path}")


def draw_best(study: OpenStudy, record: TrialRecord, work_dir: Path, picture: Path | None = None) -> list[Path]:
    """Draws a trial's graph to `picture`, or to best.png and best.svg of the study's folder. The files made."""
    from colgan_search.api.work_and_storage import output_file, work_folder
    from colgan_search.figures import draw_graph  # here: `status` does without Matplotlib
    from colgan_search.search.study import results

    folder = work_folder(work_dir).study(study.name)
    paths = [picture] if picture is not None else [folder / "best.png", folder / "best.svg"]
    if picture is None:
        make_private(folder)
    else:
        output_file(picture, "--picture")
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_graph(
            results.best_graph(record),
            path,
            scores=record.of(study.config.objective.number),
            objective=study.config.objective,
            title=f"{study.name}, trial {record.number}: {study.config.objective.label} {value_text(record)}",
        )
    return paths


def score_table(record: TrialRecord) -> None:
    """One row per generator."""
    if record.scores is None:
        out(f"  no scores: {one_line(record.diverged or 'not complete')}")
        return
    protocol, generators = record.scores.protocol, record.scores.generators
    table = Table("generator", *score_titles(record.scores), box=None)
    for number, score in enumerate(generators, start=1):
        name = f"G{number}"
        table.add_row(name + (" (best)" if name == record.best_generator else ""), *score_cells(score, protocol.splits))
    console().print(table)
    out(
        f"  measured with {protocol.extractor} ({protocol.weights_digest}), {protocol.images} images of "
        f"{protocol.resolution} x {protocol.resolution} pixels, {splits_text(protocol.splits)}"
    )


def variants_table(variants: Mapping[str, Scores], point: str) -> None:
    """One row per weights and generator: the end, the best points, the moving averages."""
    table = Table("weights", "generator", *score_titles(variants[point]), box=None)
    for name, scores in variants.items():
        for cells in variant_rows(name, scores, point):
            table.add_row(*cells)
    console().print(table)


def variant_rows(name: str, scores: Scores, point: str) -> list[list[str]]:
    """Weights, generator and scores of every generator; the weights that count are marked."""
    title = f"{name} (counts)" if name == point else name
    splits = scores.protocol.splits
    return [[title, f"G{number}", *score_cells(row, splits)] for number, row in enumerate(scores.generators, start=1)]


def score_titles(scores: Scores) -> list[str]:
    """The titles of `score_cells`: IS, its deviation, FID, and what else was measured."""
    return ["IS", deviation_title(scores.protocol.splits), "FID", *further_names(scores.generators[0])]


def score_cells(score: GeneratorScore, splits: int) -> list[str]:
    """IS, its deviation over the splits (one split has none), FID and what else was measured as text."""
    deviation = f"{score.is_std:.3f}" if splits > 1 else ""
    further = [f"{score.metrics[name]:.5f}" for name in further_names(score)]
    return [f"{score.is_mean:.3f}", deviation, "" if score.fid is None else f"{score.fid:.2f}", *further]


def further_names(score: GeneratorScore) -> list[str]:
    """The numbers beside IS and FID."""
    return [name for name in score.metrics if name not in ("is_mean", "is_std", "fid")]


def deviation_title(splits: int) -> str:
    """The title of the deviation's column; none with one split."""
    return f"std over {splits} splits" if splits > 1 else ""


def splits_text(splits: int) -> str:
    """`10 splits`, `1 split`."""
    return f"{splits} {'splits' if splits > 1 else 'split'}"
