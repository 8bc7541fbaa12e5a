"""A bundle: a folder with trained generators and all that is needed to use and to understand them.

graph.json, config.yaml, generators.safetensors, samples.png, scores.json, command.txt, versions.json (written last).
Reading one parses JSON, YAML without tags and safetensors; nothing in it is ever unpickled, no other file is opened.
"""

import json
import logging
import platform
import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import BaseModel
from torch import nn

from colgan_search import __version__
from colgan_search.config import StudyConfig, load_config, parse_config
from colgan_search.errors import BadInput, ConfigError, DataError, GraphError
from colgan_search.files import atomic_path, require_space, write_text
from colgan_search.gan.sampling import sample_images, write_grid
from colgan_search.gan.weights import load_generators
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import Scores

GRAPH, CONFIG, GENERATORS = "graph.json", "config.yaml", "generators.safetensors"
SAMPLES, SCORES, COMMAND, VERSIONS = "samples.png", "scores.json", "command.txt", "versions.json"
FILES = (GRAPH, CONFIG, GENERATORS, SAMPLES, SCORES, COMMAND, VERSIONS)

SAMPLES_PER_GENERATOR, SAMPLE_COLUMNS = 32, 16
"""In samples.png: two rows of every generator, the same z in the same place."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read; its weights are read by `load`."""

    folder: Path
    graph: KnowledgeTransferGraph
    config: StudyConfig
    best_generator: int | None
    """1..k; None if scores.json does not say."""

    def load(self, device: torch.device) -> list[nn.Module]:
        """G1..Gk on `device` in eval mode. DataError if the weights are anything but theirs, as safetensors."""
        data = self.config.data
        return load_generators(
            self.folder / GENERATORS,
            self.config.network,
            self.graph.k,
            size=data.size,
            channels=data.channels,
            device=device,
        )


def write_bundle(
    folder: Path,
    graph: KnowledgeTransferGraph,
    config: StudyConfig,
    generators: Path,
    scores: Scores,
    *,
    seed: int,
    command: str,
) -> Bundle:
    """Makes `folder` a bundle of the weights file `generators`, which may lie there already. See `require_free`.

    `scores` and `seed` are those of the training that made the weights; `command` is kept word for word.
    """
    folder.mkdir(parents=True, exist_ok=True)
    require_space(folder, generators.stat().st_size)
    (folder / VERSIONS).unlink(missing_ok=True)  # from here until it is back, this is no bundle
    if generators.resolve() != (folder / GENERATORS).resolve():
        with atomic_path(folder / GENERATORS) as temporary:
            shutil.copyfile(generators, temporary)
    bundle = Bundle(folder, graph, config, scores.best_generator)
    samples = {
        f"G{number}": sample_images(generator, config.network.z, SAMPLES_PER_GENERATOR, seed=0)
        for number, generator in enumerate(bundle.load(torch.device("cpu")), start=1)
    }
    write_grid(folder / SAMPLES, samples, SAMPLE_COLUMNS)
    found = {"value": scores.value, "best_generator": f"G{scores.best_generator}", "seed": seed}
    write_text(folder / SCORES, json.dumps({**found, **scores.model_dump(mode="json")}, indent=1) + "\n")
    write_text(folder / GRAPH, json.dumps(graph.to_json(), indent=1) + "\n")
    write_text(folder / CONFIG, yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
    write_text(folder / COMMAND, command + "\n")
    write_text(folder / VERSIONS, json.dumps(versions(), indent=1) + "\n")
    return bundle


def require_free(folder: Path) -> None:
    """BadInput unless a bundle can be put at `folder`: not there, empty, or holding nothing but a bundle."""
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder}: is a file; name a folder, or one that can be made")
    foreign = sorted({path.name for path in folder.iterdir()} - set(FILES)) if folder.exists() else []
    if foreign:
        raise BadInput(f"{folder}: is not empty and is no bundle (it holds {foreign[0]}); choose another folder")


def read_bundle(place: Path) -> Bundle:
    """The bundle at `place`, or that of its only `seed-N` folder (what `train` leaves).

    One of another version of the package is read with a warning. BadInput and its kinds say what is wrong.
    """
    folder = find_bundle(place)
    theirs = _read_json(folder / VERSIONS).get("colgan-search")
    same = theirs == __version__
    if not same:
        log.warning("%s was made by colgan-search %s, this is %s", folder, theirs, __version__)
    config = _read_config(folder / CONFIG, same)
    try:
        graph = KnowledgeTransferGraph.from_json(_read_json(folder / GRAPH))
    except GraphError as error:
        raise GraphError(f"{folder / GRAPH}: {error}") from None
    if graph.k != config.k:
        raise DataError(
            f"{folder}: its graph has k = {graph.k}, its config k = {config.k}; they do not belong together"
        )
    name = _read_json(folder / SCORES).get("best_generator")
    numbers = {f"G{number}": number for number in range(1, graph.k + 1)}
    return Bundle(folder, graph, config, numbers.get(name) if isinstance(name, str) else None)


def find_bundle(place: Path) -> Path:
    """The folder that holds the bundle's files. BadInput if there is none, or several to choose from."""
    if not place.is_dir():
        raise BadInput(f"{place}: there is no such folder; a bundle is what `best --export` and `train` leave")
    if (place / VERSIONS).exists():
        missing = [name for name in (GRAPH, CONFIG, GENERATORS, SCORES) if not (place / name).is_file()]
        if missing:
            raise BadInput(f"{place}: the bundle is not whole: {', '.join(missing)} is missing")
        return place
    below = sorted(path.parent for path in place.glob(f"seed-*/{VERSIONS}"))
    if not below:
        raise BadInput(
            f"{place}: is no bundle (no {VERSIONS}); a bundle is what `best --export` and `train` leave when they end"
        )
    if len(below) > 1:
        raise BadInput(f"{place}: holds several bundles; name one of them: {', '.join(map(str, below))}")
    return find_bundle(below[0])


def versions() -> dict[str, str]:
    """Name -> version of this package, of Python, and of the libraries that make the images."""
    libraries = ("torch", "torchvision", "torch-fidelity", "numpy", "safetensors")
    found = {"colgan-search": __version__, "python": platform.python_version()}
    return found | {name: metadata.version(name) for name in libraries}


def _read_config(path: Path, same_version: bool) -> StudyConfig:
    try:
        return load_config(str(path))
    except ConfigError as error:
        if same_version:
            raise
        refusal = error
    # Another version may know settings that this one does not; they do not change what the weights are.
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        raise refusal from None
    config = parse_config(_known_only(data, StudyConfig), str(path))
    log.warning("%s: settings that this version does not know are left out", path)
    return config


def _known_only(data: Any, model: type[BaseModel]) -> Any:
    if not isinstance(data, dict):
        return data
    kept = {}
    for key, value in data.items():
        if key in model.model_fields:
            kind = model.model_fields[key].annotation
            nested = isinstance(kind, type) and issubclass(kind, BaseModel)
            kept[key] = _known_only(value, kind) if nested else value  # type: ignore[arg-type]
    return kept


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(data, dict):
        raise DataError(f"{path}: is not the JSON object that a bundle has there")
    return data
