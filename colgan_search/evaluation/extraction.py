"""Many images through an extractor in batches that shrink when memory runs out."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from colgan_search.errors import Diverged, Interrupted, OutOfMemory, first_line
from colgan_search.evaluation.extractors import Extractor
from colgan_search.files import never
from colgan_search.images import all_finite
from colgan_search.long_work import tell
from colgan_search.records import ShouldStop

log = logging.getLogger(__name__)

Source = Callable[[int, int], Tensor]
"""(start, stop) -> the images start..stop-1 as uint8 [stop - start, C, S, S] on the extractor's device."""


@dataclass
class Extraction:
    """Runs an extractor over any number of images; `batch` halves when the device's memory runs out."""

    extractor: Extractor
    batch: int

    @property
    def at_once(self) -> int:
        """Images of a full pass through the extractor."""
        return min(self.batch, self.extractor.group or self.batch)

    def run(
        self, source: Source, count: int, what: str, *, features: bool, should_stop: ShouldStop = never
    ) -> tuple[Tensor | None, Tensor]:
        """Features [count, F] on the CPU (None unless wanted) and logits [count, classes] on the device.

        `what` names the images in errors, e.g. `G2`. Interrupted if `should_stop` turns true between groups;
        Diverged if a feature or logit is not finite; OutOfMemory if a single image is too much for the memory.
        """
        kept_features: list[Tensor] = []
        kept_logits: list[Tensor] = []
        fault: str | None = None
        done = 0

        def look(at: int) -> None:
            if should_stop():
                raise Interrupted(f"stopped while scoring {what} ({at} of {count} images)")

        while done < count:
            look(done)
            tell(f"scoring {what}", done, count)
            stop = min(done + self.batch, count)
            try:
                found = self._in_groups(source(done, stop), done, look)
                fault = None
            except torch.OutOfMemoryError as error:
                fault = first_line(error)
            # outside `except`, where the failed attempt's tensors are no longer held by its traceback
            if fault is not None:
                self._shrink(what, fault)
                continue
            if features:
                kept_features.append(found[0].cpu())
            kept_logits.append(found[1])
            done = stop
        tell(f"scoring {what}", done, count)
        all_features = torch.cat(kept_features) if features else None
        logits = torch.cat(kept_logits)
        for name, values in (("features", all_features), ("logits", logits)):
            if values is not None and not all_finite(values):
                raise Diverged(f"{what}: the extractor's {name} of its images are not finite")
        return all_features, logits

    def _in_groups(self, images: Tensor, first: int, look: Callable[[int], None]) -> tuple[Tensor, Tensor]:
        """Features and logits of one batch; `look` is asked between two groups, told how many images are done."""
        parts: list[tuple[Tensor, Tensor]] = []
        at = first
        for group in torch.split(images, self.extractor.group or len(images)):
            if parts:
                look(at)
            parts.append(self.extractor(group))
            at += len(group)
        features, logits = (torch.cat(one) for one in zip(*parts, strict=True))
        return features, logits

    def _shrink(self, what: str, fault: str) -> None:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if self.batch == 1:
            raise OutOfMemory(f"{what}: out of memory while scoring a single image ({fault})")
        self.batch //= 2
        log.warning("%s: out of memory while scoring; going on with batches of %d images", what, self.batch)
