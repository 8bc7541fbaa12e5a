"""Extractors: the judges of generated images, which turn them into features and logits. Built in: `inception`,
`classifier`."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from colgan_search.extensions.datasets import Remote
from colgan_search.extensions.section import Section
from colgan_search.registry import Registry

if TYPE_CHECKING:
    import torch

    from colgan_search.images import RealImages


@dataclass(frozen=True)
class Readiness:
    """Whether an extractor could score at once: one line, and what to do if it is not well."""

    what: str
    ready: bool = True
    advice: str = ""


class ExtractorKind(ABC):
    """One kind of extractor. `settings` below: a config's `evaluation`; its own are its `extractor_settings`."""

    name: ClassVar[str]
    settings: ClassVar[type[Section]] = Section
    needs_classes: ClassVar[bool] = False
    """True = it is made of the real images' classes: two at least."""
    reads_weights: ClassVar[bool] = False
    """True = `evaluation.weights` names a file that it reads."""
    trained: ClassVar[bool] = False
    """True = the first worker of a study trains it, and all workers share it (see `evaluation.classifier`)."""

    def remote(self) -> Remote | None:
        """The file that it downloads if `evaluation.weights` names none; `prepare` fetches it beforehand."""
        return None

    def awaited(self) -> str:
        """What a worker that starts waits for, in words."""
        return f"{self.name} weights"

    def ready(self, settings: Any, real: "RealImages | None", caches: tuple[Path, ...]) -> Readiness:
        """Whether it could score at once. Downloads and trains nothing.

        `caches`: folders where it may lie; `real` None = not to be had. DataError if it cannot score at all.
        """
        return Readiness(f"extractor {self.name}")

    @abstractmethod
    def load(
        self,
        settings: Any,
        real: "RealImages",
        cache: Path,
        device: "torch.device",
        should_stop: Callable[[], bool],
    ) -> Any:
        """The `evaluation.extractors.Extractor` on `device`, in eval mode.

        `cache` is shared by all workers of this machine.

        DataError if its weights cannot be had, or are others; Interrupted if `should_stop` turns true meanwhile.
        """


EXTRACTORS: Registry[ExtractorKind] = Registry(
    "extractor",
    "colgan_search.extractors",
    ExtractorKind,  # type: ignore[type-abstract]
    {
        "inception": "colgan_search.evaluation.extractor_kinds.inception:INCEPTION",
        "classifier": "colgan_search.evaluation.extractor_kinds.classifier:CLASSIFIER",
    },
)
