"""Writes docs/api.md from signatures and docstrings: `python docs/make_api_reference.py`."""

import ast
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import griffe

import colgan_search

REFERENCE = Path(__file__).with_name("api.md")
HEAD = """# Python

Made by `python docs/make_api_reference.py` from signatures and docstrings; a test keeps it up to date
and runs the example.

`import colgan_search` imports neither PyTorch nor the database: each name is imported at its first use. What is wrong
with what was given is raised as one of the [errors](#errors), with a message that says what would be right.

<!-- example -->
```python
from colgan_search import launch, results, train

study = launch("digits", trials=4, overrides={"training.epochs": 2})
best = study.best()
print(f"IS {best.value:.2f}: {best.graph.to_text()}")
print("\\n".join(best.graph.describe()))

for trial in results("digits")[:3]:
    print(trial.number, trial.value, [round(score.is_mean, 2) for score in trial.scores.generators])

again = train(best.graph, study.config, seeds=2)
print([round(value, 2) for value in again.values], again.folder)
```

The workers are processes of their own, so that nothing has to stand behind `if __name__ == "__main__"`, and a
notebook's kernel, or a thread of it, may call `launch`. A notebook's stop drains them; the same call goes on. With
`wait=False` the call returns at once:

```python
study = launch("digits", trials=40, wait=False)
study.status().budget.done  # at any time
study.drain()  # workers checkpoint and leave; or study.wait() to the end
```
"""

FUNCTIONS = (
    "load_config",
    "launch",
    "open_study",
    "results",
    "enqueue",
    "confirm",
    "report",
    "train",
    "evaluate",
    "name_winner",
)
CLASSES = ("Study", "Trial", "Trained", "EvaluateRequest", "GraphSampler", "KnowledgeTransferGraph", "Roster")
GIVEN = (
    ("Status", "api.studies"),
    ("Confirmed", "search.ranking.confirmed"),
    ("Answer", "racing.answer"),
    ("Mean", "racing.answer"),
    ("Standing", "racing.answer"),
    ("AgainstBaseline", "racing.answer"),
    ("Difference", "evaluation.comparing"),
    ("WorkerRow", "search.budget.workers"),
    ("Budget", "search.budget.slot_records"),
    ("Outcome", "records"),
    ("Scores", "records"),
    ("GeneratorScore", "records"),
    ("Objective", "records"),
    ("Protocol", "records"),
    ("Evaluated", "api.evaluating"),
    ("Enqueued", "search.care.enqueueing"),
)
"""Classes that the others give, with their modules."""


def reference() -> str:
    """The text of docs/api.md."""
    source = Path(colgan_search.__file__).parent
    package: Any = griffe.load(source.name, search_paths=[source.parent], docstring_parser="google")
    lines = [HEAD]
    for name in FUNCTIONS:
        lines += _function(package[name].final_target if package[name].is_alias else package[name], "##")
    for name in CLASSES:
        lines += _class(package[name].final_target if package[name].is_alias else package[name])
    lines += ["## StudyConfig", ""]
    lines += [f"{_text(package['config.schema.StudyConfig'])}", ""]
    lines += ["Every field with its range: `colgan_search/config/schema.py`; [cli.md](cli.md) has the commands.", ""]
    lines += ["## presets", "", _text(package["presets"]), ""]
    for name in ("preset", "resolve"):
        lines += _function(package[f"presets.{name}"], "###", "presets.")
    lines += ["## errors", "", *_errors(package["errors"])]
    lines += ["## What these give", ""]
    for name, module in GIVEN:
        lines += _class(package[f"{module}.{name}"], "###")
    return "\n".join(lines).rstrip() + "\n"


def _text(found: Any) -> str:
    """The docstring, without the sections that are written as lists."""
    parsed = found.docstring.parsed if found.docstring else []
    return "\n\n".join(section.value for section in parsed if section.kind is griffe.DocstringSectionKind.text)


def _function(found: Any, heading: str, before: str = "") -> Iterator[str]:
    yield from (f"{heading} {before}{found.name}", "", "```python", _signature(found), "```", "", _text(found), "")
    for section in found.docstring.parsed:
        if section.kind is griffe.DocstringSectionKind.parameters:
            yield from (f"- `{item.name}`: {_line(item.description)}" for item in section.value)
            yield ""
        if section.kind is griffe.DocstringSectionKind.raises:
            yield from (f"- raises `{item.annotation}`: {_line(item.description)}" for item in section.value)
            yield ""


def _class(found: Any, heading: str = "##") -> Iterator[str]:
    """What it is, a list of what it holds, and its methods."""
    yield from (f"{heading} {found.name}", "", _text(found), "")
    said = _fields_of_pydantic(found)
    members = [member for name, member in found.members.items() if not name.startswith("_")]
    held = [member for member in members if member.is_attribute and _is_field(member)]
    for member in held:
        words = _line(member.docstring.value) if member.docstring else said.get(member.name, "")
        yield f"- `{member.name}: {member.annotation}`{': ' if words else ''}{words}"
    if held:
        yield ""
    for member in members:
        if member.is_function:
            yield from ("```python", _signature(member, f"{found.name}."), "```", "", _text(member), "")


def _is_field(member: Any) -> bool:
    """False for what is no field or property, such as pydantic's own settings."""
    return member.annotation is not None and member.name != "model_config"


def _fields_of_pydantic(found: Any) -> dict[str, str]:
    fields = getattr(resolve_name(found.path), "model_fields", {})
    return {name: field.description for name, field in fields.items() if field.description}


def _errors(module: Any) -> Iterator[str]:
    """The tree of errors, as it is drawn there."""
    first, _, tree = module.docstring.value.partition("\n\n")
    yield from (" ".join(first.split()), "", "```text", tree, "```", "")


def _signature(found: Any, before: str = "") -> str:
    """On one line if it fits, else an argument a line; without `self`."""
    statement = ast.parse(f"def {found.signature()}: ...").body[0]
    assert isinstance(statement, ast.FunctionDef)
    arguments = statement.args
    if arguments.args and arguments.args[0].arg in ("self", "cls"):
        arguments.args.pop(0)
    given = "" if statement.returns is None else f" -> {ast.unparse(statement.returns).strip(chr(39))}"
    parts = list(_parts(arguments))
    line = f"{before}{found.name}({', '.join(parts)}){given}"
    if len(line) <= 100:
        return line
    return "\n".join([f"{before}{found.name}(", *(f"    {part}," for part in parts), f"){given}"])


def _parts(arguments: ast.arguments) -> Iterator[str]:
    """Every argument with its type and default."""
    nothing = [None] * (len(arguments.args) - len(arguments.defaults))
    for argument, default in zip(arguments.args, [*nothing, *arguments.defaults], strict=True):
        yield ast.unparse(argument) + ("" if default is None else f" = {ast.unparse(default)}")
    if arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield ast.unparse(argument) + ("" if default is None else f" = {ast.unparse(default)}")


def _line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
