"""What a worker draws of a trial for the dashboard: samples of each generator, the graph, scores over the epochs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from colgan_search.api.epoch_pictures import draw_epochs, frames_of
from colgan_search.bundles.weights import load_generators
from colgan_search.config import StudyConfig
from colgan_search.figures.compact import drawing, sample_grid, smaller, strip
from colgan_search.figures.curves import curves_figure, read_curves
from colgan_search.figures.epochs import epochs_figure
from colgan_search.figures.graph_picture import graph_figure
from colgan_search.file_names import (
    GENERATORS_FILE,
    GRAPH_PICTURE,
    STRIP_FILE,
    TELEMETRY_FILE,
)
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.images import to_bytes
from colgan_search.records import Outcome, score_text
from colgan_search.search.artifacts.keeping import Picture
from colgan_search.seeds import derive_seed

SMALL = 32
"""Height in pixels up to which the dashboard's strip has all images of all moments."""
SAMPLES = 16
"""Images of each generator; the same z for all of them, and in every trial."""


class TrialPictures:
    """Draws the trials of one study."""

    def __init__(self, config: StudyConfig) -> None:
        self.config = config

    def __call__(self, number: int, outcome: Outcome, folder: Path) -> Sequence[Picture]:
        """The pictures of trial `number`, whose generators lie in `folder`; fewer if it diverged or was pruned."""
        objective = self.config.objective
        values = None if outcome.scores is None else outcome.scores.of(objective.number)
        graph = KnowledgeTransferGraph.from_text(outcome.graph)
        pictures = []
        if values is not None and (folder / GENERATORS_FILE).is_file():
            labels = [f"G{i} ({objective.label} {score_text(value)})" for i, value in enumerate(values, start=1)]
            kind, content = sample_grid(self._images(folder), labels)
            pictures.append(Picture(f"samples.{kind}", content))
        figure = graph_figure(graph, values, f"trial {number}", objective=objective)
        pictures.append(Picture(GRAPH_PICTURE, drawing(figure)))
        on_the_way = self._of_the_way(folder, f"trial {number}")
        # Else the curves have the scores on the way, and the samples' labels those at the end.
        if outcome.history and "curves.png" not in {picture.name for picture in on_the_way}:
            pictures.append(Picture("scores.png", drawing(epochs_figure({f"trial {number}": outcome}))))
        return [*pictures, *on_the_way]

    def _of_the_way(self, folder: Path, title: str) -> list[Picture]:
        """The training's table and its curves, and samples over the epochs: these also as files in its run folder."""
        pictures = []
        if (table := folder / TELEMETRY_FILE).is_file():
            text = table.read_text(encoding="utf-8")
            objective = self.config.objective
            curves = curves_figure(read_curves(text, str(table)), title, number=objective.number, label=objective.label)
            pictures += [Picture("curves.png", drawing(curves)), Picture(TELEMETRY_FILE, text.encode())]
        if frames := frames_of(folder):
            whole = draw_epochs(folder, frames)
            if frames[0][1][0].shape[1] > SMALL:  # the dashboard's: fewer, as every kilobyte is one of the database's
                whole = strip([(epoch, [one[:2] for one in moment]) for epoch, moment in frames[1::2] or frames])
            kind, content = smaller(whole)
            pictures.append(Picture(f"{Path(STRIP_FILE).stem}.{kind}", content))
        return pictures

    def _images(self, folder: Path) -> list[np.ndarray]:
        """Per generator, uint8 [SAMPLES, H, W, C]. On the CPU: it takes a moment, and the GPU may be another's."""
        data, network = self.config.data, self.config.network
        generators = load_generators(
            folder / GENERATORS_FILE,
            network,
            self.config.k,
            size=data.size,
            channels=data.channels,
            device=torch.device("cpu"),
        )
        random = torch.Generator().manual_seed(derive_seed(0, "dashboard"))
        z = torch.randn(SAMPLES, network.z, generator=random)
        with torch.no_grad():
            return [to_bytes(generator(z)).permute(0, 2, 3, 1).numpy() for generator in generators]
