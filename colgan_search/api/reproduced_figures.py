"""`reproduce figures`: the studies of Tables 2 and 3, then figures 5 to 8 from them, and what they were made of."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from colgan_search import __version__
from colgan_search.api.figures import Drawn, FiguresRequest, draw_figures
from colgan_search.api.paper_tables import CONFIG_FOLDERS
from colgan_search.api.places import work_folder
from colgan_search.api.reproducing import Reproduction, RunStudy, run_table, storage_if_any
from colgan_search.config import load_config
from colgan_search.errors import BadInput, StorageError, StudyError
from colgan_search.experiment import GENERATORS_FILE
from colgan_search.files import write_text
from colgan_search.search import results
from colgan_search.search.results import TrialRecord
from colgan_search.search.storage import Storage
from colgan_search.search.study import open_study, study_names

SAMPLES, TSNE, BOXES, GRAPH, EPOCHS = "figure5-samples", "figure6-tsne", "figure7-trials", "figure8-graph", "epochs"
MAD_GANS_HALF = f"{TSNE} (MAD-GAN's half)"
TRANSFERS = ("table2-image", "table2-input-side", "table2-output-side")
PROPOSED, MAD_GAN = "table3-proposed", "table3-mad-gan"
RECORD = "figures.json"
"""Beside the pictures: what each was made of."""


@dataclass
class _Found:
    """The complete trials of the studies, and why those of the other studies are not there."""

    names: dict[str, str] = field(default_factory=dict)
    """Config's stem -> study."""
    trials: dict[str, list[TrialRecord]] = field(default_factory=dict)
    """Config's stem -> complete trials, best first; only studies that have one."""
    absent: dict[str, str] = field(default_factory=dict)
    mad_gan: Path | None = None
    """Run folder of MAD-GAN's best generators on this machine."""


def run_figures(wanted: Reproduction, run: RunStudy) -> bool:
    """Runs or resumes what the figures need. False if `run` left a study undone."""
    finished = [run_table(replace(wanted, table=table), run) for table in ("table2", "table3")]
    return all(finished)


def draw_paper_figures(
    wanted: Reproduction, out: Path, say: Callable[[str], None] = lambda text: None
) -> dict[str, Drawn]:
    """Folder name -> what was drawn there: `table2` for figure 7, `table3` for figures 5, 6 and 8.

    What cannot be drawn is missing, with its reason. Leaves `figures.json` if anything was drawn. StorageError if the
    database cannot be read, BadInput if `out` cannot be a folder. `say` hears of the slow parts.
    """
    wanted.rows()
    work_folder(out, "--out")
    found = _find(wanted)
    drawn = {
        "table2": _transfers(wanted, found, out / "table2", say),
        "table3": _proposed(wanted, found, out / "table3", say),
    }
    if any(done.files for done in drawn.values()):
        write_text(out / RECORD, json.dumps(figures_record(wanted, found, drawn, out), indent=1))
    return drawn


def _find(wanted: Reproduction) -> _Found:
    found = _Found()
    with storage_if_any(wanted) as storage:
        for stem in (*TRANSFERS, PROPOSED, MAD_GAN):
            config = load_config(f"{CONFIG_FOLDERS[wanted.scale]}/{stem}")
            found.names[stem] = config.name
            how = f"colgan-search reproduce {stem.partition('-')[0]} --scale {wanted.scale} runs it"
            try:
                trials = _trials(storage, config.name)
            except StudyError as error:
                found.absent[stem] = str(error)
                continue
            if trials:
                found.trials[stem] = trials
            elif trials is None:
                found.absent[stem] = f"study {config.name} was not run; {how}"
            else:
                found.absent[stem] = f"study {config.name} has no complete trial yet; {how}"
    work = work_folder(wanted.work_dir)
    runs = [work.run(found.names[MAD_GAN], trial.number) for trial in found.trials.get(MAD_GAN, [])]
    found.mad_gan = next((run for run in runs if (run / GENERATORS_FILE).is_file()), None)
    return found


def _trials(storage: Storage | None, name: str) -> list[TrialRecord] | None:
    if storage is None or name not in study_names(storage):
        return None
    return results.completed(open_study(storage, name))


