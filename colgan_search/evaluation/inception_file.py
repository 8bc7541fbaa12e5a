"""The file of Inception's weights: its address and its place. Does not import torch-fidelity, which takes a second."""

from pathlib import Path

import torch

from colgan_search.extensions.datasets import Remote

WEIGHTS = Remote(
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    95_628_359,
)
"""torch-fidelity's file, at its own address; the first digits of its SHA-256 are in its name."""


def hub_path() -> Path:
    """Where torch keeps the downloaded weights."""
    return Path(torch.hub.get_dir(), "checkpoints", WEIGHTS.name)
