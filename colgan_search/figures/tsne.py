"""The paper's figure 6: t-SNE of every generator's images, system beside system, and two numbers of each cloud."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from colgan_search.errors import BadInput
from colgan_search.figures.saving import picture_paths, save_figure
from colgan_search.figures.styles import INK, SMALL_SIZE, TEXT_SIZE, heading, look

Vectors = NDArray[Any]
"""[n, ...]: n samples of one generator, images or features of any number type; flattened to [n, d]."""
PERPLEXITY = 30.0
COMPONENTS = 50
"""t-SNE sees so many principal components at most: the usual way for images, and much faster."""
SPREAD_NOTE = "spread: mean distance between generators' centres / mean distance of samples to their own"
WIDTH_NOTE = "width: root mean square deviation of all samples from their common mean, per coordinate"
NOTE_SIZE, LETTER = 7.5, 0.06
"""Font size of the note in points, and the width of a letter of it in inches, on the safe side."""
PANEL, MARGIN = 4.1, 0.9
"""Widths in inches: of a panel, and of what is beside the panels."""
LABEL_LETTERS = 44
"""Letters of a panel's title that fit into one line."""
LAYERS = 8
"""Points are painted in so many rounds over the generators, so that the last does not hide the others."""


def spread(generators: Sequence[Vectors]) -> float:
    """How far the generators of one system are from each other, measured by how far each one's samples scatter.

    With the centroid c_i = mean over n of x_{i,n} in the original space (not in the t-SNE plane, whose distances mean
    little): the mean of ||c_i - c_j|| over all pairs i < j, divided by the mean over i and n of ||x_{i,n} - c_i||.
    0: all generators make the same on average; 1: their centres are as far apart as samples are from their centre.
    Unchanged by rotating, moving and scaling the space. Generators that are the same still give about sqrt(2 / n) by
    chance (0.045 for n = 1,000). NaN for fewer than two generators; inf if every generator makes one image only.
    """
    flat = [_flat(vectors) for vectors in generators]
    if len(flat) < 2:
        return math.nan
    centres = [vectors.mean(axis=0) for vectors in flat]
    apart = np.mean([np.linalg.norm(a - b) for a, b in combinations(centres, 2)])
    scatter = np.mean([np.linalg.norm(x - c, axis=1).mean() for x, c in zip(flat, centres, strict=True)])
    if scatter == 0:
        return math.inf if apart > 0 else math.nan
    return float(apart / scatter)


def width(generators: Sequence[Vectors]) -> float:
    """How far the samples of all generators together scatter: per coordinate, in the unit of the samples.

    The root of the mean over all samples x, those of one generator as good as those of another, and over coordinates
    of (x - c)^2, with c the mean of all samples. Unlike `spread`, a cloud ten times as wide gives ten times the value.
    """
    together = np.concatenate([_flat(vectors) for vectors in generators])
    return float(np.sqrt(together.var(axis=0).mean()))


def embed(groups: Sequence[Vectors], seed: int = 0) -> list[NDArray[np.float64]]:
    """[n_i, ...] -> [n_i, 2] for every group, in one t-SNE of all of them together.

    At most COMPONENTS principal components, perplexity 30 (less for fewer than 91 samples), started from the first two
    components: the same input and seed give the same picture on one machine.
    """
    together = np.concatenate([_flat(group).astype(np.float32) for group in groups])
    if len(together) < 4:
        raise BadInput(f"t-SNE of {len(together)} samples; at least 4 are needed")
    components = min(COMPONENTS, *together.shape)
    reduced = PCA(components, random_state=0).fit_transform(together)
    perplexity = min(PERPLEXITY, (len(together) - 1) / 3)
    places = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1).fit_transform(reduced)
    ends = np.cumsum([len(group) for group in groups])[:-1]
    return [np.asarray(part, np.float64) for part in np.split(places, ends)]


def draw_tsne(
    systems: Mapping[str, Sequence[Vectors]],
    paths: Path | str | Sequence[Path | str],
    title: str | None = None,
    *,
    note: str | None = None,
    seed: int = 0,
) -> list[Path]:
    """Draws `tsne_figure` to each path (.png, .svg or .pdf) and gives the paths."""
    listed = picture_paths(paths)
    return save_figure(tsne_figure(systems, title, note=note, seed=seed), listed)


