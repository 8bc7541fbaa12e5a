"""Seeds derived from names, so that no two streams of random numbers are ever the same by accident."""

import hashlib
import json


def derive_seed(seed: int, *names: int | str) -> int:
    """A seed in [0, 2**63) that depends on `seed` and on every name, in order.

    The same arguments give the same seed on every machine and in every version of Python.
    """
    text = json.dumps([seed, *names])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def final_seed(seed: int, epochs: int) -> int:
    """The seed of the generated images that a training of `seed` is scored with when its `epochs` are over."""
    return derive_seed(seed, "evaluation", epochs, "final")


def fresh_seed(seed: int, epochs: int) -> int:
    """The seed of the images that the generator chosen as the best is scored with again (`evaluation.fresh_images`)."""
    return derive_seed(seed, "evaluation", epochs, "fresh")
