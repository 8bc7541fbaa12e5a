"""How a study and its trials look in the terminal."""

from pathlib import Path

from rich.table import Table

from colgan_search import api
from colgan_search.cli.console import console, duration, out


def short_worker(worker: str) -> str:
    """Host and process number of a worker's name."""
    return ":".join(worker.split(":")[:2])


def best_line(record: api.TrialRecord) -> str:
    """The best trial in one line."""
    return f"best: IS {record.value:.3f}, trial {record.number}, {record.graph}"


def progress_line(now: api.Snapshot) -> str:
    """A study's state in one line."""
    budget = now.budget
    parts = [f"{budget.done}/{budget.total} trials done", f"{budget.running} running"]
    if budget.failed:
        parts.append(f"{budget.failed} failed")
    if now.seconds_left is not None and not budget.finished:
        parts.append(f"{duration(now.seconds_left)} left")
    if now.best is not None:
        parts.append(best_line(now.best))
    return "; ".join(parts)


def best(study: api.OpenStudy, work_dir: Path, picture: Path | None = None) -> None:
    """The best graph in words, its scores, and its picture as PNG and SVG."""
    record = api.best(study)
    graph = api.best_graph(record)
    files = draw_best(study, record, work_dir, picture)  # first: it may refuse the picture's name
    out(f"best graph of study {study.name}: trial {record.number} of {len(api.completed(study))} complete")
    out(f"  {record.graph}")
    for line in graph.describe():
        out(f"  {line}")
    score_table(record)
    for path in files:
        out(f"  picture: {path}")


def draw_best(study: api.OpenStudy, record: api.TrialRecord, work_dir: Path, picture: Path | None = None) -> list[Path]:
    """Draws a trial's graph to `picture`, or to best.png and best.svg of the study's folder. The files made."""
    from colgan_search.figures import draw_graph  # here: `status` does without Matplotlib

    folder = api.work_folder(work_dir).study(study.name)
    paths = [picture] if picture is not None else [folder / "best.png", folder / "best.svg"]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_graph(
            api.best_graph(record),
            path,
            scores=record.is_mean,
            title=f"{study.name}, trial {record.number}: IS {record.value:.2f}",
        )
    return paths


def score_table(record: api.TrialRecord) -> None:
    """One row per generator."""
    if record.is_mean is None or record.is_std is None or record.fid is None:
        out(f"  no scores: {record.diverged or 'not complete'}")
        return
    protocol = record.protocol or {}
    splits = protocol.get("splits", 1)
    table = Table("generator", "IS", f"std over {splits} splits" if splits > 1 else "", "FID", box=None)
    for number, (mean, std, fid) in enumerate(zip(record.is_mean, record.is_std, record.fid, strict=True), start=1):
        name = f"G{number}"
        mark = " (best)" if name == record.best_generator else ""
        # One split has no deviation.
        deviation = f"{std:.3f}" if splits > 1 else ""
        table.add_row(name + mark, f"{mean:.3f}", deviation, "" if fid is None else f"{fid:.2f}")
    console().print(table)
    size = protocol.get("resolution")
    out(
        f"  measured with {protocol.get('extractor')} ({protocol.get('weights_digest')}), {protocol.get('images')} "
        f"images of {size} x {size} pixels, {splits} {'splits' if splits > 1 else 'split'}"
    )
