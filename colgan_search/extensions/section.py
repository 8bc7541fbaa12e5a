"""Sections of a config, and sections whose fields depend on the name that they give."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo
from pydantic_core import PydanticCustomError

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


def chosen_by(registry: Registry[S], key: str, usual: str) -> Callable[[Any, ValidationInfo], Any]:
    """A pydantic validator: a mapping becomes the settings model of the member that its `key` names, or of `usual`.

    What is no such mapping passes on, and pydantic says what is wrong.
    """

    def choose(value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, Mapping) or not isinstance(value.get(key, usual), str):
            return value
        name = value.get(key, usual)
        if name not in registry:
            raise misnamed(registry, key, name)
        return settle(registry, name, {**value, key: name}, info)

    return choose


def misnamed(registry: Registry[S], key: str, name: str) -> ValidationError:
    """What pydantic says of an unknown member, at its own key."""
    unknown = PydanticCustomError("unknown_member", "{said}", {"said": str(registry.unknown(name))})
    return ValidationError.from_exception_data(registry.kind, [{"type": unknown, "loc": (key,), "input": name}])


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
