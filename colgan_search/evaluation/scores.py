"""Inception score and FID of generators (section 4.1), by torch-fidelity's own formulas."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, KEY_METRIC_ISC_STD, isc_features_to_metric

from colgan_search.config import EvaluationSettings
from colgan_search.errors import DataError, Diverged
from colgan_search.evaluation.extraction import Extraction, Source
from colgan_search.evaluation.extractors import load_extractor
from colgan_search.evaluation.fid import Statistics, feature_statistics, frechet_distance, reference_statistics
from colgan_search.files import never
from colgan_search.images import RealImages, to_bytes
from colgan_search.records import GeneratorScore, Protocol, Scores, ShouldStop
from colgan_search.seeds import derive_seed


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
        should_stop: ShouldStop = never,
    ) -> None:
        self.settings = settings
        self.real = real
        self.cache = cache
        self.device = device
        self.on_features: Callable[[Tensor], None] | None = None
        """If set, it is handed the features [N, F] of every set of images that is measured, for further scores."""
        self.extractor = load_extractor(settings, real, cache, device, should_stop)
        self._extraction = Extraction(self.extractor, settings.batch)
        self._real_digest = real.digest
        self._reference: Statistics | None = None

    def protocol(self, *, interim: bool = False) -> Protocol:
        """How `score` measures at the end of a training, or `interim`: fewer images, 1 split, no FID."""
        if interim:
            return self._protocol(self.settings.interim_images, 1, fid=False)
        return self._protocol(self.settings.images, self.settings.splits, fid=self.settings.fid)

    def images_protocol(self, images: int) -> Protocol:
        """How `score_images` measures so many images."""
        return self._protocol(images, self.settings.splits, fid=self.settings.fid)

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
        Diverged if an image, a logit or a score is not finite; TrialFault if one image is too much for the
        memory; DataError if the images are not of the real ones' shape.
        """
        protocol = self.protocol(interim=interim)
        found = []
        for number, generator in enumerate(generators, start=1):
            what = f"G{number}"
            with _eval_mode(generator), torch.no_grad():
                source = self._generated(generator, z_size, protocol.images, derive_seed(seed, "score", number), what)
                found.append(self._measure(source, protocol, what, should_stop))
        return Scores(generators=tuple(found), protocol=protocol)

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
        return self._measure(lambda start, stop: images[start:stop].to(self.device), protocol, what, should_stop)

    def _protocol(self, images: int, splits: int, *, fid: bool) -> Protocol:
        _, channels, side, _ = self.real.images.shape
        reference = f"{self.real.name}:{len(self.real.images)}:{self._real_digest}" if fid else None
        return Protocol(
            extractor=self.extractor.name,
            weights_digest=self.extractor.weights_digest,
            resolution=side,
            channels=channels,
            images=images,
            splits=splits,
            reference=reference,
        )

    def _generated(self, generator: nn.Module, z_size: int, count: int, seed: int, what: str) -> Source:
        """The generator's images as bytes."""
        z = torch.randn(count, z_size, generator=torch.Generator().manual_seed(seed))

        def source(start: int, stop: int) -> Tensor:
            pixels = generator(z[start:stop].to(self.device))
            if not pixels.isfinite().all():
                raise Diverged(f"{what}: an image among {start}..{stop - 1} of {count} is not finite")
            images = to_bytes(pixels)
            self._require_fit(images, what)
            return images

        return source

    def _measure(self, source: Source, protocol: Protocol, what: str, should_stop: ShouldStop) -> GeneratorScore:
        """IS, and FID if the protocol has a reference, of `protocol.images` images."""
        against_real = protocol.reference is not None
        if against_real and self._reference is None:
            self._reference = reference_statistics(
                self._extraction, self.real, self._real_digest, self.cache, should_stop
            )
        wanted = against_real or self.on_features is not None
        features, logits = self._extraction.run(source, protocol.images, what, features=wanted, should_stop=should_stop)
        if features is not None and self.on_features is not None:
            self.on_features(features)
        inception = _inception_score(logits, protocol.splits)
        return GeneratorScore(
            is_mean=_at_least(1.0, inception[KEY_METRIC_ISC_MEAN], "inception score", what),
            is_std=_at_least(0.0, inception[KEY_METRIC_ISC_STD], "inception score's deviation", what),
            fid=_fid(features, self._reference, what) if against_real and features is not None else None,
        )

    def _require_fit(self, images: Tensor, what: str) -> None:
        expected = self.real.images.shape[1:]
        if images.dtype != torch.uint8 or images.shape[1:] != expected:
            raise DataError(
                f"{what}: images {images.dtype} {list(images.shape)} do not fit the real ones: "
                f"expected uint8 [N, {', '.join(map(str, expected))}]"
            )


def _inception_score(logits: Tensor, splits: int) -> dict[str, float]:
    """On the device of the logits, or on the CPU if its memory is too small for their float64 copies."""
    try:
        score: dict[str, float] = isc_features_to_metric(logits, splits)
    except torch.OutOfMemoryError:
        score = isc_features_to_metric(logits.cpu(), splits)
    return score


def _fid(features: Tensor, reference: Statistics | None, what: str) -> float:
    assert reference is not None  # it is computed before any features
    try:
        value = frechet_distance(feature_statistics(features), reference)
    except np.linalg.LinAlgError as error:
        raise Diverged(f"{what}: its FID cannot be computed: {error}") from error
    return _at_least(0.0, value, "FID", what)


def _at_least(floor: float, value: float, name: str, what: str) -> float:
    """The value, lifted to the floor that rounding can leave by a hair; Diverged if it is not finite."""
    if not math.isfinite(value):
        raise Diverged(f"{what}: its {name} is {value}")
    return max(floor, value)


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
