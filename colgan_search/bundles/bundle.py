"""A bundle: a folder with trained generators and all that is needed to use and to understand them.

graph.json, config.yaml, generators.safetensors, generators-ema.safetensors (if the training kept moving averages),
samples.png, scores.json, command.txt, versions.json (written last).
Reading one parses JSON, YAML without tags and safetensors; nothing in it is ever unpickled, no other file is opened.
"""

import json
import logging
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import BaseModel
from torch import nn

from colgan_search.bundles.sampling import sample_images, write_grid
from colgan_search.bundles.weights import load_generators
from colgan_search.config import StudyConfig, load_config, parse_config, read_yaml
from colgan_search.config.load import section_model
from colgan_search.errors import BadInput, ConfigError, DataError, GraphError
from colgan_search.file_names import (
    AVERAGES_FILE,
    BUNDLE,
    COMMAND,
    CONFIG,
    GENERATORS_FILE,
    GRAPH,
    SAMPLES,
    SCORES,
    SEEDS,
    VERSIONS,
)
from colgan_search.files import atomic_path, require_space, write_text
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.past_versions import wrong_with
from colgan_search.records import Scores
from colgan_search.version import __version__

AVERAGES_SCORES = "last-ema"
"""The name of the moving averages' scores (see `records.Outcome`)."""

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
    best_average: int | None = None
    """1..k, among the moving averages; None if scores.json does not say."""

    def weights(self, ema: bool = False) -> Path:
        """The file of the generators, or of their moving averages. BadInput if it has none."""
        path = self.folder / (AVERAGES_FILE if ema else GENERATORS_FILE)
        if ema and not path.is_file():
            raise BadInput(f"{self.folder}: holds no {AVERAGES_FILE}; a training with training.ema leaves it")
        return path

    def load(self, device: torch.device, ema: bool = False) -> list[nn.Module]:
        """G1..Gk on `device` in eval mode. DataError if the weights are anything but theirs, as safetensors."""
        size, channels, k = self.config.data.size, self.config.data.channels, self.graph.k
        return load_generators(self.weights(ema), self.config.network, k, size=size, channels=channels, device=device)


def write_bundle(
    folder: Path,
    graph: KnowledgeTransferGraph,
    config: StudyConfig,
    generators: Path,
    scores: Scores,
    *,
    seed: int,
    command: str,
    variants: Mapping[str, Scores] | None = None,
    classifier_accuracy: float | None = None,
) -> Bundle:
    """Makes `folder` a bundle of the weights file `generators`, which may lie there already. See `require_free`.

    Moving averages beside `generators` come along. `scores` (of the weights that count), `variants` (of other weights
    by name, see `records.Outcome`), `classifier_accuracy` (held-out, 0..1, of the classifier that gave them; None with
    another extractor) and `seed` are those of the training; `command` is kept word for word.
    """
    averages = generators.with_name(AVERAGES_FILE)
    folder.mkdir(parents=True, exist_ok=True)
    require_space(folder, sum(path.stat().st_size for path in (generators, averages) if path.exists()))
    (folder / VERSIONS).unlink(missing_ok=True)  # from here until it is back, this is no bundle
    for source, name in ((generators, GENERATORS_FILE), (averages, AVERAGES_FILE)):
        if source is averages and not averages.exists():
            (folder / name).unlink(missing_ok=True)  # of the bundle that was here
        elif source.resolve() != (folder / name).resolve():
            with atomic_path(folder / name) as temporary:
                shutil.copyfile(source, temporary)
    others = dict(variants or {})
    average = others.get(AVERAGES_SCORES)
    bundle = Bundle(folder, graph, config, scores.best_generator, average.best_generator if average else None)
    samples = {
        f"G{number}": sample_images(generator, config.network.z, SAMPLES_PER_GENERATOR, seed=0)
        for number, generator in enumerate(bundle.load(torch.device("cpu")), start=1)
    }
    write_grid(folder / SAMPLES, samples, SAMPLE_COLUMNS)
    named = {name: _scores_json(other) for name, other in others.items()}
    accuracy = {"classifier_accuracy": classifier_accuracy}
    found = {**_scores_json(scores), **accuracy, "seed": str(seed), "variants": named}
    write_text(folder / SCORES, json.dumps(found, indent=1) + "\n")
    write_text(folder / GRAPH, json.dumps(graph.to_json(), indent=1) + "\n")
    write_config(folder, config)
    write_text(folder / COMMAND, command + "\n")
    write_text(folder / VERSIONS, json.dumps(versions(), indent=1) + "\n")
    return bundle


