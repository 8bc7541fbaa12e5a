"""Figures for the dashboard, as the JSON that plotly reads; plotly itself is not needed to write it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

INK, BAND, POINTS, LINE = "#6b7280", "rgba(28, 110, 63, 0.18)", "rgba(120, 130, 145, 0.55)", "#1c6e3f"
CLEAR = "rgba(0, 0, 0, 0)"


def best_so_far(
    trials: Sequence[tuple[int, float]], sd: float | None, label: str, *, higher_is_better: bool = True
) -> str:
    """Every trial's value (number, value; in the order in which they count), the best so far as a line, and around it
    one standard deviation of a run, if it is known."""
    pick = max if higher_is_better else min
    numbers, values = [number for number, _ in trials], [value for _, value in trials]
    best: list[float] = []
    for value in values:
        best.append(value if not best else pick(best[-1], value))
    data: list[dict[str, Any]] = []
    if sd is not None:
        up, down = [b + sd for b in best], [b - sd for b in best]
        band = {"type": "scatter", "mode": "lines", "line": {"width": 0, "shape": "hv"}, "hoverinfo": "skip"}
        data.append({**band, "x": numbers, "y": up, "showlegend": False})
        name = f"± {sd:.3g}: one run's standard deviation"
        data.append({**band, "x": numbers, "y": down, "fill": "tonexty", "fillcolor": BAND, "name": name})
    data.append(
        {
            "type": "scatter",
            "mode": "markers",
            "x": numbers,
            "y": values,
            "name": "trials",
            "marker": {"size": 5, "color": POINTS},
        }
    )
    line = {"color": LINE, "width": 2, "shape": "hv"}
    data.append({"type": "scatter", "mode": "lines", "x": numbers, "y": best, "name": "best so far", "line": line})
    return _figure(data, f"Best {label} so far", "trial", label)


def edge_effects(effects: Sequence[Mapping[str, Any]], colours: Mapping[str, str], label: str) -> str:
    """A row per class of edges, a point with its interval per gate; effects have edges, gate, mean, low, high."""
    data = []
    for gate in dict.fromkeys(effect["gate"] for effect in effects):
        its = [effect for effect in effects if effect["gate"] == gate]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": gate,
                "orientation": "h",
                "x": [effect["mean"] for effect in its],
                "y": [effect["edges"] for effect in its],
                "marker": {"size": 8, "color": colours.get(gate, INK)},
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [effect["high"] - effect["mean"] for effect in its],
                    "arrayminus": [effect["mean"] - effect["low"] for effect in its],
                    "color": colours.get(gate, INK),
                },
            }
        )
    figure = _layout("Which gates matter", f"{label} with this gate on such an edge, less the mean of all graphs", "")
    figure["yaxis"] |= {"autorange": "reversed", "type": "category"}
    figure["scattermode"], figure["scattergap"] = "group", 0.6
    return json.dumps({"data": data, "layout": figure})


def boxes(values: Mapping[str, Sequence[float]], label: str) -> str:
    """One box per entry, with all its points."""
    data = [
        {
            "type": "box",
            "name": name,
            "y": list(of),
            "boxpoints": "all",
            "jitter": 0.4,
            "pointpos": 0,
            "marker": {"size": 4, "color": POINTS},
            "line": {"color": LINE},
            "showlegend": False,
        }
        for name, of in values.items()
    ]
    return _figure(data, f"{label} of the trials", "", label)


def _figure(data: Sequence[Mapping[str, Any]], title: str, x: str, y: str) -> str:
    return json.dumps({"data": list(data), "layout": _layout(title, x, y)})


def _layout(title: str, x: str, y: str) -> dict[str, Any]:
    """Without a background of its own, so that it fits the dashboard's light and dark."""
    axis = {"gridcolor": "rgba(128, 128, 128, 0.25)", "zerolinecolor": "rgba(128, 128, 128, 0.5)", "automargin": True}
    return {
        "title": {"text": title},
        "xaxis": {**axis, "title": {"text": x}},
        "yaxis": {**axis, "title": {"text": y}},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"color": INK},
        "legend": {"orientation": "h", "y": -0.25},
        "margin": {"t": 50},
    }
