"""`delete`: a study out of its database."""

import json
import sys
from typing import Annotated

import typer

from colgan_search.cli import console, options
from colgan_search.cli.clean import size_text
from colgan_search.cli.long_work_bar import long_work_shown
from colgan_search.errors import BadInput
from colgan_search.file_names import DEFAULT_WORK_DIR

EXAMPLE = "colgan-search delete digits-first-try --yes"


def command(
    study: Annotated[str, typer.Argument(help="The study's name.")],
    storage: options.Storage = None,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also while workers are at it: they stop, and what they train is lost.")
    ] = False,
    leave_pictures: Annotated[
        bool,
        typer.Option("--leave-pictures", help="Do not remove its pictures from the folder or the bucket they are in."),
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Delete a study from its database: its trials, results, slots and pictures. It asks first.

    Pictures in a folder or a bucket (`artifacts.place`) go first; if that is not to be had, nothing is deleted. Files
    in the work folder stay, and it says where. To have it back, make a `copy` before: one in another database shares
    these pictures, so add --leave-pictures then.
    """
    from colgan_search.api.study_keeping import delete, what_goes

    found = what_goes(storage, work_dir, study)
    if found.workers and not force:
        delete(study, storage=storage, work_dir=work_dir)  # which refuses it, and says who they are
    if not yes:
        its = f"{found.results:,} results"
        if found.pictures and not leave_pictures:
            its += f" and its {len(found.pictures):,} pictures in {found.place}"
        question = f"Delete study {study} with its {its} for good?"
        if not sys.stdin.isatty():
            raise BadInput(f"nobody is there to be asked: {question} Add --yes")
        typer.confirm(question, abort=True, err=True)
    with long_work_shown():
        gone = delete(study, storage=storage, work_dir=work_dir, force=force, leave_pictures=leave_pictures)
    if as_json:
        plain = {"study": gone.study, "trials": gone.trials, "results": gone.results}
        left = {"folder": None if gone.folder is None else str(gone.folder), "files": gone.files, "bytes": gone.bytes}
        pictures = {"place": gone.place, "pictures": gone.pictures, "pictures_left": gone.pictures_left}
        console.out(json.dumps(plain | left | pictures))
        return
    console.out(f"study {gone.study} is deleted from {gone.storage}: {gone.trials:,} trials, {gone.results:,} results")
    if gone.place is not None:
        what = f"{gone.pictures_left:,} pictures stay" if gone.pictures_left else f"{gone.pictures:,} pictures removed"
        console.out(f"{gone.place}: {what}")
    if gone.folder is not None:
        console.out(f"{gone.folder} stays: {gone.files:,} files, {size_text(gone.bytes)}; remove it by hand")
    console.note("folders of other machines, and studies that confirm this one, stay as well")
