"""The config described from its models: a JSON schema for editors; every key with range, default and meaning."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from colgan_search.config.load import NAMED_BESIDE, NAMED_INSIDE
from colgan_search.config.schema import StudyConfig
from colgan_search.extensions.metrics import METRICS, MetricSettings
from colgan_search.gates import Gate
from colgan_search.registry import Registry

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Schema(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """Gates by their names, as a config writes them."""
        if isinstance(dft, tuple):
            return [one.name if isinstance(one, Gate) else one for one in dft]
        return super().encode_default(dft)


def json_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a study config: what YAML editors check and complete by.

    It knows every installed member. What only whole configs can break (rules between keys) it does not know.
    """
    schema = StudyConfig.model_json_schema(schema_generator=_Schema)
    definitions: dict[str, Any] = schema["$defs"]
    for base, registry, key, usual in (*NAMED_INSIDE, (MetricSettings, METRICS, "name", None)):
        refs = [_member(definitions, registry, name, key, required=name != usual) for name in sorted(registry.names())]
        definitions[base.__name__] = {"description": definitions[base.__name__]["description"], "anyOf": refs}
    metrics = definitions["MetricSettings"]
    metrics["anyOf"] = [{"enum": sorted(METRICS.names())}, *metrics["anyOf"]]  # a metric's name alone
    for settings, (registry, beside) in NAMED_BESIDE.items():
        for section in list(definitions.values()):
            if settings in (fields := section.get("properties", {})):
                members = [_member(definitions, registry, name) for name in sorted(registry.names())]
                fields[settings] = {"description": fields[settings]["description"], "anyOf": members}
                fields[beside] |= {"enum": sorted(registry.names())}
    definitions.pop("Section")  # the settings of a member that has none, and now of nobody
    return {"$schema": DIALECT, "title": "colgan-search study config", **schema, "$defs": definitions}


def _member(
    definitions: dict[str, Any], registry: Registry[Any], name: str, key: str | None = None, required: bool = False
) -> dict[str, Any]:
    """A reference to the settings of one member, in which `key` is its name."""
    model = registry.get(name).settings
    own = model.model_json_schema(schema_generator=_Schema)
    definitions.update(own.pop("$defs", {}))
    if key is not None:
        own["properties"][key] = {"const": name}
        rest = [one for one in own.get("required", []) if one != key]
        own["required"] = [key, *rest] if required else rest
    title = f"{registry.kind} {name}"
    definitions[title] = own | {"title": title}
    return {"$ref": f"#/$defs/{title.replace(' ', '%20')}"}


@dataclass(frozen=True)
class Key:
    """One key of a section."""

    name: str
    values: str
    """What it can be, in words: `integer from 1 to 100,000`."""
    default: str
    """As YAML writes it; empty if the key must be given."""
    meaning: str


@dataclass(frozen=True)
class Described:
    """One section of a config."""

    path: str
    """`training`, or `data, name: digits` where a name decides; empty for the top."""
    about: str
    keys: tuple[Key, ...]


def sections() -> list[Described]:
    """Every section, in the order of a config; where a name decides, one for each member."""
    schema = json_schema()
    top = schema["properties"]
    plain = {name: one for name, one in top.items() if "$ref" not in json.dumps(one)}
    found = [_described(schema, "", schema | {"properties": plain})]
    for name, one in top.items():
        for target in _targets(one):
            body = _resolved(schema, target)
            if "properties" in body:
                found.append(_described(schema, name, body))
                found += _members_inside(schema, name, body)
            elif name != "discriminator_transfer":  # its members are those of `transfer`
                found += [_described(schema, name, _resolved(schema, member)) for member in _targets(body)]
    return found


def _members_inside(schema: Mapping[str, Any], section: str, body: Mapping[str, Any]) -> Iterator[Described]:
    """Of the keys that are sections themselves."""
    for key, one in body["properties"].items():
        for target in _targets(one.get("items", one)):
            inside = _resolved(schema, target)
            members = [inside] if "properties" in inside else [_resolved(schema, each) for each in _targets(inside)]
            for member in members:
                if member.get("properties", {}).keys() - {"name"}:
                    yield _described(schema, f"{section}.{key}", member)


def _described(schema: Mapping[str, Any], path: str, body: Mapping[str, Any]) -> Described:
    needed = body.get("required", [])
    keys = tuple(
        Key(name, _values(schema, one), _default(one, name in needed), one.get("description", ""))
        for name, one in body["properties"].items()
        if "const" not in one
    )
    chosen = [f"{name}: {one['const']}" for name, one in body["properties"].items() if "const" in one]
    about = " ".join(str(body.get("description", "")).split())
    of_member = body["title"] if not chosen and "." in path else ""
    return Described(", ".join([part for part in (path, *chosen, of_member) if part]), about, keys)


def _default(one: Mapping[str, Any], needed: bool) -> str:
    if needed or ("default" not in one and "$ref" in one):
        return ""
    return json.dumps(one["default"]) if "default" in one else ""


def _values(schema: Mapping[str, Any], one: Mapping[str, Any]) -> str:
    """What a key can be, in words."""
    if "enum" in one:
        return ", ".join(f"`{value}`" for value in one["enum"])
    if "const" in one:
        return f"`{one['const']}`"
    if "anyOf" in one:
        return " or ".join(dict.fromkeys(_values(schema, part) for part in one["anyOf"]))
    if "$ref" in one:
        return "a section of its own"
    kind = one.get("type", "any")
    if kind == "array":
        each = [_values(schema, part) for part in one.get("prefixItems", [one.get("items", {})])]
        return "list of " + ", ".join(dict.fromkeys(each))
    words: str = {"null": "null", "string": "text", "boolean": "true or false"}.get(kind, kind)
    return words + _range(one)


def _range(one: Mapping[str, Any]) -> str:
    """` from 1 to 10`, ` above 0 and below 1`, or nothing."""
    low = {"minimum": "from {}", "exclusiveMinimum": "above {}"}
    high = {"maximum": "to {}", "exclusiveMaximum": "below {}"}
    ends = [next((text.format(f"{one[key]:,}") for key, text in end.items() if key in one), "") for end in (low, high)]
    return "".join(f" {end}" for end in ends if end)


def _targets(one: Mapping[str, Any]) -> list[str]:
    """The definitions that a key's schema refers to."""
    return [part["$ref"] for part in (one, *one.get("anyOf", ())) if "$ref" in part]


def _resolved(schema: Mapping[str, Any], reference: str) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"][reference.removeprefix("#/$defs/").replace("%20", " ")]
    return found
