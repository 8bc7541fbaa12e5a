"""Writes docs/config.md from the config's models: `python docs/make_config_reference.py`."""

from collections.abc import Iterator
from pathlib import Path

from colgan_search.config.describing import Described, sections
from colgan_search.config.fingerprint import NOT_RESULTS

REFERENCE = Path(__file__).with_name("config.md")
HEAD = """# Study configs

Made by `python docs/make_config_reference.py` from the config's models; a test keeps it up to date.

A config is a YAML file. `name`, `data` and `transfer` must be given, everything else has a default.
`colgan-search config list` names the shipped ones, `config show digits` prints one with every key, `config check FILE`
says whether one is right and what its search buys, and `--set training.epochs=20` (of `launch` and `train`) takes
another value for one key. Unknown keys are errors.

Editors complete and check a config by its JSON schema: `colgan-search config schema > colgan.schema.json`, and in the
file's first line `# yaml-language-server: $schema=colgan.schema.json`.

What costs time: a training takes `training.epochs` passes over the images, with k turns of the discriminator in every
iteration; the score at its end takes k times `evaluation.images` images through the extractor, every interim score
(`evaluation.every_epochs`) k times `evaluation.interim_images`. Cut-off edges cost nothing.

What changes results belongs to the config's fingerprint: studies, replicates and confirmations of different
fingerprints are not compared. Free to differ are {free}.
"""


def reference() -> str:
    """The text of docs/config.md."""
    free = ", ".join(f"`{'.'.join(path)}`" for path in NOT_RESULTS)
    return "\n".join([HEAD.format(free=free), *(line for section in sections() for line in _section(section))])


def _section(section: Described) -> Iterator[str]:
    """What a section is, and a table of its keys."""
    yield f"## {section.path or 'The top'}\n\n{section.about}\n"
    if not section.keys:
        return
    yield "| key | values | default | what it means |\n|---|---|---|---|"
    for key in section.keys:
        default = f"`{key.default}`" if key.default else ""
        yield f"| `{key.name}` | {key.values} | {default} | {key.meaning.replace('|', '/')} |"
    yield ""


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
