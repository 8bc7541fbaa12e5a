"""Shipped configs of the paper: what the paper does not give is marked as our reading where it is set."""

import re
from pathlib import Path

import pytest

from colgan_search.config import load_config, shipped_configs
from colgan_search.gan.networks import dcgan_modules

NOT_IN_THE_PAPER = (
    "width",
    "learning_rate",
    "betas",
    "discriminator_steps",
    "real_batches",
    "ramp",
    "maps",
    "reduction",
    "detach_teacher",
    "every_epochs",
    "interim_images",
)
PAPER = {name: path for name, path in shipped_configs().items() if name.startswith("paper") or name == "cifar10"}


def unmarked(path: Path) -> list[str]:
    """The keys that are set without `our reading` in their line or in the comment right above it."""
    found, comment = [], ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            comment += line.lower()
            continue
        marked = "our reading" in comment + line.partition("#")[2].lower()
        keys = [key for key in NOT_IN_THE_PAPER if re.search(rf"\b{key}:", line)]
        keys += ["sampler"] if re.search(r"sampler: (tpe|repeat)", line) else []
        found += [] if marked else keys
        comment = ""
    return found


@pytest.mark.parametrize("name", PAPER)
def test_what_the_paper_does_not_give_is_marked(name: str) -> None:
    assert unmarked(PAPER[name]) == []
    text = PAPER[name].read_text(encoding="utf-8")
    if load_config(name).search.sampler == "repeat":
        assert "Our reading: 5 trials" in text and "trials: 5}" in text


def test_all_of_them_are_looked_at(tmp_path: Path) -> None:
    assert len(PAPER) == 19
    assert len(set(PAPER.values())) == 18  # Table 3's proposed row is the study cifar10
    path = tmp_path / "a.yaml"
    path.write_text(
        "# Our reading: width\nnetwork: {width: 64}\ntraining: {betas: [0.5, 0.999]}\nsearch: {sampler: tpe}"
    )
    assert unmarked(path) == ["betas", "sampler"]


def test_the_networks_readings_are_named() -> None:
    said = " ".join((dcgan_modules.__doc__ or "").split())
    for reading in ("Our reading", "LeakyReLU with slope 0.2", "N(1, 0.02)", "one power iteration"):
        assert reading in said
