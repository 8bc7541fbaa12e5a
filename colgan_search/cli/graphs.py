"""`graphs`: counts of graphs, presets, and one graph described or drawn."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from colgan_search import presets
from colgan_search.cli import console, options, show
from colgan_search.errors import GraphError
from colgan_search.gates import Gate, parse_gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.roster import MAX_DISCRIMINATORS, MAX_K, Roster

EXAMPLE = "colgan-search graphs buffer --k 3 --picture buffer.png"


def command(
    graph: Annotated[
        str | None, typer.Argument(help="A preset, a text form like G1=D:t,G2:p/G2=D:t, JSON, or a file of JSON.")
    ] = None,
    k: Annotated[int | None, typer.Option("--k", help="Number of generators.", min=1, max=MAX_K)] = None,
    discriminators: Annotated[
        int, typer.Option("--discriminators", help="Number of discriminators.", min=1, max=MAX_DISCRIMINATORS)
    ] = 1,
    gates: Annotated[
        str, typer.Option("--gates", help="Gates to count with, e.g. through,cutoff.")
    ] = "through,cutoff,positive,negative",
    every: Annotated[bool, typer.Option("--list", help="Print every distinct graph of --k, one per line.")] = False,
    picture: Annotated[Path | None, typer.Option("--picture", help="Draw the graph (.png, .svg or .pdf).")] = None,
    style: Annotated[
        str | None,
        typer.Option("--style", help="Pens of the picture: house, or paper (positive linear red, through black)."),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials", help="Say what so many trials buy in the space of --k.", min=1, max=options.MAX_TRIALS
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Count the distinct knowledge transfer graphs and list presets; or describe and draw one graph."""
    allowed = tuple(dict.fromkeys(parse_gate(name) for name in gates.split(",")))
    if style is not None and picture is None:
        raise GraphError("--style is of a picture: colgan-search graphs GRAPH --picture FILE --style NAME")
    if trials is not None and (k is None or graph is not None or every):
        raise GraphError("--trials is of a space: colgan-search graphs --k K --trials N, without a graph or --list")
    rosters = [Roster(number, discriminators) for number in ([k] if k is not None else [1, 2, 3, 4])]
    if graph is not None:
        _describe(graph, rosters[0] if k is not None else None, picture, style, as_json)
    elif picture is not None:
        raise GraphError("--picture needs a graph: colgan-search graphs GRAPH --picture FILE")
    elif every:
        if k is None:
            raise GraphError("--list needs --k: the number of generators")
        from colgan_search import symmetry  # here, and below: it knows NumPy

        _list(symmetry.distinct_graphs(rosters[0], allowed), as_json)
    else:
        _count(rosters, allowed, trials, as_json)


def _list(graphs: Iterator[KnowledgeTransferGraph], as_json: bool) -> None:
    """One line each as they are found, in JSON too: one array, which need not be held."""
    if not as_json:
        for graph in graphs:
            console.out(graph.to_text())
        return
    before = "["
    for graph in graphs:
        console.out(before + json.dumps(graph.to_json()), end="")
        before = ",\n "
    console.out("]")


def _describe(text: str, roster: Roster | None, picture: Path | None, style: str | None, as_json: bool) -> None:
    from colgan_search import symmetry

    graph = presets.resolve(text, roster)
    files = _draw(graph, picture, style) if picture is not None else []
    try:
        canonical, unknown = symmetry.canonical(graph).to_text(), ""
    except GraphError as error:  # too many relabellings: the graph is described all the same
        canonical, unknown = None, f"not known: {error}"
    if as_json:
        console.out(json.dumps({"text": graph.to_text(), **graph.to_json(), "canonical": canonical}))
        return
    console.out(graph.to_text())
    for line in graph.describe():
        console.out(f"  {line}")
    console.out(f"  canonical form: {canonical or unknown}")
    for file in files:
        console.out(f"  picture: {file}")


def _draw(graph: KnowledgeTransferGraph, picture: Path, style: str | None) -> list[Path]:
    from colgan_search.api.work_and_storage import output_file
    from colgan_search.figures import draw_graph  # here: counting does without Matplotlib
    from colgan_search.figures.pens import HOUSE

    output_file(picture, "--picture")
    return draw_graph(graph, picture, title=graph.to_text(), style=style or HOUSE)


def _count(rosters: list[Roster], gates: tuple[Gate, ...], trials: int | None, as_json: bool) -> None:
    from colgan_search import symmetry
    from colgan_search.symmetry.extent import number_words

    sizes = [symmetry.extent(roster, len(gates), patient=True) for roster in rosters]
    if as_json:
        counts = [
            {
                "k": roster.generators,
                "discriminators": roster.discriminators,
                "edges": size.edges,
                **show.extent_json(size),
                **({} if trials is None else {"trials": trials, "buys": size.bought(trials)}),
            }
            for roster, size in zip(rosters, sizes, strict=True)
        ]
        console.out(json.dumps({"gates": [gate.name for gate in gates], "counts": counts}))
        return
    console.out(f"graphs with the gates {', '.join(gate.name for gate in gates)}:")
    table = Table("k", "discriminators", "gated edges", "assignments", "distinct up to relabelling", box=None)
    for roster, size in zip(rosters, sizes, strict=True):
        table.add_row(
            str(roster.generators),
            str(roster.discriminators),
            f"{size.edges:,}",
            number_words(size.assignments),
            size.distinct_words,
        )
    console.console().print(table)
    if trials is not None:
        console.out(sizes[0].bought(trials))
        return
    console.out("presets:")
    names = Table("name", "for", "what it is", box=None)
    for preset in presets.PRESETS.values():
        names.add_row(preset.name, preset.rosters, preset.description)
    console.console().print(names)
