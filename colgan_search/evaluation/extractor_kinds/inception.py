"""`inception`: torch-fidelity's port of the original InceptionV3 (section 4.1); see `evaluation.inception`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from colgan_search.extensions.datasets import Remote
from colgan_search.extensions.extractors import ExtractorKind, Readiness

if TYPE_CHECKING:
    import torch

    from colgan_search.config import EvaluationSettings
    from colgan_search.evaluation.extractors import Extractor
    from colgan_search.images import RealImages


class Inception(ExtractorKind):
    """Its weights are a file: `evaluation.weights`, or a download."""

    name = "inception"
    reads_weights = True

    def remote(self) -> Remote:
        """torch-fidelity's file; the first digits of its SHA-256 are in its name."""
        from colgan_search.evaluation.inception_file import WEIGHTS

        return WEIGHTS

    def ready(self, settings: "EvaluationSettings", real: "RealImages | None", caches: tuple[Path, ...]) -> Readiness:
        """Whether the weights are there and whole."""
        from colgan_search.evaluation.inception import load_inception
        from colgan_search.evaluation.inception_file import hub_path

        named = settings.weights
        path = Path(named).expanduser() if named is not None else hub_path()
        if not path.exists() and named is None:
            advice = "the first worker downloads them; without internet see `prepare`, or `weights`"
            return Readiness(f"no Inception weights at {path}", False, advice)
        _, digest = load_inception(path)
        return Readiness(f"Inception at {path}, digest {digest}")

    def load(
        self,
        settings: "EvaluationSettings",
        real: "RealImages",
        cache: Path,
        device: "torch.device",
        should_stop: Callable[[], bool],
    ) -> "Extractor":
        """Grey images are repeated to three channels. On a GPU it is torch-fidelity's own module."""
        from colgan_search.evaluation.extractors import Extractor
        from colgan_search.evaluation.fused_inception import GROUP, FusedInception
        from colgan_search.evaluation.inception import load_inception

        weights = Path(settings.weights).expanduser() if settings.weights is not None else None
        module, digest = load_inception(weights, should_stop)
        # What the fused one gains on a GPU, and by how much scores move there with TF32, has not been measured.
        if device.type == "cpu":
            return Extractor(self.name, digest, FusedInception(module), colour_only=True, group=GROUP)
        return Extractor(self.name, digest, module.to(device), colour_only=True)


INCEPTION = Inception()
