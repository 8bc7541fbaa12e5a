"""`status`: how far a study is, and who works on it."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from colgan_search.cli import console, options, show, show_confirmed
from colgan_search.errors import BadInput
from colgan_search.file_names import DEFAULT_WORK_DIR

EXAMPLE = "colgan-search status --study digits"


def command(
    study: options.Study = None,
    storage: options.Storage = None,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it until it is done, or Ctrl-C.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Show done, running and failed trials, the workers, and the best trial so far.

    With --watch as `launch` shows it, from any machine: workers of all machines, the time left of each trial, this
    machine's GPUs, the last trouble. Without a terminal a line for every result.
    """
    from colgan_search.api.space import extent_of, space_lines
    from colgan_search.api.work_and_storage import opened_study, work_folder
    from colgan_search.evaluation.classifier_card import poor
    from colgan_search.search.care.monitor import Monitor
    from colgan_search.search.proposing.race import is_race

    if watch and as_json:
        raise BadInput("--watch goes on, --json is of one moment: leave one out")
    with opened_study(storage, work_folder(work_dir), study, writing=False) as opened:
        if watch:
            from colgan_search.cli.watch import until_finished

            until_finished(opened)
            return
        now = Monitor(opened).snapshot()
        failures = opened.slots.failures()
        doubt = poor(now.classifier_accuracy)
        race = None
        if is_race(opened.config):
            from colgan_search.search.ranking.confirmed import confirmed

            race = confirmed(opened)
        if as_json:
            console.out(
                json.dumps(
                    {
                        "study": opened.name,
                        "storage": opened.storage.name,
                        "finished": now.budget.finished,
                        **asdict(now.budget),
                        "space": show.extent_json(extent_of(opened.config)),
                        "buys": space_lines(opened.config, now.budget.total)[-1],
                        "reused": now.reused,
                        "pruning": {"method": opened.config.pruning.method, **asdict(now.cuts)},
                        "seconds_left": now.seconds_left,
                        "seconds_left_spread": now.seconds_spread,
                        "workers": [asdict(worker) for worker in now.workers],
                        "best": now.best.as_dict() if now.best else None,
                        "classifier_accuracy": now.classifier_accuracy,
                        "warning": doubt,
                        **({} if race is None else {"confirmation": race.as_dict()}),
                        "failed_trials": [asdict(failure) for failure in failures],
                    }
                )
            )
            return
        console.out(f"study {opened.name} in {opened.storage.name}")
        console.out(f"  {show.progress_line(now, opened.config.objective)}")
        for line in space_lines(opened.config, now.budget.total):
            console.out(f"  {line}")
        if opened.config.pruning.on:
            console.out(f"  {show.cuts_line(now.cuts, opened.config.pruning.method)}")
        if race is not None:
            console.out(f"  {show_confirmed.state_line(race)}")
        if doubt is not None:
            console.out(f"  {show.doubt_line(doubt)}")
        if now.workers:
            table = Table(
                "worker",
                "device",
                "does",
                "trial",
                "epoch",
                f"last {opened.config.objective.label}",
                "heard of",
                box=None,
            )
            for row in now.workers:
                table.add_row(
                    show.short_worker(row.worker),
                    row.device,
                    str(row.state),
                    console.optional(row.trial_number),
                    f"{row.epoch}/{row.epochs}" if row.epoch is not None else "",
                    f"{row.last_is:.2f}" if row.last_is is not None else "",
                    f"{console.duration(row.quiet)} ago",
                )
            console.console().print(table)
        for failure in failures:
            reasons = "; ".join(console.one_line(str(fault["reason"])) for fault in failure.faults)
            workers = len({fault["worker"] for fault in failure.faults})
            console.out(f"  trial {failure.trial_number} failed on {workers} workers: {reasons}")
