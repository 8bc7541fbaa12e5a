"""What an iteration of a graph must compute: its open edges, who learns, who runs, and what is compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from colgan_search.config import TransferSettings
from colgan_search.errors import ConfigError
from colgan_search.extensions.transfers import TRANSFERS, Transfer
from colgan_search.gan.precision import whole
from colgan_search.gan.state import TrainingState
from colgan_search.gates import CUTOFF, Gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.roster import Edge, EdgeKind, Node


@dataclass(frozen=True)
class Lesson:
    """A transfer kind with its settings, as a training uses it."""

    kind: Transfer
    settings: TransferSettings

    @classmethod
    def of(cls, settings: TransferSettings) -> "Lesson":
        """The lesson that settings name; UnknownMember if there is no such transfer kind."""
        return cls(TRANSFERS.get(settings.kind), settings)

    def view(self, output: Tensor, maps: Mapping[int, Tensor]) -> Any:
        """See `Transfer.view`."""
        return self.kind.view(self.settings, output, maps)

    def loss(self, student: Any, teacher: Any) -> Tensor:
        """See `Transfer.loss`."""
        return self.kind.loss(self.settings, student, teacher)

    def run(self, state: TrainingState, network: Any, batch: Tensor, wanted: bool) -> tuple[Tensor, Any]:
        """The network's output for `batch`, and its view if it is wanted."""
        layers = self.kind.layers(self.settings) if wanted else ()
        with state.computing():
            output, maps = network.forward_with_maps(batch, layers, self.kind.maps(self.settings))
        output, maps = whole(output), {layer: whole(found) for layer, found in maps.items()}
        return output, self.view(output, maps) if wanted else None


@dataclass(frozen=True)
class Lessons:
    """What an iteration of a graph must compute, and nothing more."""

    edges: tuple[tuple[Edge, Gate], ...]  # every edge into a generator that is not cut off
    students: frozenset[Node]  # generators with such an incoming edge: the only ones that are stepped
    runners: tuple[Node, ...]  # students and teachers: the only ones that run
    compared: frozenset[Node]  # either end of a transfer edge: their views are needed
    among_discriminators: tuple[tuple[Edge, Gate], ...]  # every edge D_a -> D_b that is not cut off
    transfer: Lesson
    discriminator_transfer: Lesson | None  # None: there is no such edge

    @property
    def gated(self) -> tuple[tuple[Edge, Gate], ...]:
        """Every edge that is not cut off, with its gate."""
        return self.edges + self.among_discriminators

    @classmethod
    def of(
        cls,
        graph: KnowledgeTransferGraph,
        transfer: TransferSettings,
        discriminator_transfer: TransferSettings | None = None,
    ) -> "Lessons":
        """The lessons of a graph. ConfigError if it has an edge D_a -> D_b without a `discriminator_transfer`."""
        open_edges = [(edge, gate) for edge, gate in graph.items() if gate is not CUTOFF]
        edges = tuple((edge, gate) for edge, gate in open_edges if edge.kind is not EdgeKind.DISCRIMINATOR_TRANSFER)
        students = frozenset(edge.target for edge, _ in edges)
        compared = frozenset(node for edge, _ in edges if not edge.adversarial for node in (edge.source, edge.target))
        among = tuple((edge, gate) for edge, gate in open_edges if edge.kind is EdgeKind.DISCRIMINATOR_TRANSFER)
        if among and discriminator_transfer is None:
            raise ConfigError(f"discriminator_transfer: is missing, and the graph has the edge {among[0][0].name}")
        return cls(
            edges,
            students,
            tuple(sorted(students | compared)),
            compared,
            among,
            Lesson.of(transfer),
            None if discriminator_transfer is None else Lesson.of(discriminator_transfer),
        )
