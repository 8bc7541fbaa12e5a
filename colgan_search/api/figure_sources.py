"""What figures are drawn from: a study's best trial, or a folder that `train` has left."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from colgan_search import presets
from colgan_search.api.figure_rivals import Weights, is_rival, read_run, rival_among, rival_trained
from colgan_search.config import StudyConfig, load_config
from colgan_search.errors import StudyError
from colgan_search.extensions.transfers import TRANSFERS
from colgan_search.file_names import CONFIG, GENERATORS_FILE, WorkFolder, seed_folder
from colgan_search.gates import CUTOFF
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import MAX_IS, Objective, Outcome, best_run
from colgan_search.roster import EdgeKind
from colgan_search.search.care.insight import Insight
from colgan_search.search.ranking.naming import named_run
from colgan_search.search.study import results
from colgan_search.search.study.opening import OpenStudy


@dataclass(frozen=True)
class Source:
    """One graph and all that is known of its runs. Some of it may be absent."""

    title: str
    """Of all its runs: the study's or the folder's name."""
    name: str
    """Of the run that is drawn."""
    graph: KnowledgeTransferGraph
    values: tuple[float, ...] | None
    """The objective's numbers of G1..Gk; None if the run diverged."""
    objective: Objective
    runs: dict[str, Outcome]
    """Label -> run, for the IS over epochs."""
    config: StudyConfig | None
    weights: Weights | None
    rival: Weights | None
    """MAD-GAN's generators."""
    boxes: dict[str, list[float]]
    """Transfer method -> value of every trial."""
    absent: dict[str, str]
    """`weights`, `boxes`, `rival`: why they are not there, and how to get them."""
    insight: Insight | str = "a run of `train` has no trials; name a study: figures --study NAME"
    """Which edges and gates matter, or why that is not known."""


def of_study(study: OpenStudy, work: WorkFolder, against: Sequence[OpenStudy]) -> Source:
    """The best run of the graph that the study names. StudyError if it or one of `against` has no complete trial."""
    done = results.completed(study)
    best = named_run(study)
    graph, outcome, config = results.best_graph(best), results.outcome(study, best.number), study.config
    file = work.run(*best.run_of(study.name)) / GENERATORS_FILE
    absent = {}
    if best.diverged is not None:
        absent["weights"] = f"trial {best.number} diverged ({best.diverged}) and left no generators"
    elif not file.is_file():
        absent["weights"] = (
            f"the generators of trial {best.number} are not on this machine ({file}); run `figures` in the work folder "
            f"of its worker ({best.worker}), or train the graph anew (colgan-search train --config ... --graph "
            f"'{graph.to_text()}') and draw that folder with --run"
        )
    rival = rival_among(done, study, work)
    if rival is None and not is_rival(graph):
        rival = _trained(work, config, absent)
    return Source(
        title=study.name,
        name=f"{study.name}, trial {best.number}",
        graph=graph,
        values=best.of(config.objective.number),
        objective=config.objective,
        runs={f"trial {best.number}": outcome} if outcome is not None and outcome.history else {},
        config=config,
        weights=None if "weights" in absent else Weights(f"{study.name}, trial {best.number}", file),
        rival=rival,
        boxes=boxes_of([study, *against]),
        absent=absent,
    )


def boxes_of(studies: Sequence[OpenStudy]) -> dict[str, list[float]]:
    """Transfer method -> value of every complete trial. StudyError if there is none, or scores are not comparable.

    Studies of the same method, or of another k, are told apart by more words. Pruned trials have no final value.
    """
    boxes: dict[str, list[float]] = {}
    measured: tuple[str, dict[str, object]] | None = None
    for study in studies:
        records = results.trials(study)
        done = results.best_first(records, study.config.objective)
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
        if pruned := sum(trial.state == "pruned" for trial in records):
            label += f"\n{pruned:,} pruned, not shown"
        boxes[label] = [trial.value for trial in done if trial.value is not None]
    return boxes


def transfer_method(config: StudyConfig) -> str:
    """`image transfer`, or `feature transfer` with its layers in a second line, or `no transfer` at all."""
    if not _transfers(config):
        return "no transfer"
    return "\n".join(TRANSFERS.get(config.transfer.kind).describe(config.transfer))


def _transfers(config: StudyConfig) -> bool:
    """Whether the study can train a graph with a transfer edge that is not cut off."""
    if config.k == 1:
        return False
    if config.search.sampler != "repeat":
        return True
    graphs = [presets.resolve(text, config.roster, files=False) for text in config.search.first]
    return any(
        edge.kind is EdgeKind.TRANSFER and gate is not CUTOFF for graph in graphs for edge, gate in graph.items()
    )


def _measure(config: StudyConfig) -> dict[str, object]:
    """The settings that must be equal for two scores to be comparable."""
    data = {f"data.{key}": value for key, value in config.data.model_dump(exclude={"root"}).items()}
    keys = ("extractor", "extractor_settings", "metrics", "images", "splits", "classifier_epochs", "point")
    evaluation = config.evaluation.model_dump(mode="json", include={*keys})
    return data | {f"evaluation.{key}": evaluation[key] for key in keys} | {"objective": config.search.objective}


def of_run(folder: Path, work: WorkFolder) -> Source:
    """A folder that `train` left: the best seed, and all seeds over epochs. DataError if it is none.

    MAD-GAN's generators are looked for in `work`.
    """
    graph, outcomes = read_run(folder)
    best = best_run(outcomes)
    scores, file = outcomes[best].scores, seed_folder(folder, best) / GENERATORS_FILE
    absent = {"boxes": "a run of `train` has no trials; name a study: figures --study NAME"}
    config = None
    if why := outcomes[best].diverged:
        absent["weights"] = f"seed {best} diverged ({why}) and left no generators"
    elif not all((file.parent / name).is_file() for name in (CONFIG, GENERATORS_FILE)):
        absent["weights"] = f"{file.parent} does not hold {CONFIG} and {GENERATORS_FILE}; `train` into a new folder"
    else:
        config = load_config(str(file.parent / CONFIG))
    name, rival = folder.absolute().name, None
    if config is not None and not is_rival(graph):
        rival = _trained(work, config, absent)
    return Source(
        title=name,
        name=f"{name}, seed {best}",
        graph=graph,
        values=None if scores is None else scores.of(scores.objective.number),
        objective=MAX_IS if scores is None else scores.objective,
        runs={f"seed {number}": outcome for number, outcome in outcomes.items() if outcome.history},
        config=config,
        weights=None if "weights" in absent else Weights(f"{name}, seed {best}", file),
        rival=rival,
        boxes={},
        absent=absent,
    )


def _trained(work: WorkFolder, config: StudyConfig, absent: dict[str, str]) -> Weights | None:
    """MAD-GAN's generators from `train`; without them the reason goes into `absent`."""
    found = rival_trained(work, config)
    if isinstance(found, Weights):
        return found
    absent["rival"] = found
    return None
