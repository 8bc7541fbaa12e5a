"""The pictures of a report, each as the bytes of a file."""

from __future__ import annotations  # so that NumPy's and Matplotlib's types are not imported for their names

from dataclasses import dataclass
from typing import TYPE_CHECKING

from colgan_search.api.report_facts import Facts, interval
from colgan_search.api.report_runs import Elsewhere, Runs
from colgan_search.errors import BadInput, GraphError
from colgan_search.file_names import WorkFolder
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.search.care.insight import Insight
from colgan_search.symmetry import canonical

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    Keep = Callable[..., None]

MANY = 400
"""Of more points an SVG would be larger than a PNG."""
SAMPLED = 3
"""Leading graphs whose samples and trainings are shown."""


@dataclass(frozen=True)
class Picture:
    """A picture and what it shows, in words for who cannot see it."""

    name: str
    kind: str
    """png, jpg or svg."""
    data: bytes
    words: str

    @property
    def file(self) -> str:
        """Its name as a file."""
        return f"{self.name}.{self.kind}"


def pictures(facts: Facts, work: WorkFolder, elsewhere: Elsewhere) -> dict[str, Picture]:
    """Name -> picture, of all that can be drawn; `graph-1`, ... for the leading graphs, and for the first of them
    `samples-1`, `curves-1`, `strip-1`, ..."""
    if not facts.complete:
        return {}
    from colgan_search.figures.saving import figure_bytes

    found: dict[str, Picture] = {}

    def keep(name: str, figure: Figure, words: str, kind: str = "svg") -> None:
        found[name] = Picture(name, kind, figure_bytes(figure, kind), words)

    many = "png" if len(facts.complete) > MANY else "svg"
    _graphs(facts, keep)
    _values(facts, keep, many)
    if isinstance(facts.insight, Insight):
        from colgan_search.figures.effects import effects_figure

        label, importance = facts.config.objective.label, facts.insight.importance
        figure = effects_figure(facts.insight.effects, label=label, importance=importance)
        keep("effects", figure, "which gates on which edges matter, with 95 % intervals")
    _runs(facts, work, elsewhere, found, keep)
    return found


def _graphs(facts: Facts, keep: Keep) -> None:
    from colgan_search.figures.graph_picture import graph_figure

    for number, one in enumerate(facts.leaders, start=1):
        figure = graph_figure(one.graph, one.generators, objective=facts.config.objective)
        keep(f"graph-{number}", figure, f"graph {one.graph.to_text()}")


def _values(facts: Facts, keep: Keep, many: str) -> None:
    from colgan_search.figures.best_so_far import best_so_far_figure
    from colgan_search.figures.leaders import Leader, leaders_figure
    from colgan_search.figures.trials_boxplot import trials_boxplot_figure

    objective = facts.config.objective
    ordered = sorted(facts.complete, key=lambda trial: trial.number)
    numbers, values = [trial.number for trial in ordered], [trial.value or 0.0 for trial in ordered]
    named = None
    if facts.leaders and (ends := interval(facts.leaders[0])) is not None:
        named = (facts.leaders[0].estimate, *ends)
    words = "the value of every trial and the best so far"
    keep("best-so-far", best_so_far_figure(numbers, values, objective, named), words, many)
    rows = []
    for number, one in enumerate(facts.leaders, start=1):
        low, high = interval(one) or (None, None)
        runs = [trial.value or 0.0 for trial in one.trials]
        rows.append(Leader(f"graph {number}", runs, one.estimate, low, high))
    keep("leaders", leaders_figure(rows, objective.label), "the leading graphs' runs and estimates")
    boxes = {"the search's trials": values} if not facts.race_values else {}
    shown = {one.graph.to_text(): f"graph {number}" for number, one in enumerate(facts.leaders, start=1)}
    for place, (name, runs) in enumerate(facts.race_values.items(), start=1):
        boxes[_box_name(name, shown, place)] = runs
    keep("boxes", trials_boxplot_figure(boxes, label=objective.label), "the values as boxes", many)


def _box_name(name: str, shown: dict[str, str], place: int) -> str:
    """A baseline's own name; a candidate's number among the graphs that are drawn."""
    if "=" not in name:
        return name
    try:
        return shown.get(canonical(KnowledgeTransferGraph.from_text(name)).to_text(), f"candidate {place}")
    except GraphError:  # too many relabellings to compare
        return f"candidate {place}"


def _runs(facts: Facts, work: WorkFolder, elsewhere: Elsewhere, found: dict[str, Picture], keep: Keep) -> None:
    """Samples, curves and images over the epochs of the first leading graphs, where there are any."""
    for number, one in enumerate(facts.leaders[:SAMPLED], start=1):
        runs = Runs(facts, work, elsewhere, one.trials)
        for name, words, of_run in (
            ("samples", "images of trial {}, {}; the same z through every generator", runs.samples()),
            ("strip", "images of trial {} over its epochs, {}; the same z in every row", runs.strip()),
        ):
            if of_run is not None:
                trial, (kind, content) = of_run
                said = f"graph {number}: {words.format(trial.number, trial.graph)}"
                found[f"{name}-{number}"] = Picture(f"{name}-{number}", kind, content, said)
        _curves(facts, runs, number, keep)


def _curves(facts: Facts, runs: Runs, number: int, keep: Keep) -> None:
    from colgan_search.figures.curves import curves_figure, read_curves

    objective = facts.config.objective
    for trial, text in runs.tables():
        try:
            table = read_curves(text, f"trial {trial.number}")
            figure = curves_figure(table, number=objective.number, label=objective.label)
        except BadInput:
            continue  # another run's will do
        words = (
            f"graph {number}: the training of trial {trial.number}, {trial.graph}: losses, what D knows, gates, scores"
        )
        keep(f"curves-{number}", figure, words, "png" if len(table["epoch"]) > MANY else "svg")
        return
