"""The measured graph that is nearest to a proposed one."""

from collections.abc import Sequence

import numpy as np

from colgan_search.gates import Gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.rehearsal.problem import digits
from colgan_search.symmetry import canonical, relabellings


class Nearest:
    """For tables that hold some graphs only: samplers that know no list of graphs propose among all of them.

    The nearest differs in the fewest edges, over all relabellings of the measured graphs; one of several at random.
    """

    def __init__(self, graphs: Sequence[KnowledgeTransferGraph], gates: Sequence[Gate], seed: int) -> None:
        self._gates, self._known = gates, {canonical(graph) for graph in graphs}
        self._all = [relabelled for graph in graphs for relabelled in relabellings(graph)]
        self._digits = digits(self._all, gates)
        self._rng = np.random.default_rng([seed, 5])

    def has(self, graph: KnowledgeTransferGraph) -> bool:
        """True if it was measured, under whatever names."""
        return canonical(graph) in self._known

    def to(self, graph: KnowledgeTransferGraph) -> KnowledgeTransferGraph:
        """The nearest measured graph, in the relabelling that is nearest."""
        differing = (self._digits != digits([graph], self._gates)).sum(axis=1)
        return self._all[int(self._rng.choice(np.flatnonzero(differing == differing.min())))]
