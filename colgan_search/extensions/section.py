"""Sections of a config, and sections whose fields depend on the name that they give."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from colgan_search.errors import PluginError, UnknownMember
from colgan_search.registry import Registry


class Section(BaseModel):
    """A part of the config: frozen, strict about types, closed to unknown keys and to NaN and Inf."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class HasSettings(Protocol):
    """A member whose settings are a section."""

    @property
    def settings(self) -> type[Section]:
        """The model of its settings."""


S = TypeVar("S", bound=HasSettings)


def chosen_by(registry: Registry[S], key: str, usual: str | None) -> Callable[[Any, ValidationInfo], Any]:
    """A pydantic validator: a mapping becomes the settings model of the member that its `key` names, or of `usual`
    if there is one.

    What is no such mapping passes on, and pydantic says what is wrong.
    """

    def choose(value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, Mapping):
            return value
        if usual is None and key not in value:
            raise _wrong(registry, key, "missing", value)
        if not isinstance(value.get(key, usual), str):
            return value
        name = value.get(key, usual)
        try:
            member_settings(registry, name)
        except ValueError as error:  # said of the key, not of the whole section
            unknown = PydanticCustomError("unknown_member", "{said}", {"said": str(error)})
            raise _wrong(registry, key, unknown, name) from None
        return settle(registry, name, {**value, key: name}, info)

    return choose


def _wrong(registry: Registry[S], key: str, what: str | PydanticCustomError, value: Any) -> ValidationError:
    """An error of the field `key` alone."""
    details = InitErrorDetails(type=what, loc=(key,), input=value)
    return ValidationError.from_exception_data(registry.kind, [details])


def settings_of(registry: Registry[S], key: str) -> Callable[[Any, ValidationInfo], Any]:
    """A pydantic validator: a mapping becomes the settings model of the member that the field `key` before it names."""

    def choose(value: Any, info: ValidationInfo) -> Any:
        name = info.data.get(key)
        if not isinstance(value, Mapping | BaseModel):
            return value  # pydantic says what is wrong
        if name is None:
            return Section()  # the field `key` is wrong itself, which is enough
        if isinstance(value, BaseModel):
            value = value.model_dump()
        return settle(registry, name, value, info)

    return choose


def known_name(registry: Registry[S]) -> Callable[[str], str]:
    """A pydantic validator: a text that is the name of a member, which can be loaded."""

    def check(value: str) -> str:
        member_settings(registry, value)
        return value

    return check


def settle(registry: Registry[S], name: str, value: Mapping[str, Any], info: ValidationInfo) -> Section:
    """The settings model of the member `name`, filled with `value`. ValueError for an unknown name."""
    model = member_settings(registry, name)
    # Strict types take lists for tuples only in JSON.
    return model.model_validate_json(json.dumps(value)) if info.mode == "json" else model.model_validate(value)


def member_settings(registry: Registry[S], name: str) -> type[Section]:
    """The settings model of the member `name`; ValueError, as pydantic wants it, for an unknown name."""
    try:
        return registry.get(name).settings
    except (UnknownMember, PluginError) as error:
        raise ValueError(str(error)) from None
