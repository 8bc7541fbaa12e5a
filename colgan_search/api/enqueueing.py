"""`enqueue`: a graph that the next free worker of a study trains."""

from pathlib import Path

from colgan_search import presets
from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR, opened_study, work_folder
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.search.care.enqueueing import Enqueued
from colgan_search.search.care.enqueueing import enqueue as enqueue_graph


def enqueue(
    graph: KnowledgeTransferGraph | str,
    study: str | None = None,
    *,
    times: int = 1,
    grow: bool = False,
    storage: str | None = None,
    work_dir: str | Path = DEFAULT_WORK_DIR,
) -> Enqueued:
    """Adds trainings of a graph to a study, running or not; its next free workers do them before anything else.

    Args:
        graph: a graph, its text form, a preset's name or the path of a JSON file.
        study: its name; None = the only one of the database.
        times: 1 to 1000 trainings, each with a seed of its own.
        grow: True = the study's total grows by `times`; False = they take slots that the sampler would have filled.
        storage: URL of the database; None = COLGAN_STORAGE, or an SQLite file in the work folder.
        work_dir: folder of that SQLite file.

    Raises:
        GraphError: the graph is none, or is outside the study's space (roster, gates).
        StudyError: there is no such study, it has too few slots left, or it is a confirmation. Nothing was added.
    """
    with opened_study(storage, work_folder(Path(work_dir)), study) as opened:
        wanted = graph if isinstance(graph, KnowledgeTransferGraph) else presets.resolve(graph, opened.config.roster)
        return enqueue_graph(opened, wanted, times, grow=grow)
