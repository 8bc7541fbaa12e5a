"""What is known to be wrong with the scores of past versions: why they must not stand beside this one's."""

from collections.abc import Mapping

WRONG_SCORES: Mapping[str, str] = {
    "0.1.0": "0.1.0 trained image transfer with equation 5 without its norm, so its scores of image transfer are not "
    "those of the paper's loss",
}
"""Released version -> what was wrong with its scores, as part of a sentence."""


def wrong_with(version: object) -> str:
    """`: what was wrong` to end a phrase about scores of `version`; empty if nothing is known to be."""
    known = WRONG_SCORES.get(version) if isinstance(version, str) else None
    return "" if known is None else f": {known}"
