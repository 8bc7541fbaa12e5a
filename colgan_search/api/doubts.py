"""What is to be said of a study's scores before anybody believes them."""

from colgan_search.evaluation.classifier_card import poor
from colgan_search.extensions.extractors import EXTRACTORS
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.shared_files import SharedFiles


def doubt(study: OpenStudy) -> str | None:
    """One line if the study's classifier is a poor judge; None if it is useful, not trained yet, or not used."""
    if not EXTRACTORS.get(study.config.evaluation.extractor).trained:
        return None
    return poor(SharedFiles(study).classifier_accuracy())
