"""A small table of measured graphs, for tests."""

from typing import Any

from colgan_search.rehearsal.table import Card, Row, Table

GOOD, FAIR, POOR = "G1=D:t/G2=G1:t", "G1=D:t/G2=D:t", "G1=-/G2=-"
"""Canonical graphs."""

CARD: dict[str, Any] = {
    "name": "tiny",
    "k": 2,
    "gates": ("through", "cutoff"),
    "epochs": 4,
    "moments": (2, 4),
    "settings": {},
    "fingerprints": ("0" * 16,),
    "protocol": {
        "extractor": "classifier",
        "weights_digest": "0" * 16,
        "resolution": 16,
        "channels": 1,
        "images": 10,
        "splits": 1,
        "reference": None,
    },
    "interim_protocol": None,
    "versions": ("0.2.0",),
    "command": "colgan-search rehearse --export tiny --out tiny.csv",
    "machine": "none",
    "date": "2026-01-01",
}


def row(graph: str, trial: int, g1: float, g2: float, **changes: Any) -> Row:
    """A training of an hour whose scores are lower by 1 at the first moment."""
    fields: dict[str, Any] = {
        "graph": graph,
        "study": "tiny",
        "trial": trial,
        "seed": trial,
        "seconds": 3600.0,
        "diverged": False,
        "scores": ((max(g1 - 1, 1.0), max(g2 - 1, 1.0)), (g1, g2)),
        "fid": None,
    }
    return Row.model_validate(fields | changes)


def tiny_table(*rows: Row) -> Table:
    """By default two trainings of each of three graphs, alike, so that their truth is known: 5, 4 and 1.5."""
    rows = rows or tuple(
        row(graph, 2 * number + repeat, g1, g2)
        for number, (graph, g1, g2) in enumerate([(GOOD, 3.0, 5.0), (FAIR, 4.0, 4.0), (POOR, 1.5, 1.2)])
        for repeat in (0, 1)
    )
    return Table(Card.model_validate(CARD), rows, "tiny")


def noisy_table() -> Table:
    """The same graphs, three trainings each that are not alike."""
    return tiny_table(
        *(
            row(graph, 3 * number + repeat, g1 + repeat / 4, g2 + repeat**2 / 5)
            for number, (graph, g1, g2) in enumerate([(GOOD, 3.0, 5.0), (FAIR, 4.0, 4.0), (POOR, 1.5, 1.2)])
            for repeat in range(3)
        )
    )
