"""Scores of generators (section 4.1): one extraction of features and logits, and every chosen metric of them."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from colgan_search.config import EvaluationSettings
from colgan_search.errors import DataError, Diverged, PluginError
from colgan_search.evaluation.extraction import Extraction, Source
from colgan_search.evaluation.extractors import load_extractor
from colgan_search.evaluation.fid import Statistics, reference_statistics
from colgan_search.extensions.metrics import METRICS, MetricSettings, Need, Samples
from colgan_search.files import never
from colgan_search.images import RealImages, all_finite, to_bytes
from colgan_search.records import MAX_IS, GeneratorScore, Objective, Protocol, Scores, ShouldStop
from colgan_search.seeds import derive_seed

OF_REAL = frozenset({Need.REAL_FEATURES, Need.REFERENCE})


class Evaluator:
    """Scores generators against `real`; keeps one extractor on `device` for as many trainings as come.

    `cache` is a folder that all workers of this machine share (`WorkFolder.cache`).
    DataError if the extractor's weights cannot be had; Interrupted if `should_stop` turns true meanwhile.
    """

    def __init__(
        self,
        settings: EvaluationSettings,
        real: RealImages,
        cache: Path,
        device: torch.device,
        *,
        objective: Objective = MAX_IS,
        should_stop: ShouldStop = never,
    ) -> None:
        self.settings = settings
        self.objective = objective
        self.real = real
        self.cache = cache
        self.device = device
        self.further: tuple[MetricSettings, ...] = ()
        """Metrics that are measured as well, but are no part of the scores and of their protocol."""
        self.on_further: Callable[[dict[str, float]], None] = lambda numbers: None
        """Is handed what they measure of every set of images."""
        self.extractor = load_extractor(settings, real, cache, device, should_stop)
        self._extraction = Extraction(self.extractor, settings.batch)
        self._real_digest = real.digest
        self._reference: Statistics | None = None
        self._reference_root: Tensor | None = None
        self._real_features: Tensor | None = None
        for one in self._chosen():
            METRICS.get(one.name).check(one, settings.images, len(real.images))

    def protocol(self, *, interim: bool = False) -> Protocol:
        """How `score` measures at the end of a training, or `interim`: fewer images, 1 split, IS and the objective."""
        if interim:
            return self._protocol(self.settings.interim_images, 1, self._chosen(interim=True))
        return self._protocol(self.settings.images, self.settings.splits, self._chosen())

    def images_protocol(self, images: int) -> Protocol:
        """How `score_images` measures so many images."""
        return self._protocol(images, self.settings.splits, self._chosen())

    def score(
        self,
        generators: Sequence[nn.Module],
        z_size: int,
        *,
        seed: int,
        interim: bool = False,
        should_stop: ShouldStop = never,
    ) -> Scores:
        """The scores of G1..Gk: modules on `device` from z [N, z_size] to images [N, C, S, S] in [-1, 1].

        The z of generator i are N(0, 1) from `seed` and i alone: the same whatever the batch and the device.
        Generators are in eval mode meanwhile; their modes, parameters and buffers and torch's global random
        state are afterwards what they were. Interrupted if `should_stop` turns true between two batches;
        Diverged if an image, a logit or a score is not finite; OutOfMemory if one image is too much for the
        memory; DataError if the images are not of the real ones' shape.
        """
        protocol, chosen = self.protocol(interim=interim), self._chosen(interim=interim)
        found = []
        for number, generator in enumerate(generators, start=1):
            what = f"G{number}"
            with _eval_mode(generator), torch.no_grad():
                source = self._generated(generator, z_size, protocol.images, derive_seed(seed, "score", number), what)
                found.append(self._measure(source, protocol, chosen, what, should_stop))
        # Smaller than at the beginning where memory ran out meanwhile.
        protocol = protocol.model_copy(update={"batch": self._extraction.at_once})
        return Scores(generators=tuple(found), protocol=protocol, objective=self.objective)

    def score_images(
        self, images: Tensor, *, what: str = "the images", should_stop: ShouldStop = never
    ) -> GeneratorScore:
        """The score of given images, uint8 [N, C, S, S] like the real ones, under `images_protocol(N)`.

        DataError if their type or shape is not the real images', or if they are fewer than 2 or the splits.
        """
        self._require_fit(images, what)
        protocol = self.images_protocol(len(images))
        if len(images) < max(2, protocol.splits):
            raise DataError(
                f"{what}: {len(images)} are too few; {protocol.splits} splits need {max(2, protocol.splits)}"
            )
        return self._measure(
            lambda start, stop: images[start:stop].to(self.device), protocol, self._chosen(), what, should_stop
        )

    def features(self, images: Tensor, what: str, should_stop: ShouldStop = never) -> Tensor:
        """The features [N, F] of images, uint8 [N, C, S, S] like the real ones, on the CPU. `what`: as in errors."""
        found, _ = self._extraction.run(
            lambda start, stop: images[start:stop].to(self.device),
            len(images),
            what,
            features=True,
            should_stop=should_stop,
        )
        assert found is not None  # they were asked for
        return found

    def _chosen(self, *, interim: bool = False) -> list[MetricSettings]:
        """The metrics that are measured: IS, FID if asked for, and the others; `interim`: IS and the objective."""
        fid = [METRICS.get("fid").settings(name="fid")] if self.settings.fid else []
        further = [*fid, *self.settings.metrics]
        if interim:
            further = [settings for settings in further if settings.name == self.objective.metric]
        return [METRICS.get("is").settings(name="is"), *further]

    def _protocol(self, images: int, splits: int, chosen: Sequence[MetricSettings]) -> Protocol:
        _, channels, side, _ = self.real.images.shape
        against_real = any(METRICS.get(settings.name).needs & OF_REAL for settings in chosen)
        reference = f"{self.real.name}:{len(self.real.images)}:{self._real_digest}" if against_real else None
        return Protocol(
            extractor=self.extractor.name,
            weights_digest=self.extractor.weights_digest,
            resolution=side,
            channels=channels,
            images=images,
            splits=splits,
            reference=reference,
            metrics={one.name: _recorded(one) for one in chosen if one.name not in ("is", "fid")},
            dtype=self.extractor.dtype,
            tf32=self.extractor.tf32,
            batch=self._extraction.at_once,
        )

    def _generated(self, generator: nn.Module, z_size: int, count: int, seed: int, what: str) -> Source:
        """The generator's images as bytes."""
        z = torch.randn(count, z_size, generator=torch.Generator().manual_seed(seed))

        def source(start: int, stop: int) -> Tensor:
            pixels = generator(z[start:stop].to(self.device))
            if not all_finite(pixels):
                raise Diverged(f"{what}: an image among {start}..{stop - 1} of {count} is not finite")
            images = to_bytes(pixels)
            self._require_fit(images, what)
            return images

        return source

    def _measure(
        self,
        source: Source,
        protocol: Protocol,
        chosen: Sequence[MetricSettings],
        what: str,
        should_stop: ShouldStop,
    ) -> GeneratorScore:
        """Every chosen metric, and those of `further`, of `protocol.images` images."""
        needs = {need for one in (*chosen, *self.further) for need in METRICS.get(one.name).needs}
        if Need.REFERENCE in needs and self._reference is None:
            self._reference = reference_statistics(
                self._extraction, self.real, self._real_digest, self.cache, should_stop
            )
        if Need.REAL_FEATURES in needs and self._real_features is None:
            self._real_features = self.features(self.real.images, f"the real images {self.real.name}", should_stop)
        features, logits = self._extraction.run(
            source, protocol.images, what, features=bool(needs), should_stop=should_stop
        )
        samples = Samples(
            what, protocol.splits, logits, features, self._real_features, self._reference, self._reference_root
        )
        if self.further:
            self.on_further(_numbers(self.further, samples))
        numbers = _numbers(chosen, samples)
        self._reference_root = samples.reference_root
        return GeneratorScore(metrics=numbers)

    def _require_fit(self, images: Tensor, what: str) -> None:
        expected = self.real.images.shape[1:]
        if images.dtype != torch.uint8 or images.shape[1:] != expected:
            raise DataError(
                f"{what}: images {images.dtype} {list(images.shape)} do not fit the real ones: "
                f"expected uint8 [N, {', '.join(map(str, expected))}]"
            )


@contextmanager
def _eval_mode(module: nn.Module) -> Iterator[None]:
    """Eval mode inside the block; afterwards every submodule has the mode that it had."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _numbers(chosen: Sequence[MetricSettings], samples: Samples) -> dict[str, float]:
    """What the metrics measure, by name. Diverged if a number is not finite, PluginError if a metric leaves one out."""
    found: dict[str, float] = {}
    for one in chosen:
        metric = METRICS.get(one.name)
        measured = metric.compute(one, samples)
        if set(measured) != set(metric.numbers):
            raise PluginError(
                f"the metric {one.name!r} measures {', '.join(measured) or 'nothing'}, where "
                f"{', '.join(metric.numbers)} was said"
            )
        for name in metric.numbers:
            if not math.isfinite(measured[name]):
                raise Diverged(f"{samples.what}: its {name} is {measured[name]}")
            found[name] = float(measured[name])
    return found


def _recorded(settings: MetricSettings) -> dict[str, Any]:
    """What must be equal for this metric's numbers to be comparable."""
    origin = METRICS.origin(settings.name)
    package = {} if origin is None else {"package": str(origin)}
    return settings.model_dump(mode="json", exclude={"name"}) | package
