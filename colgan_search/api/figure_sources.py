"""What figures are drawn from: a study's best trial, or a folder that `train` has left."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from colgan_search import presets
from colgan_search.config import StudyConfig, load_config
from colgan_search.errors import DataError, GraphError, StudyError
from colgan_search.experiment import GENERATORS_FILE
from colgan_search.files import WorkFolder
from colgan_search.gan.bundle import CONFIG, VERSIONS, read_bundle
from colgan_search.gan.weights import recorded_graph
from colgan_search.gates import Gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import Outcome
from colgan_search.search import results
from colgan_search.search.storage import Storage
from colgan_search.search.study import OpenStudy, open_study, study_names

RIVAL = "mad-gan"
"""The preset that figure 6 compares with."""


@dataclass(frozen=True)
class Weights:
    """The generators of one run on this machine, and what a panel with them is called."""

    label: str
    file: Path


@dataclass(frozen=True)
class Source:
    """One graph and all that is known of its runs. Some of it may be absent."""

    title: str
    """Of all its runs: the study's or the folder's name."""
    name: str
    """Of the run that is drawn."""
    graph: KnowledgeTransferGraph
    is_mean: tuple[float, ...] | None
    """IS of G1..Gk; None if the run diverged."""
    runs: dict[str, Outcome]
    """Label -> run, for the IS over epochs."""
    config: StudyConfig | None
    weights: Weights | None
    rival: Weights | None
    """MAD-GAN's generators."""
    boxes: dict[str, list[float]]
    """Transfer method -> IS of every trial."""
    absent: dict[str, str]
    """`weights`, `boxes`: why they are not there, and how to get them."""


def of_study(study: OpenStudy, work: WorkFolder, against: Sequence[OpenStudy]) -> Source:
    """The best trial so far. StudyError if this study or one of `against` has no complete trial."""
    done = results.completed(study)
    best = results.best(study)
    graph, outcome, config = results.best_graph(best), results.outcome(study, best.number), study.config
    file = work.run(study.name, best.number) / GENERATORS_FILE
    absent = {}
    if best.diverged is not None:
        absent["weights"] = f"trial {best.number} diverged ({best.diverged}) and left no generators"
    elif not file.is_file():
        absent["weights"] = (
            f"the generators of trial {best.number} are not on this machine ({file}); run `figures` in the work folder "
            f"of its worker ({best.worker}), or train the graph anew (colgan-search train --config ... --graph "
            f"'{graph.to_text()}') and draw that folder with --run"
        )
    rival = None
    if presets.PRESETS[RIVAL].fits(config.k):
        wanted = presets.preset(RIVAL, config.k).to_text()
        for trial in done:
            path = work.run(study.name, trial.number) / GENERATORS_FILE
            if trial.graph == wanted and path.is_file():
                rival = Weights(f"MAD-GAN, trial {trial.number}", path)
                break
    return Source(
        title=study.name,
        name=f"{study.name}, trial {best.number}",
        graph=graph,
        is_mean=best.is_mean,
        runs={f"trial {best.number}": outcome} if outcome is not None and outcome.history else {},
        config=config,
        weights=None if absent else Weights(f"{study.name}, trial {best.number}", file),
        rival=rival,
        boxes=boxes_of([study, *against]),
        absent=absent,
    )


def boxes_of(studies: Sequence[OpenStudy]) -> dict[str, list[float]]:
    """Transfer method -> IS of every complete trial. StudyError if there is none, or scores are not comparable.

    Studies of the same method, or of another k, are told apart by more words.
    """
    boxes: dict[str, list[float]] = {}
    measured: tuple[str, dict[str, object]] | None = None
    for study in studies:
        done = results.completed(study)
        if not done:
            raise StudyError(f"study {study.name!r} has no complete trial yet; leave it out, or wait for its first")
        how = _measure(study.config)
        measured = measured or (study.name, how)
        for key, value in how.items():
            if value != measured[1][key]:
                raise StudyError(
                    f"scores of study {study.name!r} ({key} {value}) and of {measured[0]!r} ({key} {measured[1][key]}) "
                    "are not comparable: name studies with the same data and evaluation after --against"
                )
        label = transfer_method(study.config)
        if study.config.k != studies[0].config.k:
            label += f", k = {study.config.k}"
        if label in boxes:
            label += f"\n{study.name}"
        boxes[label] = [trial.value for trial in done if trial.value is not None]
    return boxes


def transfer_method(config: StudyConfig) -> str:
    """`image transfer`, or `feature transfer` with its layers in a second line, or `no transfer` at all."""
    if not _transfers(config):
        return "no transfer"
    if config.transfer.kind == "image":
        return "image transfer"
    return f"feature transfer\nlayers {', '.join(map(str, config.transfer.layers))}"


