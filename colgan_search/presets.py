"""Named graphs, as data: known methods that are points of the space of graphs, for every roster that they fit."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colgan_search.errors import GraphError
from colgan_search.gates import CUTOFF, NEGATIVE, POSITIVE, THROUGH, Gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.roster import D, Edge, EdgeKind, Roster, generator

MAX_FILE_CHARACTERS = 2**20
"""Of a graph's JSON; that of 64 generators has 100,000."""


@dataclass(frozen=True)
class Range:
    """Whole numbers from `least` to `most` (None: no upper end)."""

    least: int
    most: int | None = None

    def __contains__(self, number: int) -> bool:
        return self.least <= number and (self.most is None or number <= self.most)

    def describe(self, name: str) -> str:
        """In words: `k = 1` or `k >= 2`."""
        if self.most is None:
            return f"{name} >= {self.least}"
        return f"{name} = {self.least}" if self.least == self.most else f"{name} = {self.least}..{self.most}"


@dataclass(frozen=True)
class Preset:
    """The gates of a named graph, for the numbers of generators and discriminators that it makes sense for."""

    name: str
    description: str
    adversarial: Gate = THROUGH
    """The gate of every D_j->Gi, unless `exceptions` has it."""
    forward: Gate = CUTOFF
    """The gate of every Gi->Gj with i < j, unless `exceptions` has it."""
    backward: Gate = CUTOFF
    """The gate of every Gi->Gj with i > j, unless `exceptions` has it."""
    among_discriminators: Gate = CUTOFF
    """The gate of every Da->Db."""
    exceptions: Callable[[int], Mapping[Edge, Gate]] = lambda k: {}
    """k -> the edges that carry another gate, with it."""
    k: Range = Range(2)
    discriminators: Range = Range(1, 1)

    @property
    def rosters(self) -> str:
        """What fits, in words: `k = 1`, or `k >= 2, m >= 2` where it needs several discriminators."""
        one = self.discriminators == Range(1, 1) or self.discriminators == Range(1)
        return self.k.describe("k") + ("" if one else f", {self.discriminators.describe('m')}")

    @property
    def only_roster(self) -> Roster | None:
        """The one roster that fits; None if several do."""
        k, m = self.k, self.discriminators
        return Roster(k.least, m.least) if k.least == k.most and m.least == m.most else None

    def fits(self, roster: Roster) -> bool:
        """True if the preset has a graph of this roster."""
        return roster.generators in self.k and roster.discriminators in self.discriminators

    def graph(self, roster: Roster) -> KnowledgeTransferGraph:
        """The preset's graph; GraphError if the preset makes no sense for the roster."""
        if not self.fits(roster):
            wanted = self.rosters if roster.generators not in self.k else self.discriminators.describe("m")
            raise GraphError(f"preset {self.name!r} is for {wanted}, not for {roster}; {_known()}")
        exceptions = self.exceptions(roster.generators)
        gates = {edge: exceptions.get(edge, self._usual(edge)) for edge in roster.edges}
        return KnowledgeTransferGraph.from_edges(roster, gates)

    def _usual(self, edge: Edge) -> Gate:
        return {
            EdgeKind.ADVERSARIAL: self.adversarial,
            EdgeKind.TRANSFER: self.forward if edge.source < edge.target else self.backward,
            EdgeKind.DISCRIMINATOR_TRANSFER: self.among_discriminators,
        }[edge.kind]


def _buffer(k: int) -> dict[Edge, Gate]:
    """Our reading of figure 8 and its text (section 4.4), with the buffer last: G3 of the paper's three.

    The buffer's IS of 1.33 says that D does not teach it, and "acting like a buffer of G1" that it and G1 teach each
    other; transfer is told to set in as learning goes on, so these edges are positive linear. G2 scores as a
    generator of MAD-GAN does and is what G1 is compared with, so D alone teaches it.
    """
    first, last = generator(1), generator(k)
    return {Edge(D, last): CUTOFF, Edge(first, last): POSITIVE, Edge(last, first): POSITIVE}


