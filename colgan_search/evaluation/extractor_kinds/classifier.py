"""`classifier`: a small CNN, trained once on the study's own labelled images; see `evaluation.classifier`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from colgan_search.extensions.extractors import ExtractorKind, Readiness

if TYPE_CHECKING:
    import torch

    from colgan_search.config import EvaluationSettings
    from colgan_search.evaluation.extractors import Extractor
    from colgan_search.images import RealImages


class Classifier(ExtractorKind):
    """One for all workers of a study, whoever trained it."""

    name = "classifier"
    needs_classes = True
    trained = True

    def awaited(self) -> str:
        """The first worker trains it."""
        return "the classifier that scores, trained by the first of them"

    def ready(self, settings: "EvaluationSettings", real: "RealImages | None", caches: tuple[Path, ...]) -> Readiness:
        """How good it is, if it is trained already. DataError if it is worth nothing."""
        from colgan_search.evaluation.classifier_card import poor, require_worth
        from colgan_search.evaluation.classifier_files import known_card

        card = None if real is None else known_card(real, settings.classifier_epochs, caches)
        if card is None:
            return Readiness("the classifier is trained by the first worker, or taken from the cache")
        require_worth(card)
        if (doubt := poor(card.held_out_accuracy)) is not None:
            return Readiness(doubt, False, "look at the images first: are there enough, in the right folders?")
        return Readiness(f"the classifier is right on {100 * card.held_out_accuracy:.1f} % of held-out images")

    def load(
        self,
        settings: "EvaluationSettings",
        real: "RealImages",
        cache: Path,
        device: "torch.device",
        should_stop: Callable[[], bool],
    ) -> "Extractor":
        """Trained here if it is not in `cache`."""
        from colgan_search.evaluation.classifier import load_classifier
        from colgan_search.evaluation.extractors import Extractor

        module, card = load_classifier(real, settings.classifier_epochs, cache, device, should_stop)
        return Extractor(self.name, card.weights_digest, module, colour_only=False, card=card)


CLASSIFIER = Classifier()
