"""Registries: what is built in and what installed packages bring pass the same checks."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from colgan_search.errors import PluginError, UnknownMember
from colgan_search.registry import Origin, Registry

GROUP = "colgan_search_test.colours"


@dataclass(frozen=True)
class Colour:
    name: str


RED = Colour("red")
BLUE = Colour("blue")
NOT_A_COLOUR = "green"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("colours_")]:
        del sys.modules[name]


def install(folder: Path, package: str, version: str = "1.0", code: str = "", **points: str) -> None:
    """What pip leaves of a package with these entry points."""
    info = folder / f"{package}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    lines = [f"{name.replace('__', '-')} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]))
    (folder / f"{package}.py").write_text(f"from tests.unit.test_registry import Colour\n{code}\n")


def colours() -> "Registry[Colour]":
    return Registry("colour", GROUP, Colour, {"red": "tests.unit.test_registry:RED"})


def test_what_is_built_in_is_loaded_once_by_name() -> None:
    registry = colours()
    assert registry.names() == ("red",) and "red" in registry and "blue" not in registry
    assert registry.get("red") is RED and list(registry) == [RED]
    assert registry.origin("red") is None


def test_an_unknown_name_lists_the_known() -> None:
    registry = Registry("colour", GROUP, Colour, {n: f"tests.unit.test_registry:{n.upper()}" for n in ("red", "blue")})
    for ask in (registry.get, registry.origin):
        with pytest.raises(UnknownMember, match="unknown colour 'pink'; known are: red, blue"):
            ask("pink")


def test_an_installed_package_adds_a_member(installed: Path) -> None:
    install(installed, "colours_more", "2.3", "PINK = Colour('pink')", pink="colours_more:PINK")
    registry = colours()
    assert registry.names() == ("red", "pink")
    assert registry.get("pink") == Colour("pink")
    assert registry.origin("pink") == Origin("colours_more", "2.3")
    assert str(registry.origin("pink")) == "colours_more 2.3"


@pytest.mark.parametrize(
    ("code", "point", "said"),
    [
        ("PINK = 'pink'", "PINK", "'pink' of colours_bad 1.0 is a str, where a Colour is wanted (colours_bad:PINK)"),
        ("PINK = Colour('rose')", "PINK", "'pink' of colours_bad 1.0 calls itself 'rose'"),
        (
            "import not_there",
            "PINK",
            "'pink' of colours_bad 1.0 cannot be loaded: ModuleNotFoundError: No module named",
        ),
        ("", "PINK", "'pink' of colours_bad 1.0 cannot be loaded: AttributeError"),
        ("raise RuntimeError('a\\nb')", "PINK", "cannot be loaded: RuntimeError: a b"),
        ("import sys; sys.exit('bye')", "PINK", "'pink' of colours_bad 1.0 cannot be loaded: SystemExit: bye"),
    ],
)
def test_a_member_that_cannot_be_used_is_named_with_its_package(
    installed: Path, code: str, point: str, said: str
) -> None:
    install(installed, "colours_bad", code=code, pink=f"colours_bad:{point}")
    registry = colours()
    assert registry.names() == ("red", "pink")  # listing loads nothing
    with pytest.raises(PluginError, match=re.escape(said)):
        registry.get("pink")
    assert registry.get("red") is RED


def test_a_name_that_two_packages_bring_is_refused_when_it_is_asked_for(installed: Path) -> None:
    install(installed, "colours_a", code="PINK = Colour('pink')", pink="colours_a:PINK")
    install(installed, "colours_b", code="PINK = Colour('pink')", pink="colours_b:PINK")
    registry = colours()
    for ask in (registry.get, registry.origin):
        with pytest.raises(
            PluginError, match=r"colours_b 1\.0 brings the colour 'pink', which colours_a 1\.0 has already"
        ):
            ask("pink")
    assert registry.get("red") is RED


def test_a_package_cannot_take_a_built_in_name(installed: Path, caplog: pytest.LogCaptureFixture) -> None:
    install(installed, "colours_a", code="RED = Colour('red')", red="colours_a:RED")
    registry = colours()
    assert registry.get("red") is RED and registry.origin("red") is None
    assert "colours_a 1.0 brings the colour 'red': left out; it is built in" in caplog.text


@pytest.mark.parametrize("name", ["Pink", "p/nk", "..", "-pink", "1pink"])
def test_a_name_that_is_not_plain_is_left_out(installed: Path, caplog: pytest.LogCaptureFixture, name: str) -> None:
    install(installed, "colours_a", **{name: "colours_a:PINK"})
    registry = colours()
    assert registry.names() == ("red",) and registry.get("red") is RED
    assert f"colours_a 1.0 brings the colour {name!r}: left out; names are small letters" in caplog.text
