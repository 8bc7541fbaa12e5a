"""Problems made of tables of measured graphs: a draw is one of the graph's trainings, and its truth an estimate.

Every graph's trainings are split at random, anew for each rehearsed search: one half is drawn from (the larger one, in
random order, and again from the start when it is used up), the other half judges. So the mean over many searches of
what a named graph is judged by is unbiased: whoever named it never saw the trainings that judge it. Of a graph with a
single training that one does both.

What this cannot do: a graph drawn more often than its half holds gives the same trainings again. So repeating a graph
tells less here than in truth, and the luckiest of many repeats, by which the best single trial is named, flatters less.
And the best value, from which regret is counted, is itself an estimate: the highest of the graphs' means over all
trainings, shrunk by their noise (`shrunken`); regret may fall below 0. Even whoever knows every training that can be
drawn has regret: `oracle`, the floor that the noise sets.

The value of a training is the maximum IS over its generators, so a graph's value is the expected maximum.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.rehearsal.problem import FLOOR, Problem, Training
from colgan_search.rehearsal.table import Row, Table
from colgan_search.symmetry import canonical, canonical_order, count_distinct

FAR = 5.0
"""Standard deviations below the median, at which a graph counts as one that learns nothing."""


class Measured(Problem):
    """A table, split by `seed`."""

    def __init__(self, table: Table, seed: int) -> None:
        card = table.card
        self.roster, self.gates = table.roster, table.gates
        self.moments = tuple(moment / card.epochs for moment in card.moments)
        graphs = list(table.trainings)
        complete = len(graphs) == count_distinct(self.roster, len(self.gates))
        self.candidates = None if complete else graphs
        self.mean_hours = float(np.mean([row.seconds for row in table.rows])) / 3600
        self._shrunk = shrunken({graph: _values(rows) for graph, rows in table.trainings.items()})
        self.unit, self.sd = "IS", 1.0
        self.best = max(self._shrunk.values())
        self._drawn: dict[KnowledgeTransferGraph, list[Row]] = {}
        self._judging: dict[KnowledgeTransferGraph, list[Row]] = {}
        rng = np.random.default_rng([seed, 3])
        for graph, rows in table.trainings.items():
            order = rng.permutation(len(rows))
            half = (len(rows) + 1) // 2
            self._drawn[graph] = [rows[at] for at in order[:half]]
            self._judging[graph] = [rows[at] for at in order[half:]] or self._drawn[graph]
        self._used = dict.fromkeys(graphs, 0)

    def train(self, graph: KnowledgeTransferGraph, rng: np.random.Generator) -> Training:
        """The graph's next training. KeyError for one that was not measured."""
        ours = canonical(graph)
        rows = self._drawn[ours]
        row = rows[self._used[ours] % len(rows)]
        self._used[ours] += 1
        order, _ = canonical_order(graph)  # the table's G(i+1) is the graph's G(order[i])
        scores = np.empty((len(self.moments), graph.k))
        scores[:, np.array(order) - 1] = np.nan_to_num(row.array(), nan=FLOOR)
        return Training(scores, row.seconds / 3600, row.diverged)

    def judged(self, graph: KnowledgeTransferGraph) -> float:
        """The mean value of the judging half."""
        return float(np.mean([value(row) for row in self._judging[canonical(graph)]]))

    def known(self, graph: KnowledgeTransferGraph) -> float:
        """The shrunken mean over all its trainings."""
        return self._shrunk[canonical(graph)]

    def oracle(self) -> float:
        """The judged value of the graph with the highest shrunken mean of the half that is drawn from."""
        means = shrunken({graph: _values(rows) for graph, rows in self._drawn.items()})
        return self.judged(max(means, key=lambda graph: means[graph]))


def value(row: Row) -> float:
    """The maximum IS over the generators at the end; the floor if the training diverged."""
    return FLOOR if row.diverged else float(row.array()[-1].max())


def _values(rows: Sequence[Row]) -> NDArray[np.float64]:
    return np.array([value(row) for row in rows])


def shrunken(values: dict[KnowledgeTransferGraph, NDArray[np.float64]]) -> dict[KnowledgeTransferGraph, float]:
    """Each graph's mean, shrunk by its noise towards the mean of all graphs that learn something.

    Noise and spread by one-way random effects (analysis of variance). Graphs whose means lie far below the median (by 5
    standard deviations, from the median absolute deviation) learn nothing: they have neither the noise nor the mean of
    those that a search chooses among, and are left out and as they are. Where no graph has two trainings nothing is
    known of the noise, and nothing is shrunk.
    """
    means = {graph: float(np.mean(of)) for graph, of in values.items()}
    spread = FAR * float(stats.median_abs_deviation(list(means.values()), scale="normal"))
    learning = [graph for graph in means if means[graph] >= np.median(list(means.values())) - spread]
    freedom = sum(len(values[graph]) - 1 for graph in learning)
    if freedom == 0 or len(learning) < 2:
        return means
    noise = sum(float(((values[graph] - means[graph]) ** 2).sum()) for graph in learning) / freedom
    centre = float(np.mean([means[graph] for graph in learning]))
    of_means = float(np.var([means[graph] for graph in learning], ddof=1))
    between = max(of_means - noise * float(np.mean([1 / len(values[graph]) for graph in learning])), 0.0)

    def towards(graph: KnowledgeTransferGraph) -> float:
        whole = between + noise / len(values[graph])
        return centre + (between / whole if whole > 0 else 1.0) * (means[graph] - centre)

    return means | {graph: towards(graph) for graph in learning}
