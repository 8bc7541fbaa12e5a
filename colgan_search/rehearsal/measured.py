"""Problems made of tables of measured graphs: trainings as they might have gone, drawn anew for every trial.

A training of a graph scores the mean of the graph's trainings in the table and the noise of another training: how far
one of the table's, of any graph with as many generators that learn, was from its graph's mean. Few trainings of a graph
say nothing of its own noise, and on the shipped tables graphs' variances differ no more than by chance (`Noises` has
the exception). Which generator has which noise is drawn among those that learn, and among the others; moments stay
together. A graph diverges as often as its trainings did. Its time varies as on functions, around the table's median:
what trainings took says more of what else their machines did than of their graphs.

What a graph is truly worth is the mean value of its trainings in the table, and drawn ones have that mean (but for
those that would fall below the floor). So a search is judged by nothing that it has seen, and regret is never below 0.

What this cannot do: the table's means are estimates, so its graphs differ by more than the true ones do, the more so
the fewer trainings they have; all searches search this one function, and their intervals say nothing of other tables.

The value of a training is the maximum IS over its generators, so a graph's value is the expected maximum.
"""

import numpy as np

from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.rehearsal.measured_noise import Noises
from colgan_search.rehearsal.problem import FLOOR, HOURS_SPREAD, Problem, Training
from colgan_search.rehearsal.table import Row, Table
from colgan_search.symmetry import canonical, canonical_order, count_distinct


class Measured(Problem):
    """A table."""

    def __init__(self, table: Table) -> None:
        card = table.card
        self.roster, self.gates = table.roster, table.gates
        self.moments = tuple(moment / card.epochs for moment in card.moments)
        complete = len(table.trainings) == count_distinct(self.roster, len(self.gates))
        self.candidates = None if complete else list(table.trainings)
        self._rows = table.trainings
        self._values = {graph: float(np.mean([_value(row) for row in rows])) for graph, rows in self._rows.items()}
        self._hours = float(np.median([row.seconds for row in table.rows])) / 3600
        self.mean_hours = self._hours * float(np.exp(HOURS_SPREAD**2 / 2))
        self.unit, self.sd = "IS", 1.0
        self.best = max(self._values.values())
        # Half of the way from what learns nothing to the best.
        self._noises = Noises(
            {graph: [row.array() for row in rows if not row.diverged] for graph, rows in self._rows.items()},
            (FLOOR + self.best) / 2,
        )

    def train(self, graph: KnowledgeTransferGraph, rng: np.random.Generator) -> Training:
        """One more training. KeyError for a graph that was not measured."""
        ours, hours = canonical(graph), self._hours * float(np.exp(rng.normal(0.0, HOURS_SPREAD)))
        row = self._rows[ours][int(rng.integers(len(self._rows[ours])))]
        found = np.nan_to_num(row.array(), nan=FLOOR) if row.diverged else self._noises.scores(ours, rng)
        order, _ = canonical_order(graph)  # the table's G(i+1) is the graph's G(order[i])
        scores = np.empty_like(found)
        scores[:, np.array(order) - 1] = np.maximum(found, FLOOR)
        return Training(scores, hours, row.diverged)

    def judged(self, graph: KnowledgeTransferGraph) -> float:
        """The mean value of its trainings. KeyError for a graph that was not measured."""
        return self._values[canonical(graph)]


def _value(row: Row) -> float:
    """The maximum IS over the generators at the end; the floor if the training diverged."""
    return FLOOR if row.diverged else float(row.array()[-1].max())
