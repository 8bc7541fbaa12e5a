"""Named graphs, as data: known methods that are points of the space of graphs, for every k that they make sense for."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colgan_search.errors import GraphError
from colgan_search.gates import Gate
from colgan_search.graph import DISCRIMINATOR, Edge, KnowledgeTransferGraph, edges_of

MAX_FILE_CHARACTERS = 2**20
"""Of a graph's JSON; that of 64 generators has 100,000."""


@dataclass(frozen=True)
class Preset:
    """The gates of a named graph for k from `least_k` to `most_k` (None: no upper end)."""

    name: str
    description: str
    adversarial: Gate = Gate.THROUGH
    """The gate of every D->Gi, unless `exceptions` has it."""
    forward: Gate = Gate.CUTOFF
    """The gate of every Gi->Gj with i < j, unless `exceptions` has it."""
    backward: Gate = Gate.CUTOFF
    """The gate of every Gi->Gj with i > j, unless `exceptions` has it."""
    exceptions: Callable[[int], Mapping[Edge, Gate]] = lambda k: {}
    """k -> the edges that carry another gate, with it."""
    least_k: int = 2
    most_k: int | None = None

    @property
    def ks(self) -> str:
        """The k that fit, in words: `k = 1` or `k >= 2`."""
        if self.most_k is None:
            return f"k >= {self.least_k}"
        return f"k = {self.least_k}" if self.least_k == self.most_k else f"k = {self.least_k}..{self.most_k}"

    def fits(self, k: int) -> bool:
        """True if the preset has a graph of k generators."""
        return self.least_k <= k and (self.most_k is None or k <= self.most_k)

    def graph(self, k: int) -> KnowledgeTransferGraph:
        """The preset's graph of k generators; GraphError if the preset makes no sense for k."""
        if not self.fits(k):
            raise GraphError(f"preset {self.name!r} is for {self.ks}, not for k = {k}; {_known()}")
        gates, exceptions = {}, self.exceptions(k)
        for edge in edges_of(k):
            usual = self.forward if edge.source < edge.target else self.backward
            gates[edge] = exceptions.get(edge, self.adversarial if edge.adversarial else usual)
        return KnowledgeTransferGraph.from_edges(k, gates)


def _buffer(k: int) -> dict[Edge, Gate]:
    """Our reading of figure 8 and its text (section 4.4), with the buffer last: G3 of the paper's three.

    The buffer's IS of 1.33 says that D does not teach it, and "acting like a buffer of G1" that it and G1 teach each
    other; transfer is told to set in as learning goes on, so these edges are positive linear. G2 scores as a
    generator of MAD-GAN does and is what G1 is compared with, so D alone teaches it.
    """
    return {Edge(DISCRIMINATOR, k): Gate.CUTOFF, Edge(1, k): Gate.POSITIVE, Edge(k, 1): Gate.POSITIVE}


_ALL = (
    Preset("dcgan", "one DCGAN: a single generator, taught by D alone", least_k=1, most_k=1),
    Preset("mad-gan", "MAD-GAN: every generator is taught by D, none by another"),
    Preset(
        "all-through",
        "mutual learning: every generator teaches every other at full weight",
        forward=Gate.THROUGH,
        backward=Gate.THROUGH,
    ),
    Preset(
        "positive-transfer",
        "transfers grow from 0 to full weight, D teaches at full weight",
        forward=Gate.POSITIVE,
        backward=Gate.POSITIVE,
    ),
    Preset(
        "negative-transfer",
        "transfers fade from full weight to 0, D teaches at full weight",
        forward=Gate.NEGATIVE,
        backward=Gate.NEGATIVE,
    ),
    Preset("one-way", "one-way distillation: G1 teaches all others, G2 those after it, ...", forward=Gate.THROUGH),
    Preset(
        "buffer",
        "Gk learns from G1 alone and teaches it, both more and more; else as mad-gan (our reading of figure 8)",
        exceptions=_buffer,
    ),
)
PRESETS: Mapping[str, Preset] = {preset.name: preset for preset in _ALL}
"""Name -> preset, in the order in which a table shows them."""


def preset(name: str, k: int) -> KnowledgeTransferGraph:
    """The graph of a preset's name for k generators; GraphError lists the known ones and the k that fit."""
    if name not in PRESETS:
        raise GraphError(f"unknown preset {name!r}; {_known()}")
    return PRESETS[name].graph(k)


def resolve(text: str, k: int | None = None, *, files: bool = True) -> KnowledgeTransferGraph:
    """The graph that `text` means: a preset's name, a text form, JSON, or (with `files`) the path of a JSON file.

    A preset needs k, unless it exists for one k only. GraphError if nothing fits, or if the graph's k is not k.
    """
    text = text.strip()
    if text in PRESETS:
        chosen = PRESETS[text]
        if k is None and chosen.least_k != chosen.most_k:
            raise GraphError(f"preset {text!r} needs to know k, the number of generators; it is for {chosen.ks}")
        return chosen.graph(chosen.least_k if k is None else k)
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
    if k is not None and graph.k != k:
        raise GraphError(f"the graph {graph.to_text()} has k = {graph.k} generators, but k = {k} is asked for")
    return graph


def _known() -> str:
    return "the presets are " + ", ".join(f"{preset.name} ({preset.ks})" for preset in _ALL)


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
