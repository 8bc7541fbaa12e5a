"""Problems made of tables of measured graphs: trainings as they might have gone, drawn anew for every trial.

A training of a graph scores the mean of the graph's trainings in the table and Gaussian noise with their covariance,
among generators and moments alike: no two trainings are the same, and a generator that hears nothing has hardly any
noise. It diverges as often as they did. What a graph is truly worth is the mean value of such trainings, so what is
named is judged by no training that the search has seen, and regret is never below 0.

What this cannot do: the table's means are estimates, so its graphs differ by more than the true ones do, the more so
the fewer trainings they have; all searches search this one function, and their intervals say nothing of other tables.
Of a graph with a single training the noise is not known: all its trainings are alike.

The value of a training is the maximum IS over its generators, so a graph's value is the expected maximum.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.rehearsal.problem import FLOOR, Problem, Training
from colgan_search.rehearsal.table import Row, Table
from colgan_search.symmetry import canonical, canonical_order, count_distinct

DRAWS = 4096
"""Trainings whose mean value is a graph's: their noise of 0.1 IS leaves 0.002."""


class Measured(Problem):
    """A table."""

    def __init__(self, table: Table) -> None:
        card = table.card
        self.roster, self.gates = table.roster, table.gates
        self.moments = tuple(moment / card.epochs for moment in card.moments)
        graphs = list(table.trainings)
        complete = len(graphs) == count_distinct(self.roster, len(self.gates))
        self.candidates = None if complete else graphs
        self.mean_hours = float(np.mean([row.seconds for row in table.rows])) / 3600
        self._trainings = {graph: _Trainings(rows) for graph, rows in table.trainings.items()}
        self._values = {graph: of.value() for graph, of in self._trainings.items()}
        self.unit, self.sd = "IS", 1.0
        self.best = max(self._values.values())

    def train(self, graph: KnowledgeTransferGraph, rng: np.random.Generator) -> Training:
        """One more training. KeyError for a graph that was not measured."""
        order, _ = canonical_order(graph)  # the table's G(i+1) is the graph's G(order[i])
        found = self._trainings[canonical(graph)].draw(rng)
        scores = np.empty_like(found.scores)
        scores[:, np.array(order) - 1] = found.scores
        return Training(scores, found.hours, found.diverged)

    def judged(self, graph: KnowledgeTransferGraph) -> float:
        """The mean value of its trainings. KeyError for a graph that was not measured."""
        return self._values[canonical(graph)]


class _Trainings:
    """Those of one graph, and others that might have been."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        whole = [row.array() for row in rows if not row.diverged]
        self._mean = np.mean(whole, axis=0) if whole else np.full(rows[0].array().shape, FLOOR)
        away = np.array(whole).reshape(len(whole), *self._mean.shape) - self._mean
        self._away = away / np.sqrt(max(len(whole) - 1, 1))
        """[n, M, k]: times n independent standard normal numbers, added up, noise with the covariance of the n."""

    def scores(self, number: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """[number, M, k]: of trainings that do not diverge."""
        noise = np.tensordot(rng.standard_normal((number, len(self._away))), self._away, 1)
        return np.asarray(np.maximum(self._mean + noise, FLOOR))

    def draw(self, rng: np.random.Generator) -> Training:
        """One more: as long as one of the table's, and diverged if that one did, with what it scored before."""
        row = self.rows[int(rng.integers(len(self.rows)))]
        scores = np.nan_to_num(row.array(), nan=FLOOR) if row.diverged else self.scores(1, rng)[0]
        return Training(scores, row.seconds / 3600, row.diverged)

    def value(self) -> float:
        """The mean value of a training; the same at every call."""
        lost = float(np.mean([row.diverged for row in self.rows]))
        whole = self.scores(DRAWS, np.random.default_rng(0))[:, -1].max(axis=1)
        return lost * FLOOR + (1.0 - lost) * float(whole.mean())