def _transfers(wanted: Reproduction, found: _Found, out: Path, say: Callable[[str], None]) -> Drawn:
    """Figure 7, of the transfer methods whose search is there."""
    there = [stem for stem in TRANSFERS if stem in found.trials]
    lacking = {f"{BOXES} ({stem})": found.absent[stem] for stem in TRANSFERS if stem in found.absent}
    if not there:
        return Drawn(missing=lacking)
    request = _request(
        wanted, study=found.names[there[0]], against=tuple(found.names[stem] for stem in there[1:]), out=out
    )
    drawn = _draw(request, say)
    drawn.missing.update(lacking)
    return drawn


def _proposed(wanted: Reproduction, found: _Found, out: Path, say: Callable[[str], None]) -> Drawn:
    """Figures 5, 6 and 8, of the proposed method's best graph."""
    if PROPOSED not in found.trials:
        return Drawn(missing=dict.fromkeys((SAMPLES, TSNE, GRAPH, EPOCHS), found.absent[PROPOSED]))
    drawn = _draw(_request(wanted, study=found.names[PROPOSED], mad_gan=found.mad_gan, out=out), say)
    if not drawn.files and found.mad_gan is not None:
        # MAD-GAN's generators may be what is broken: the proposed method's figures can do without.
        found.absent[MAD_GAN], found.mad_gan = drawn.missing[TSNE], None
        drawn = _draw(_request(wanted, study=found.names[PROPOSED], out=out), say)
    if found.mad_gan is None and TSNE in drawn.files:
        for name in [name for name in drawn.missing if name.startswith(TSNE)]:
            del drawn.missing[name]
        drawn.missing[MAD_GANS_HALF] = found.absent.get(MAD_GAN) or (
            f"the generators of study {found.names[MAD_GAN]} are not in {wanted.work_dir / found.names[MAD_GAN]}; "
            f"run this in the work folder of their worker ({found.trials[MAD_GAN][0].worker})"
        )
    return drawn


def _request(wanted: Reproduction, **what: Any) -> FiguresRequest:
    return FiguresRequest(storage=wanted.storage, work_dir=wanted.work_dir, **what)


def _draw(request: FiguresRequest, say: Callable[[str], None]) -> Drawn:
    try:
        return draw_figures(request, say)
    except StorageError:
        raise
    except BadInput as error:  # e.g. generators that are cut short: the other folder can still be drawn
        return Drawn(missing=dict.fromkeys((SAMPLES, TSNE, BOXES, GRAPH, EPOCHS), str(error)))


def figures_record(wanted: Reproduction, found: _Found, drawn: dict[str, Drawn], out: Path) -> dict[str, Any]:
    """What every picture shows: studies, trainings with their seeds, protocol, and the command."""
    return {
        "scale": wanted.scale,
        "version": __version__,
        "command": wanted.made_by,
        "studies": {found.names[stem]: _study_record(wanted, stem, trials) for stem, trials in found.trials.items()},
        "folders": {
            folder: {
                "figures": {
                    name: {"files": [str(file.relative_to(out)) for file in files], **_shows(found, folder, name)}
                    for name, files in done.files.items()
                },
                "missing": done.missing,
            }
            for folder, done in drawn.items()
        },
    }


def _study_record(wanted: Reproduction, stem: str, trials: list[TrialRecord]) -> dict[str, Any]:
    best = trials[0]
    return {
        "config": f"{CONFIG_FOLDERS[wanted.scale]}/{stem}",
        "trials": len(trials),
        "best_trial": best.number,
        "best_trials_seed": best.seed,
        "graph": best.graph,
        "weights": load_config(f"{CONFIG_FOLDERS[wanted.scale]}/{stem}").evaluation.point,
        "protocol": next((trial.protocol for trial in trials if trial.protocol is not None), None),
    }


def _shows(found: _Found, folder: str, name: str) -> dict[str, Any]:
    """The studies behind a figure, and how many trainings (each with a seed of its own) it shows."""
    there = [stem for stem in TRANSFERS if stem in found.trials] if folder == "table2" else [PROPOSED]
    if name == BOXES:
        names = [found.names[stem] for stem in there]
        return {"studies": names, "seeds": sum(len(found.trials[stem]) for stem in there)}
    if name not in (SAMPLES, TSNE, GRAPH, EPOCHS):
        return {}  # the gates' ramps show no training
    shown = {found.names[there[0]]: f"trial {found.trials[there[0]][0].number}"}
    if folder == "table3" and name == TSNE and found.mad_gan is not None:
        shown[found.names[MAD_GAN]] = f"trial {int(found.mad_gan.name.removeprefix('trial-'))}"
    return {"studies": list(shown), "shown": shown, "seeds": len(shown)}
