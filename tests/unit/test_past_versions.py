"""What is wrong with the scores of past versions: the changelog and the list agree."""

import re
from pathlib import Path

from packaging.version import Version

from colgan_search import __version__
from colgan_search.past_versions import WRONG_SCORES, wrong_with

CHANGELOG = (Path(__file__).parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_version_before_a_change_of_scores_says_what_was_wrong() -> None:
    sections = re.split(r"^## (\d[\w.]*).*$", CHANGELOG, flags=re.MULTILINE)[1:]
    changes = {Version(name): text for name, text in zip(sections[::2], sections[1::2], strict=True)}
    assert max(changes) == Version(__version__)
    last = max(version for version, text in changes.items() if "- **scores**" in text)
    assert {Version(name) for name in WRONG_SCORES} == {version for version in changes if version < last}


def test_what_is_said() -> None:
    assert wrong_with("0.1.0").startswith(": 0.1.0 trained image transfer with equation 5 without its norm")
    assert wrong_with(__version__) == wrong_with("0.0.1") == wrong_with(None) == wrong_with(["0.1.0"]) == ""
