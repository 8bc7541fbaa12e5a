"""Where the nodes of a graph's picture stand and how its edges run between them. Unit of length: the ring's radius."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colgan_search.graph import DISCRIMINATOR, Edge, edges_of

Point = NDArray[np.float64]
WIDEST_STEP = math.radians(24)
"""Between neighbouring edges at a generator's rim, where there is room."""
FAN = math.radians(82)
"""Edges leave and reach a generator within so much of the direction to D, on either side."""


@dataclass(frozen=True)
class Layout:
    """D in the centre, G1..Gk clockwise on a ring of radius 1, G1 at the top.

    k = 2 stands left and right of D, a single generator right of it. Each edge has its own place on the rims of its
    nodes, so that no two edges share a line; an edge and its opposite bow apart, each to its own left.
    """

    k: int

    def radius(self, node: int) -> float:
        """Radius of a node's disc (0 is D): smaller when there are many, so that neighbours keep a gap."""
        generator = min(0.25, 0.5 * math.sin(math.pi / self.k)) if self.k > 1 else 0.25
        return min(0.17, 0.75 * generator) if node == DISCRIMINATOR else generator

    def angle(self, node: int) -> float:
        """Direction from D to generator `node`, radians, counter-clockwise from the right."""
        first = {1: 0.0, 2: math.pi}.get(self.k, math.pi / 2)
        return first - 2 * math.pi * (node - 1) / self.k

    def centre(self, node: int) -> Point:
        """Centre of a node's disc (0 is D)."""
        return np.zeros(2) if node == DISCRIMINATOR else _direction(self.angle(node))

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
        discs = [self.centre(n) + sign * self.radius(n) for n in range(self.k + 1) for sign in (-1, 1)]
        curves = [bezier(self.curve(edge, 0.0), t) for edge in edges_of(self.k) for t in np.linspace(0, 1, 9)]
        everything = np.array(discs + curves)
        return everything.min(axis=0) - margin, everything.max(axis=0) + margin

    def _port(self, edge: Edge, node: int) -> tuple[float, float, float]:
        """How `edge` meets its end `node`: the direction to the ring's other side (from D: to the generator), the
        turn from there to the edge's place on the rim, and the turn to the direction in which it leaves the rim."""
        if node == DISCRIMINATOR:
            return self.angle(edge.target), 0.0, 0.0
        inward = self.angle(node) + math.pi
        if edge.adversarial:
            return inward, 0.0, 0.0
        outgoing = node == edge.source
        ahead = ((edge.target if outgoing else edge.source) - node) % self.k
        # Ends in the order of their other nodes around the ring, the outgoing one left of the incoming one;
        # places -(k-1)..k-1, of which D's edge has 0.
        place = 2 * (self.k - 1 - ahead) + outgoing - (self.k - 1)
        place += place >= 0
        turn = place * min(WIDEST_STEP, FAN / (self.k - 1))
        if 2 * ahead == self.k:  # straight across: leans to the side, so as to pass D
            return inward, turn, math.copysign(WIDEST_STEP, turn)
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
