"""`reproduce figures`: the studies of Tables 2 and 3, then figures 5 to 8 from them."""

from dataclasses import replace
from pathlib import Path

from colgan_search.api.figures import Drawn, FiguresRequest, draw_figures
from colgan_search.api.paper_tables import CONFIG_FOLDERS
from colgan_search.api.places import opened_storage, work_folder
from colgan_search.api.reproducing import Reproduction, RunStudy, run_table
from colgan_search.config import load_config
from colgan_search.experiment import GENERATORS_FILE
from colgan_search.search import results
from colgan_search.search.study import open_study


def run_figures(wanted: Reproduction, run: RunStudy, only_draw: bool = False) -> None:
    """Runs or resumes what the figures need; nothing with `only_draw`."""
    if not only_draw:
        for table in ("table2", "table3"):
            run_table(replace(wanted, table=table), run)


def draw_paper_figures(wanted: Reproduction, out: Path) -> dict[str, Drawn]:
    """Folder name -> what was drawn there: `table2` for figure 7, `table3` for figures 5, 6 and 8."""
    folder = CONFIG_FOLDERS[wanted.scale]
    names = {
        stem: load_config(f"{folder}/{stem}").name
        for stem in ("table2-image", "table2-input-side", "table2-output-side", "table3-proposed", "table3-mad-gan")
    }
    work = work_folder(wanted.work_dir)
    with opened_storage(wanted.storage, work) as storage:
        rival = results.best(open_study(storage, names["table3-mad-gan"]))
    mad_gan = work.run(names["table3-mad-gan"], rival.number)
    common = FiguresRequest(storage=wanted.storage, work_dir=wanted.work_dir)
    transfers = replace(
        common,
        study=names["table2-image"],
        against=(names["table2-input-side"], names["table2-output-side"]),
        out=out / "table2",
    )
    proposed = replace(
        common,
        study=names["table3-proposed"],
        # Elsewhere than on the machine that trained it, figure 6 goes without.
        mad_gan=mad_gan if (mad_gan / GENERATORS_FILE).exists() else None,
        out=out / "table3",
    )
    return {"table2": draw_figures(transfers), "table3": draw_figures(proposed)}
