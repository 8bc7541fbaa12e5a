"""Extension points: members by name, built in or found through the entry points of installed packages.

A registry is one entry point group. What is built in is named there in the same form, `module:attribute`, and passes
the same checks; it is loaded when it is asked for.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from colgan_search.errors import PluginError, UnknownMember

log = logging.getLogger(__name__)
M = TypeVar("M")

NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
"""What a member can be called: its name stands in configs, texts and databases."""


@dataclass(frozen=True)
class Origin:
    """The installed package that brings a member."""

    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


class Registry(Generic[M]):
    """The members of one extension point, by name; every name that it does not know is an error."""

    def __init__(self, kind: str, group: str, member: type[M], builtin: Mapping[str, str]) -> None:
        """`kind`: a member in words ("gate"); `group`: of the entry points; `builtin`: name -> `module:attribute`."""
        self.kind = kind
        self.group = group
        self._member = member
        self._builtin = {name: EntryPoint(name, value, group) for name, value in builtin.items()}
        self._loaded: dict[str, M] = {}
        self._disputed: dict[str, str] = {}

    @cached_property
    def _points(self) -> dict[str, EntryPoint]:
        """Every member's entry point: those built in first, the others by name.

        One package must not spoil what others bring: a name that cannot be is left out with a warning, one that two
        packages bring is refused when it is asked for, and what is built in stays what it is.
        """
        points = dict(self._builtin)
        for point in sorted(entry_points(group=self.group), key=lambda point: (point.name, _origin(point))):
            said = f"{_origin(point)} brings the {self.kind} {point.name!r}"
            if NAME.fullmatch(point.name) is None:
                log.warning("%s: left out; names are small letters and digits, with - or _ between them", said)
            elif point.name in self._builtin:
                log.warning("%s: left out; it is built in, and the package must call its own otherwise", said)
            elif point.name in points:
                self._disputed.setdefault(
                    point.name,
                    f"{said}, which {_origin(points[point.name])} has already; one of them must be called otherwise, "
                    "or be uninstalled",
                )
            else:
                points[point.name] = point
        return points

    def names(self) -> tuple[str, ...]:
        """Every known name; nothing is loaded for it."""
        return tuple(self._points)

    def builtin(self) -> tuple[str, ...]:
        """The names of what is built in."""
        return tuple(self._builtin)

    def origin(self, name: str) -> Origin | None:
        """The installed package that brings a known member; None if it is built in."""
        point = self._point(name)
        return None if point.dist is None else Origin(point.dist.name, point.dist.version)

    def get(self, name: str) -> M:
        """The member called `name`. UnknownMember lists the known ones; PluginError if it cannot be loaded."""
        if name not in self._loaded:
            point = self._point(name)
            try:
                found = point.load()
            except (Exception, SystemExit) as error:  # a module that ends the program when it is imported
                said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
                raise PluginError(f"the {self.kind} {name!r} of {_origin(point)} cannot be loaded: {said}") from error
            self._loaded[name] = self._checked(name, found, point)
        return self._loaded[name]

    def unknown(self, name: str) -> UnknownMember:
        """The error for a name that no member has."""
        return UnknownMember(f"unknown {self.kind} {name!r}; known are: {', '.join(self.names())}")

    def __iter__(self) -> Iterator[M]:
        """Every member, loaded."""
        return (self.get(name) for name in self.names())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._points  # what a config has there may be a list

    def _point(self, name: str) -> EntryPoint:
        if name not in self._points:
            raise self.unknown(name)
        if name in self._disputed:
            raise PluginError(self._disputed[name])
        return self._points[name]

    def _checked(self, name: str, found: object, point: EntryPoint) -> M:
        if not isinstance(found, self._member):
            raise PluginError(
                f"the {self.kind} {name!r} of {_origin(point)} is a {type(found).__name__}, where a "
                f"{self._member.__name__} is wanted ({point.value})"
            )
        own = getattr(found, "name", None)
        if own != name:
            raise PluginError(f"the {self.kind} {name!r} of {_origin(point)} calls itself {own!r}; both must agree")
        return found


def _origin(point: EntryPoint) -> str:
    return "colgan-search itself" if point.dist is None else f"{point.dist.name} {point.dist.version}"
