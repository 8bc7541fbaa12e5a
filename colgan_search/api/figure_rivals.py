"""MAD-GAN's generators for figure 6: named by hand, or found among a study's trials and the runs of `train`."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from colgan_search import presets
from colgan_search.bundles.bundle import read_bundle
from colgan_search.bundles.weights import recorded_graph
from colgan_search.config import StudyConfig, load_config
from colgan_search.config.fingerprint import result_settings
from colgan_search.errors import BadInput, DataError, GraphError, first_line
from colgan_search.file_names import (
    CONFIG,
    GENERATORS_FILE,
    OUTCOME_FILE,
    RUN_FILE,
    SEED_PREFIX,
    SEEDS,
    VERSIONS,
    WorkFolder,
    seed_folder,
)
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import Outcome, best_run
from colgan_search.roster import Roster
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.results import TrialRecord

RIVAL = "mad-gan"
"""The preset that figure 6 compares with."""

NOT_THE_RIVALS = ("search.", "transfer.", "seed")
"""Settings that MAD-GAN's training does not feel, but for its luck: it has no transfer edge, and its graph is given."""


@dataclass(frozen=True)
class Weights:
    """The generators of one run on this machine, and what a panel with them is called."""

    label: str
    file: Path


def is_rival(graph: KnowledgeTransferGraph) -> bool:
    """True if the graph is MAD-GAN itself, or has one generator: figure 6 has nothing to compare it with."""
    preset = presets.PRESETS[RIVAL]
    return not preset.fits(graph.roster) or graph == preset.graph(graph.roster)


def rival_of(folder: Path, roster: Roster) -> Weights:
    """MAD-GAN's generators from what `train` left, or from a trial's run folder.

    DataError if they are not there, or are those of another graph, or do not say of which.
    """
    file, name = folder / GENERATORS_FILE, folder.absolute().name
    if file.is_file():
        graph = read_bundle(folder).graph if (folder / VERSIONS).is_file() else recorded_graph(file)
    else:
        graph, outcomes = read_run(folder)
        best = best_run(outcomes)
        name = f"seed {best}"
        file = seed_folder(folder, best) / GENERATORS_FILE
    if graph.roster != roster:
        raise DataError(f"--mad-gan {folder} is a run of {graph.roster}, the proposed one has {roster}")
    if graph != presets.preset(RIVAL, roster):
        raise DataError(f"--mad-gan {folder} is a run of {graph.to_text()}, not of the graph {RIVAL}")
    if not file.is_file():
        raise DataError(f"--mad-gan {folder}: {file} is not there; `train` into a new folder")
    label = re.sub(r"^trial-0*(\d)", r"trial \1", name)  # as a study's own trials are called
    return Weights(f"MAD-GAN, {label}", file)


def rival_among(done: Sequence[TrialRecord], study: OpenStudy, work: WorkFolder) -> Weights | None:
    """MAD-GAN's generators among a study's complete trials, best first; None if no folder here holds such."""
    if not presets.PRESETS[RIVAL].fits(study.config.roster):
        return None
    wanted = presets.preset(RIVAL, study.config.roster).to_text()
    for trial in done:
        path = work.run(*trial.run_of(study.name)) / GENERATORS_FILE
        if trial.graph == wanted and path.is_file():
            return Weights(f"MAD-GAN, trial {trial.number}", path)
    return None


def rival_trained(work: WorkFolder, config: StudyConfig) -> Weights | str:
    """MAD-GAN's generators in a folder that `train` left in the work folder, of a config equal to `config`.

    Equal in all that MAD-GAN's training feels (see NOT_THE_RIVALS). Without such a folder: why each run of the graph
    that is there does not fit, and what to do.
    """
    unfit: list[str] = []
    for folder, theirs in _runs_of_rival(work, config.roster):
        ours, found = result_settings(config), result_settings(theirs)
        keys = [key for key in sorted({*ours, *found}) if not key.startswith(NOT_THE_RIVALS)]
        other = [
            f"{key} {found.get(key)} instead of {ours.get(key)}" for key in keys if ours.get(key) != found.get(key)
        ]
        if not other:
            return rival_of(folder, config.roster)
        unfit.append(f"{folder} has {', '.join(other)} (--mad-gan {folder} draws it all the same)")
    return (
        f"no generators of the graph {RIVAL} with the config of {config.name} are here, neither among its trials nor "
        f"in {work.train}; colgan-search train --graph {RIVAL} with the same --config and --work-dir makes them, or "
        f"name their folder with --mad-gan{''.join(f'; {words}' for words in unfit)}"
    )


def _runs_of_rival(work: WorkFolder, roster: Roster) -> Iterator[tuple[Path, StudyConfig]]:
    """Finished runs of MAD-GAN of that roster below `train/`, by name, and the config of each; not the broken."""
    for path in sorted(work.train.glob(f"*/{RUN_FILE}")):
        folder = path.parent
        with suppress(BadInput):  # a folder of another kind, or of a run that has not got so far
            weights = rival_of(folder, roster)
            if (weights.file.parent / CONFIG).is_file():
                yield folder, load_config(str(weights.file.parent / CONFIG))


def read_run(folder: Path) -> tuple[KnowledgeTransferGraph, dict[int, Outcome]]:
    """The graph of a folder that `train` left, and its finished seeds, at least one. DataError otherwise."""
    path = folder / RUN_FILE
    if not path.is_file():
        raise DataError(f"{folder}: is no run folder: it holds no run.json; name what `colgan-search train --out` left")
    try:
        graph = KnowledgeTransferGraph.from_text(json.loads(path.read_text(encoding="utf-8"))["graph"])
        outcomes = {}
        for path in sorted(folder.glob(f"{SEEDS}/{OUTCOME_FILE}"), key=lambda file: (len(file.parent.name), file)):
            outcomes[int(path.parent.name.removeprefix(SEED_PREFIX))] = Outcome.model_validate_json(path.read_bytes())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, GraphError) as error:
        raise DataError(f"{path}: cannot be read: {first_line(error)}; run `train` again") from error
    if not outcomes:
        raise DataError(f"{folder}: no seed of this run has finished yet; run the same `train` again to go on")
    return graph, outcomes
