"""What the trainings of the leading graphs left: samples, curves, images over the epochs.

Out of this machine's run folders; of trials of other machines as their workers kept it for the dashboard.
"""

from __future__ import annotations  # so that NumPy's and Matplotlib's types are not imported for their names

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from colgan_search.api.picture_stores import stores_of
from colgan_search.api.report_facts import Facts
from colgan_search.errors import ColganError
from colgan_search.file_names import GENERATORS_FILE, STRIP_FILE, TELEMETRY_FILE, WorkFolder
from colgan_search.records import score_text
from colgan_search.search.artifacts.kept import kept
from colgan_search.search.artifacts.stores import AllStores
from colgan_search.search.study.opening import OpenStudy, open_study
from colgan_search.search.study.results import TrialRecord

T = TypeVar("T")

LATENTS = 48
"""Images of each generator."""
STRIP = Path(STRIP_FILE).stem
KINDS = ("png", "jpg")
"""Of kept pictures: whichever was smaller."""
NAMES = (TELEMETRY_FILE, *(f"{stem}.{kind}" for stem in ("samples", STRIP) for kind in KINDS))
"""Of the files that are asked for."""

Image = tuple[str, bytes]
"""Kind of file (png or jpg), and its content."""


class Elsewhere:
    """The kept files of trials, each asked for once; what cannot be had is said once, and is none."""

    def __init__(self, study: OpenStudy, say: Callable[[str], None]) -> None:
        self._study = study
        self._say = say
        self._said: set[str] = set()
        self._stores: dict[str, tuple[OpenStudy, AllStores]] = {}
        self._found: dict[tuple[str, int], dict[str, bytes]] = {}

    def files(self, trial: TrialRecord) -> dict[str, bytes]:
        """Name -> content; of a trial that was taken over, the files of the study that trained it."""
        run = trial.run_of(self._study.name)
        if run not in self._found:
            try:
                self._found[run] = kept(*self._of(run[0]), run[1], NAMES)
            except ColganError as error:  # another study's may be deleted, a bucket out of reach
                self._found[run] = {}
                self._tell(f"no pictures of some trials: {error}")
        return self._found[run]

    def _of(self, name: str) -> tuple[OpenStudy, AllStores]:
        if name not in self._stores:
            study = self._study if name == self._study.name else open_study(self._study.storage, name)
            self._stores[name] = study, stores_of(study, self._tell)
        return self._stores[name]

    def _tell(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)


class Runs:
    """The trainings of one graph: the best of its runs that left something, on this machine or else elsewhere."""

    def __init__(self, facts: Facts, work: WorkFolder, elsewhere: Elsewhere, trials: Sequence[TrialRecord]) -> None:
        self._facts = facts
        self._work = work
        self._elsewhere = elsewhere
        self._trials = trials

    def samples(self) -> tuple[TrialRecord, Image] | None:
        """A run and a labelled grid of its generators' images."""
        return self._first(self._drawn, lambda trial: self._kept(trial, "samples"))

    def strip(self) -> tuple[TrialRecord, Image] | None:
        """A run, and images of the same z over its epochs."""
        return self._first(lambda trial: _image(self._read(trial, STRIP_FILE)), lambda trial: self._kept(trial, STRIP))

    def tables(self) -> Iterator[tuple[TrialRecord, str]]:
        """Runs and their tables of epochs, as they were written."""
        for trial in self._trials:
            content = self._read(trial, TELEMETRY_FILE) or self._elsewhere.files(trial).get(TELEMETRY_FILE)
            if content:
                yield trial, content.decode("utf-8", "replace")

    def _first(self, *ways: Callable[[TrialRecord], T | None]) -> tuple[TrialRecord, T] | None:
        for way in ways:
            for trial in self._trials:
                if (found := way(trial)) is not None:
                    return trial, found
        return None

    def _read(self, trial: TrialRecord, name: str) -> bytes | None:
        try:
            return (self._work.run(*trial.run_of(self._facts.study)) / name).read_bytes()
        except OSError:
            return None

    def _kept(self, trial: TrialRecord, stem: str) -> Image | None:
        files = self._elsewhere.files(trial)
        return next((image for kind in KINDS if (image := _image(files.get(f"{stem}.{kind}"))) is not None), None)

    def _drawn(self, trial: TrialRecord) -> Image | None:
        """Made now, of generators on this machine."""
        file = self._work.run(*trial.run_of(self._facts.study)) / GENERATORS_FILE
        if not file.is_file():
            return None
        from colgan_search.api import figure_images
        from colgan_search.api.figure_rivals import Weights
        from colgan_search.figures.samples import samples_figure
        from colgan_search.figures.saving import figure_bytes

        config = self._facts.config
        try:
            own = figure_images.networks(Weights(self._facts.study, file), config, config.k)
            images = [figure_images.images(network, LATENTS) for network in own]
        except ColganError:
            return None  # a file of a past version, or cut short: the next run's will do
        scores = trial.of(config.objective.number) or ()
        titles = [f"G{at} ({score_text(score)})" for at, score in enumerate(scores, start=1)]
        return "png", figure_bytes(samples_figure(images, titles), "png")


def _image(content: bytes | None) -> Image | None:
    """The content if it is a whole picture of these kinds: others may write to a database."""
    if content is None:
        return None
    import PIL.Image

    try:
        with PIL.Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
            kind = "png" if picture.format == "PNG" else "jpg"
            picture.verify()
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError):
        return None
    return kind, content