def write_config(folder: Path, config: StudyConfig) -> None:
    """Leaves `config` in `folder` as `read_bundle` finds it."""
    write_text(folder / CONFIG, yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))


def require_free(folder: Path) -> None:
    """BadInput unless a bundle can be put at `folder`: not there, empty, or holding nothing but a bundle."""
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder}: is a file; name a folder, or one that can be made")
    foreign = sorted({path.name for path in folder.iterdir()} - set(BUNDLE)) if folder.exists() else []
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
        made = f"{folder} was made by colgan-search {theirs}, this is {__version__}"
        log.warning("%s%s", made, wrong_with(theirs))
    config = _read_config(folder / CONFIG, same)
    try:
        graph = KnowledgeTransferGraph.from_json(_read_json(folder / GRAPH))
    except GraphError as error:
        raise GraphError(f"{folder / GRAPH}: {error}") from None
    if graph.k != config.k:
        raise DataError(
            f"{folder}: its graph has k = {graph.k}, its config k = {config.k}; they do not belong together"
        )
    scores = _read_json(folder / SCORES)
    variants = scores.get("variants")
    average = variants.get(AVERAGES_SCORES) if isinstance(variants, dict) else None
    return Bundle(folder, graph, config, _best_in(scores, graph.k), _best_in(average, graph.k))


def find_bundle(place: Path) -> Path:
    """The folder that holds the bundle's files. BadInput if there is none, or several to choose from."""
    if not place.is_dir():
        raise BadInput(f"{place}: there is no such folder; a bundle is what `export_best` and `train` leave")
    if (place / VERSIONS).exists():
        missing = [name for name in (GRAPH, CONFIG, GENERATORS_FILE, SCORES) if not (place / name).is_file()]
        if missing:
            raise BadInput(f"{place}: the bundle is not whole: {', '.join(missing)} is missing")
        return place
    below = sorted(path.parent for path in place.glob(f"{SEEDS}/{VERSIONS}"))
    if not below:
        raise BadInput(
            f"{place}: is no bundle (no {VERSIONS}); a bundle is what `export_best` and `train` leave when they end"
        )
    if len(below) > 1:
        raise BadInput(f"{place}: holds several bundles; name one of them: {', '.join(map(str, below))}")
    return find_bundle(below[0])


def versions() -> dict[str, str]:
    """Name -> version of this package, of Python, and of the libraries that make the images."""
    libraries = ("torch", "torchvision", "torch-fidelity", "numpy", "safetensors")
    found = {"colgan-search": __version__, "python": platform.python_version()}
    return found | {name: metadata.version(name) for name in libraries}


def _scores_json(scores: Scores) -> dict[str, Any]:
    best = {"value": scores.value, "best_generator": f"G{scores.best_generator}"}
    return {**best, **scores.model_dump(mode="json")}


def _best_in(scores: Any, k: int) -> int | None:
    """The number 1..k that scores.json, or a part of it, names; None if it names none."""
    name = scores.get("best_generator") if isinstance(scores, dict) else None
    numbers = {f"G{number}": number for number in range(1, k + 1)}
    return numbers.get(name) if isinstance(name, str) else None


def _read_config(path: Path, same_version: bool) -> StudyConfig:
    try:
        return load_config(str(path))
    except ConfigError as error:
        if same_version:
            raise
        refusal = error
    # Another version may know settings that this one does not; they do not change what the weights are.
    try:
        data = read_yaml(path)
    except ConfigError:
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
            section = section_model(model, key, data)
            kept[key] = value if section is None else _known_only(value, section)
    return kept


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(data, dict):
        raise DataError(f"{path}: is not the JSON object that a bundle has there")
    return data
