"""`reproduce figures`: the studies of all three tables that figures 5 to 8 are of, the figures, and their claims."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colgan_search.api.figures import (
    BOXES,
    EPOCHS,
    GRAPH,
    PAPERS_GRAPH,
    RAMPS,
    RIVALS_HALF,
    SAMPLES,
    TSNE,
    Drawn,
    FiguresRequest,
    draw_figures,
)
from colgan_search.api.work_and_storage import work_folder
from colgan_search.errors import BadInput, StorageError
from colgan_search.file_names import TRIAL_PREFIX
from colgan_search.files import write_text
from colgan_search.reproduction import figure_claims
from colgan_search.reproduction.figure_studies import MAD_GAN, PAIR, SEARCHED, TRANSFERS, Found, figure_rows, find
from colgan_search.reproduction.measured_pairs import MeasuredPairs, measure_pairs
from colgan_search.reproduction.paper_tables import CONFIG_FOLDERS
from colgan_search.reproduction.running import Reproduction, RunStudy
from colgan_search.search.study.results import TrialRecord
from colgan_search.version import __version__

SHOWN = {
    "table1": (SAMPLES, TSNE),
    "table2": (BOXES,),
    "table3": (GRAPH, PAPERS_GRAPH, EPOCHS, RAMPS),
}
"""Folder -> its figures."""
RECORD = "figures.json"
"""Beside the pictures: what each was made of, and every number behind the claims."""
CLAIMS = "claims.md"
"""Beside the pictures: the claims of figures 5 and 6 with their answers."""


@dataclass(frozen=True)
class PaperFigures:
    """What was drawn, and what the claims of figures 5 and 6 come to."""

    folders: dict[str, Drawn]
    """Folder -> what was drawn there: `table1` has figures 5 and 6, `table2` figure 7, `table3` figure 8."""
    claims: MeasuredPairs | None
    """None if there are no generators to measure; the first folder's `missing` says why."""


def run_figures(wanted: Reproduction, run: RunStudy) -> bool:
    """Runs or resumes the studies that the figures need, and no other. False if `run` left a study undone."""
    wanted.rows()
    finished = True
    for row in figure_rows():
        config = wanted.config(row)
        total = (wanted.trials or config.search.trials) if row.search else wanted.seeds
        finished &= run(wanted.request(config, total))
    return finished


def draw_paper_figures(wanted: Reproduction, out: Path, say: Callable[[str], None] = lambda text: None) -> PaperFigures:
    """Draws what can be drawn; what cannot is missing, with its reason. Measures the claims of figures 5 and 6.

    Leaves `figures.json` if anything was drawn, and `claims.md` if anything was measured. StorageError if the database
    cannot be read, BadInput if `out` cannot be a folder. `say` hears of the slow parts.
    """
    wanted.rows()
    work_folder(out, "--out")
    found = find(wanted)
    folders = {
        "table1": _pair(wanted, found, out / "table1", say),
        "table2": _transfers(wanted, found, out / "table2", say),
        "table3": _study(wanted, found, SEARCHED, "table3", out / "table3", say),
    }
    drawn = PaperFigures(folders, _claims(wanted, found, folders["table1"], say))
    if any(done.files for done in folders.values()):
        write_text(out / RECORD, json.dumps(figures_record(wanted, found, drawn, out), indent=1))
    if drawn.claims is not None:
        write_text(out / CLAIMS, figure_claims.markdown(drawn.claims, wanted.made_by))
    return drawn


def _pair(wanted: Reproduction, found: Found, out: Path, say: Callable[[str], None]) -> Drawn:
    """Figures 5 and 6, of the proposed pair's best training beside MAD-GAN's best."""
    drawn = _study(wanted, found, PAIR, "table1", out, say, mad_gan=found.mad_gan)
    if not drawn.files and PAIR in found.trials and found.mad_gan is not None:
        # MAD-GAN's generators may be what is broken: the proposed pair's figures can do without.
        found.absent[MAD_GAN], found.mad_gan = drawn.missing[TSNE], None
        drawn = _study(wanted, found, PAIR, "table1", out, say)
    if found.mad_gan is None and RIVALS_HALF in drawn.missing:
        drawn.missing[RIVALS_HALF] = found.absent.get(MAD_GAN) or (
            f"the generators of study {found.name(MAD_GAN)} are not in {wanted.work_dir / found.name(MAD_GAN)}; "
            f"run this in the work folder of their worker ({found.trials[MAD_GAN][0].worker})"
        )
    return drawn