def _transfers(config: StudyConfig) -> bool:
    """Whether the study can train a graph with a transfer edge that is not cut off."""
    if config.k == 1:
        return False
    if config.search.sampler != "repeat":
        return True
    graphs = [presets.resolve(text, config.k, files=False) for text in config.search.first]
    return any(not edge.adversarial and gate is not Gate.CUTOFF for graph in graphs for edge, gate in graph.items())


def _measure(config: StudyConfig) -> dict[str, object]:
    """The settings that must be equal for two scores to be comparable."""
    data = {f"data.{key}": value for key, value in config.data.model_dump(exclude={"root"}).items()}
    keys = ("extractor", "images", "splits", "classifier_epochs", "point")
    return data | {f"evaluation.{key}": getattr(config.evaluation, key) for key in keys}


def of_run(folder: Path) -> Source:
    """A folder that `train` left: the seed with the highest IS, and all seeds over epochs. DataError if it is none."""
    graph, outcomes = read_run(folder)
    best = max(outcomes, key=lambda number: outcomes[number].value)
    scores, file = outcomes[best].scores, folder / f"seed-{best}" / GENERATORS_FILE
    absent = {"boxes": "a run of `train` has no trials; name a study: figures --study NAME"}
    config = None
    if why := outcomes[best].diverged:
        absent["weights"] = f"seed {best} diverged ({why}) and left no generators"
    elif not all((file.parent / name).is_file() for name in (CONFIG, GENERATORS_FILE)):
        absent["weights"] = f"{file.parent} does not hold {CONFIG} and {GENERATORS_FILE}; `train` into a new folder"
    else:
        config = load_config(str(file.parent / CONFIG))
    name = folder.absolute().name
    return Source(
        title=name,
        name=f"{name}, seed {best}",
        graph=graph,
        is_mean=None if scores is None else tuple(score.is_mean for score in scores.generators),
        runs={f"seed {number}": outcome for number, outcome in outcomes.items() if outcome.history},
        config=config,
        weights=None if "weights" in absent else Weights(f"{name}, seed {best}", file),
        rival=None,
        boxes={},
        absent=absent,
    )


def read_run(folder: Path) -> tuple[KnowledgeTransferGraph, dict[int, Outcome]]:
    """The graph of a folder that `train` left, and its finished seeds, at least one. DataError otherwise."""
    path = folder / "run.json"
    if not path.is_file():
        raise DataError(f"{folder}: is no run folder: it holds no run.json; name what `colgan-search train --out` left")
    try:
        graph = KnowledgeTransferGraph.from_text(json.loads(path.read_text(encoding="utf-8"))["graph"])
        outcomes = {}
        for path in sorted(folder.glob("seed-*/outcome.json"), key=lambda file: (len(file.parent.name), file)):
            outcomes[int(path.parent.name.removeprefix("seed-"))] = Outcome.model_validate_json(path.read_bytes())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, GraphError) as error:
        raise DataError(f"{path}: cannot be read: {str(error).splitlines()[0]}; run `train` again") from error
    if not outcomes:
        raise DataError(f"{folder}: no seed of this run has finished yet; run the same `train` again to go on")
    return graph, outcomes


def trial_graph(storage: Storage, work: WorkFolder, folder: Path) -> KnowledgeTransferGraph | None:
    """The graph that `storage` has recorded for the trial whose run folder this is; None if it is of no trial there."""
    place = folder.resolve()
    name = place.parent.name
    if name not in study_names(storage):
        return None
    with suppress(StudyError):  # of another version: unknown
        for trial in results.trials(open_study(storage, name)):
            if trial.graph is not None and work.run(name, trial.number).resolve() == place:
                return KnowledgeTransferGraph.from_text(trial.graph)
    return None


def rival_of(folder: Path, k: int, recorded: KnowledgeTransferGraph | None = None) -> Weights:
    """MAD-GAN's generators from what `train` left, or from a trial's run folder.

    DataError if they are not there, or are those of another graph. Weights that do not say of which graph they are
    (of earlier versions) are called by their folder, unless their study has `recorded` it.
    """
    file, name = folder / GENERATORS_FILE, folder.absolute().name
    if file.is_file():
        graph = read_bundle(folder).graph if (folder / VERSIONS).is_file() else recorded_graph(file) or recorded
        if graph is None:
            return Weights(f"{folder.absolute().parent.name}/{name} (graph unknown)", file)
    else:
        graph, outcomes = read_run(folder)
        best = max(outcomes, key=lambda number: outcomes[number].value)
        name = f"seed {best}"
        file = folder / f"seed-{best}" / GENERATORS_FILE
    if graph.k != k:
        raise DataError(f"--mad-gan {folder} is a run of k = {graph.k} generators, the proposed one has k = {k}")
    if graph != presets.preset(RIVAL, k):
        raise DataError(f"--mad-gan {folder} is a run of {graph.to_text()}, not of the graph {RIVAL}")
    if not file.is_file():
        raise DataError(f"--mad-gan {folder}: {file} is not there; `train` into a new folder")
    return Weights(f"MAD-GAN, {name}", file)