def tsne_figure(
    systems: Mapping[str, Sequence[Vectors]], title: str | None = None, *, note: str | None = None, seed: int = 0
) -> Figure:
    """A panel per entry of `systems`: label -> samples of G1..Gk; its title has the system's `spread` and `width`.
    `note` stands below, before what the two numbers mean: how the samples were made.

    One embedding for all panels, with the same axes: two separate ones would have scales and directions of their own,
    and a wider cloud could not be told from another scale. BadInput if the samples do not go together.
    """
    _check(systems)
    groups = [vectors for generators in systems.values() for vectors in generators]
    clouds = embed(groups, seed)
    everything = np.concatenate(clouds)
    middle = (everything.min(axis=0) + everything.max(axis=0)) / 2
    reach = 1.04 * float(np.abs(everything - middle).max()) or 1.0
    places = iter(clouds)
    inches = MARGIN + PANEL * len(systems)
    most = max(len(generators) for generators in systems.values())
    said = [*([note] if note else []), *([SPREAD_NOTE] if most > 1 else []), WIDTH_NOTE]
    notes = [line for words in said for line in textwrap.wrap(words, int(inches / LETTER))]
    labels = {label: textwrap.wrap(label, LABEL_LETTERS) for label in systems}
    lines = len(notes) + max(map(len, labels.values()))
    figure = Figure(figsize=(inches, (4.3 if title else 4.0) + 0.14 * lines), layout="constrained")
    panels = figure.subplots(1, len(systems), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (label, generators) in zip(panels, systems.items(), strict=True):
        _draw_system(axes, [next(places) for _ in generators])
        axes.set_xlim(middle[0] - reach, middle[0] + reach)
        axes.set_ylim(middle[1] - reach, middle[1] + reach)
        heading_text = "\n".join([*labels[label], _numbers(generators)])
        axes.set_title(heading_text, fontsize=TEXT_SIZE, color=INK).set_parse_math(False)
    figure.legend(
        handles=[_handle(number) for number in range(1, most + 1)],
        loc="outside right upper",
        frameon=False,
        fontsize=SMALL_SIZE,
        handletextpad=0.3,
        ncols=math.ceil(most / 20),
    )
    figure.supxlabel("\n".join(notes), fontsize=NOTE_SIZE, color=INK).set_parse_math(False)
    heading(figure, title)
    return figure


def _numbers(generators: Sequence[Vectors]) -> str:
    """`spread 0.21, width 88`; one generator, or several that make one image each, have no spread."""
    value = spread(generators)
    return ", ".join([*([] if math.isnan(value) else [f"spread {value:.2f}"]), f"width {width(generators):.3g}"])


def _draw_system(axes: Axes, clouds: Sequence[NDArray[np.float64]]) -> None:
    for layer in range(LAYERS):
        for number, cloud in enumerate(clouds, start=1):
            style = look(number)
            points = cloud[layer::LAYERS]
            filled = number == 1 or not style.open_marker
            axes.scatter(
                points[:, 0],
                points[:, 1],
                s=12,
                marker=style.marker,
                facecolors=style.colour if filled else "none",
                edgecolors=style.colour if style.open_marker else None,
                linewidths=0.0 if number == 1 else 0.7,
                zorder=2 + layer,
            )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal")
    for spine in axes.spines.values():
        spine.set_color("#b0b0b0")


def _handle(number: int) -> Line2D:
    style = look(number)
    face = "none" if style.open_marker and number > 1 else style.colour
    return Line2D([], [], ls="", marker=style.marker, ms=6, mec=style.colour, mfc=face, label=f"G{number}")


def _flat(vectors: Vectors) -> NDArray[np.float64]:
    return np.asarray(vectors, np.float64).reshape(len(vectors), -1)


def _check(systems: Mapping[str, Sequence[Vectors]]) -> None:
    if not systems:
        raise BadInput("no samples to draw; give those of at least one system")
    size: tuple[int, ...] | None = None
    for label, generators in systems.items():
        if not generators or any(vectors.ndim < 2 or not len(vectors) for vectors in generators):
            raise BadInput(f"{label}: samples are [n, ...] with n of at least 1, for each of at least one generator")
        for number, vectors in enumerate(generators, start=1):
            size = size or vectors.shape[1:]
            if vectors.shape[1:] != size:
                raise BadInput(
                    f"{label}: a sample of G{number} is {list(vectors.shape[1:])}, others are {list(size)}; "
                    "one t-SNE needs samples of one shape"
                )
            if not np.isfinite(vectors).all():
                raise BadInput(f"{label}: samples of G{number} hold NaN or Inf")