_ALL = (
    Preset("dcgan", "one DCGAN: a single generator, taught by D alone", k=Range(1, 1)),
    Preset("mad-gan", "MAD-GAN: every generator is taught by D, none by another"),
    Preset(
        "all-through",
        "mutual learning: every generator, and every discriminator, teaches every other at full weight",
        forward=THROUGH,
        backward=THROUGH,
        among_discriminators=THROUGH,
        discriminators=Range(1),
    ),
    Preset(
        "positive-transfer",
        "transfers grow from 0 to full weight, D teaches at full weight",
        forward=POSITIVE,
        backward=POSITIVE,
        among_discriminators=POSITIVE,
        discriminators=Range(1),
    ),
    Preset(
        "negative-transfer",
        "transfers fade from full weight to 0, D teaches at full weight",
        forward=NEGATIVE,
        backward=NEGATIVE,
        among_discriminators=NEGATIVE,
        discriminators=Range(1),
    ),
    Preset("one-way", "one-way distillation: G1 teaches all others, G2 those after it, ...", forward=THROUGH),
    Preset(
        "buffer",
        "Gk learns from G1 alone and teaches it, both more and more; else as mad-gan (our reading of figure 8)",
        exceptions=_buffer,
    ),
    Preset(
        "gman",
        "as GMAN: several discriminators teach every generator at full weight, nobody teaches its like",
        k=Range(1),
        discriminators=Range(2),
    ),
    Preset(
        "mutual-discriminators",
        "as gman, and the discriminators teach one another at full weight",
        among_discriminators=THROUGH,
        k=Range(1),
        discriminators=Range(2),
    ),
)
PRESETS: Mapping[str, Preset] = {preset.name: preset for preset in _ALL}
"""Name -> preset, in the order in which a table shows them."""


def preset(name: str, roster: Roster) -> KnowledgeTransferGraph:
    """The graph of a preset's name; GraphError lists the known ones and what fits them."""
    if name not in PRESETS:
        raise GraphError(f"unknown preset {name!r}; {_known()}")
    return PRESETS[name].graph(roster)


def resolve(text: str, roster: Roster | None = None, *, files: bool = True) -> KnowledgeTransferGraph:
    """The graph that `text` means: a preset's name, a text form, JSON, or (with `files`) the path of a JSON file.

    A preset needs the roster, unless it exists for one only. GraphError if nothing fits, or if the graph has another
    roster.
    """
    text = text.strip()
    if text in PRESETS:
        chosen = PRESETS[text]
        wanted = chosen.only_roster if roster is None else roster
        if wanted is None:
            raise GraphError(f"preset {text!r} needs to know k, the number of generators; it is for {chosen.rosters}")
        return chosen.graph(wanted)
    if text.startswith("{"):
        graph = _from_json(text, "the graph's JSON")
    elif files and _is_file(text):
        graph = _from_file(Path(text))
    elif "=" in text:
        graph = KnowledgeTransferGraph.from_text(text)
    else:
        files_too = ", nor is there such a file" if files else ""
        shown = text if len(text) <= 80 else text[:77] + "..."
        raise GraphError(f"{shown!r} is neither a preset nor a graph like G1=D:t,G2:p/G2=D:t{files_too}; {_known()}")
    if roster is not None and graph.roster != roster:
        raise GraphError(f"the graph {graph.to_text()} has {graph.roster}, but {roster} is asked for")
    return graph


def _known() -> str:
    return "the presets are " + ", ".join(f"{preset.name} ({preset.rosters})" for preset in _ALL)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a path, or with a null character
        return False


def _from_file(path: Path) -> KnowledgeTransferGraph:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_FILE_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise GraphError(f"{path}: cannot be read as a graph: {error}") from error
    if len(text) > MAX_FILE_CHARACTERS:
        raise GraphError(f"{path}: is larger than {MAX_FILE_CHARACTERS:,} characters: no graph's JSON")
    return _from_json(text, str(path))


def _from_json(text: str, source: str) -> KnowledgeTransferGraph:
    try:
        data = json.loads(text, object_pairs_hook=_without_twice)
    except (ValueError, RecursionError) as error:
        raise GraphError(f"{source}: is not valid JSON: {error}") from error
    try:
        return KnowledgeTransferGraph.from_json(data)
    except GraphError as error:
        raise GraphError(f"{source}: {error}") from error


def _without_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; ValueError if a key stands twice, which json would pass over."""
    data: dict[str, Any] = {}
    for key, value in pairs:
        if key in data:
            raise ValueError(f"key {key!r} stands twice")
        data[key] = value
    return data
