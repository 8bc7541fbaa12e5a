"""Where the nodes of a graph's picture stand and how its edges run between them. Unit of length: the ring's radius."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from colgan_search.roster import Edge, EdgeKind, Node, Roster

Point = NDArray[np.float64]
WIDEST_STEP = math.radians(24)
"""Between neighbouring edges at a generator's rim, where there is room."""
FAN = math.radians(82)
"""Edges leave and reach a generator within so much of the direction to D, on either side."""
INNER_RING = 0.24
"""Radius of the ring on which several discriminators stand."""


@dataclass(frozen=True)
class Layout:
    """D in the centre, G1..Gk clockwise on a ring of radius 1, G1 at the top.

    k = 2 stands left and right of D, a single generator right of it. Several discriminators stand on a small ring
    around the centre, turned so that no adversarial edge runs through one. Each edge has its own place on the rims of
    its nodes, so that no two edges share a line; an edge and its opposite bow apart, each to its own left.
    """

    roster: Roster

    @property
    def k(self) -> int:
        """The number of generators."""
        return self.roster.generators

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every node."""
        return (*self.roster.discriminator_nodes, *self.roster.generator_nodes)

    def radius(self, node: Node) -> float:
        """Radius of a node's disc: smaller when there are many, so that neighbours keep a gap."""
        generator = min(0.25, 0.5 * math.sin(math.pi / self.k)) if self.k > 1 else 0.25
        if node.letter == "G":
            return generator
        m = self.roster.discriminators
        room = 0.17 if m == 1 else min(0.12, 0.6 * INNER_RING * math.sin(math.pi / m))
        return min(room, 0.75 * generator)

    def angle(self, node: Node) -> float:
        """Direction from the centre to generator `node`, radians, counter-clockwise from the right."""
        first = {1: 0.0, 2: math.pi}.get(self.k, math.pi / 2)
        return first - 2 * math.pi * node.index / self.k

    def centre(self, node: Node) -> Point:
        """Centre of a node's disc."""
        if node.letter == "G":
            return _direction(self.angle(node))
        m = self.roster.discriminators
        return np.zeros(2) if m == 1 else INNER_RING * _direction(self._turn - 2 * math.pi * node.index / m)

    def curve(self, edge: Edge, gap: float) -> Point:
        """[4, 2]: the edge as a cubic Bezier curve from rim to rim, `gap` away from both."""
        ports, leans = [], []
        for node in (edge.source, edge.target):
            inward, turn, lean = self._port(edge, node)
            ports.append(self.centre(node) + (self.radius(node) + gap) * _direction(inward + turn))
            leans.append(_direction(inward + lean))
        start, end = ports
        reach = 0.4 * float(np.linalg.norm(end - start))
        return np.array([start, start + reach * leans[0], end + reach * leans[1], end])

    def extent(self, margin: float) -> tuple[Point, Point]:
        """Lower left and upper right corner of a box around all discs and all edges, `margin` away from them."""
        discs = [self.centre(node) + sign * self.radius(node) for node in self.nodes for sign in (-1, 1)]
        curves = [bezier(self.curve(edge, 0.0), t) for edge in self.roster.edges for t in np.linspace(0, 1, 9)]
        everything = np.array(discs + curves)
        return everything.min(axis=0) - margin, everything.max(axis=0) + margin

    @cached_property
    def _turn(self) -> float:
        """The angle of D1 on the inner ring for which adversarial edges keep furthest from other discriminators."""
        m = self.roster.discriminators
        around = [2 * math.pi * j / m for j in range(m)]
        rim = [_direction(self.angle(node)) for node in self.roster.generator_nodes]

        def clearance(turn: float) -> float:
            ring = [INNER_RING * _direction(turn - angle) for angle in around]
            return min(
                _distance(other, start, end) for start in ring for other in ring if other is not start for end in rim
            )

        return max((math.pi - math.radians(degrees) for degrees in range(0, 360, 3)), key=clearance)

    def _port(self, edge: Edge, node: Node) -> tuple[float, float, float]:
        """How `edge` meets its end `node`: the direction to the ring's other side (from D: to the generator), the
        turn from there to the edge's place on the rim, and the turn to the direction in which it leaves the rim."""
        other = edge.target if node == edge.source else edge.source
        if edge.kind is EdgeKind.ADVERSARIAL:
            return _angle(self.centre(other) - self.centre(node)), 0.0, 0.0
        if edge.kind is EdgeKind.DISCRIMINATOR_TRANSFER:
            side = WIDEST_STEP if node == edge.source else -WIDEST_STEP
            return _angle(self.centre(other) - self.centre(node)), side, side
        inward = self.angle(node) + math.pi
        outgoing = node == edge.source
        ahead = (other.number - node.number) % self.k
        # Ends in the order of their other nodes around the ring, the outgoing one left of the incoming one;
        # places -(k-1)..k-1, of which D's edge has 0.
        place = 2 * (self.k - 1 - ahead) + outgoing - (self.k - 1)
        place += place >= 0
        turn = place * min(WIDEST_STEP, FAN / (self.k - 1))
        if 2 * ahead == self.k:  # straight across: leans to the side, so as to pass D
            several = self.roster.discriminators > 1
            return inward, turn, math.copysign(2 * WIDEST_STEP if several else WIDEST_STEP, turn)
        if ahead in (1, self.k - 1):
            return inward, turn, turn
        # Leans inwards from the straight line, so as not to touch the nodes on the way.
        return inward, turn, 0.7 * (math.pi / 2 - math.pi * ahead / self.k)


def bezier(points: Point, t: float) -> Point:
    """[2]: the point at t in [0, 1] of the cubic Bezier curve with the control points `points` [4, 2]."""
    weights = np.array([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3])
    return np.asarray(weights @ points)


def _direction(angle: float) -> Point:
    return np.array([math.cos(angle), math.sin(angle)])


def _angle(vector: Point) -> float:
    return math.atan2(vector[1], vector[0])


def _distance(point: Point, start: Point, end: Point) -> float:
    """From a point to the segment between two others."""
    along = end - start
    t = float(np.clip((point - start) @ along / (along @ along), 0.0, 1.0))
    return float(np.linalg.norm(point - start - t * along))