def _transfers(wanted: Reproduction, found: Found, out: Path, say: Callable[[str], None]) -> Drawn:
    """Figure 7, of the transfer methods whose search is there."""
    there = [stem for stem in TRANSFERS if stem in found.trials]
    lacking = {f"{BOXES} ({stem})": found.absent[stem] for stem in TRANSFERS if stem in found.absent}
    if not there:
        return Drawn(missing=lacking)
    against = tuple(found.name(stem) for stem in there[1:])
    drawn = _study(wanted, found, there[0], "table2", out, say, against=against)
    drawn.missing.update(lacking)
    return drawn


def _study(
    wanted: Reproduction,
    found: Found,
    stem: str,
    folder: str,
    out: Path,
    say: Callable[[str], None],
    **more: Any,
) -> Drawn:
    """The folder's figures, of one study."""
    only = SHOWN[folder]
    if stem not in found.trials:
        return Drawn(missing=dict.fromkeys(only, found.absent[stem]))
    place: dict[str, Any] = {"storage": wanted.storage, "work_dir": wanted.work_dir, "out": out}
    try:
        return draw_figures(FiguresRequest(study=found.name(stem), only=only, **place, **more), say)
    except StorageError:
        raise
    except BadInput as error:  # e.g. generators that are cut short: the other folders can still be drawn
        return Drawn(missing=dict.fromkeys(only, str(error)))


def _claims(wanted: Reproduction, found: Found, drawn: Drawn, say: Callable[[str], None]) -> MeasuredPairs | None:
    """The numbers of both systems; without any, `drawn` hears why."""
    if PAIR not in found.trials:
        drawn.missing[CLAIMS] = found.absent[PAIR]
        return None
    configs = found.configs[PAIR], found.configs[MAD_GAN]
    trials = found.trials[PAIR], found.trials.get(MAD_GAN, [])
    try:
        pairs = measure_pairs(wanted, configs, trials, say)
    except StorageError:
        raise
    except BadInput as error:
        drawn.missing[CLAIMS] = str(error)
        return None
    if pairs is None:
        drawn.missing[CLAIMS] = (
            f"no generators of {configs[0].name} or {configs[1].name} are in {wanted.work_dir}; run this in the work "
            f"folder of their worker ({trials[0][0].worker})"
        )
    return pairs


def figures_record(wanted: Reproduction, found: Found, drawn: PaperFigures, out: Path) -> dict[str, Any]:
    """What every picture shows: studies, trainings with their seeds, protocol, and the command."""
    return {
        "scale": wanted.scale,
        "version": __version__,
        "command": wanted.made_by,
        "studies": {
            found.name(stem): _study_record(wanted, found, stem, trials) for stem, trials in found.trials.items()
        },
        "folders": {
            folder: {
                "figures": {
                    name: {"files": [str(file.relative_to(out)) for file in files], **_shows(found, done, name)}
                    for name, files in done.files.items()
                },
                "missing": done.missing,
            }
            for folder, done in drawn.folders.items()
        },
        "claims": None if drawn.claims is None else figure_claims.as_dict(drawn.claims),
    }


def _study_record(wanted: Reproduction, found: Found, stem: str, trials: list[TrialRecord]) -> dict[str, Any]:
    best = trials[0]
    return {
        "config": f"{CONFIG_FOLDERS[wanted.scale]}/{stem}",
        "trials": len(trials),
        "best_trial": best.number,
        "best_trials_seed": str(best.seed),
        "graph": best.graph,
        "weights": found.configs[stem].evaluation.point,
        "protocol": next((trial.protocol for trial in trials if trial.protocol is not None), None),
    }


def _shows(found: Found, done: Drawn, name: str) -> dict[str, Any]:
    """The studies behind a figure, and how many trainings (each with a seed of its own) it shows."""
    if name == BOXES:
        there = [stem for stem in TRANSFERS if stem in found.trials]
        return {
            "studies": [found.name(stem) for stem in there],
            "seeds": sum(len(found.trials[stem]) for stem in there),
        }
    if name == RAMPS:
        return {}  # the gates' ramps show no training
    stem = PAIR if name in SHOWN["table1"] else SEARCHED
    shown = {found.name(stem): f"trial {found.trials[stem][0].number}"}
    if name == TSNE and found.mad_gan is not None:
        shown[found.name(MAD_GAN)] = f"trial {int(found.mad_gan.name.removeprefix(TRIAL_PREFIX))}"
    elif name == TSNE and done.rival is not None:  # a run of `train`
        shown[str(done.rival.parent)] = done.rival.parent.name
    return {"studies": list(shown), "shown": shown, "seeds": len(shown)}
