"""`prepare`: a folder with data, weights and reference statistics, to be carried to machines without internet."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from colgan_search.api.work_and_storage import work_folder
from colgan_search.config import StudyConfig, fingerprint, with_overrides
from colgan_search.downloading import check_mirror, fetch
from colgan_search.evaluation.extraction import Extraction
from colgan_search.evaluation.fid import reference_statistics
from colgan_search.evaluation.scores import Evaluator
from colgan_search.experiment import check_config, choose_device
from colgan_search.extensions.datasets import DATASETS
from colgan_search.extensions.extractors import EXTRACTORS
from colgan_search.file_names import CONFIG
from colgan_search.files import require_space, sha256_of, write_text
from colgan_search.gan.datasets.loading import load_images
from colgan_search.version import __version__

MANIFEST, SUMS, README = "manifest.json", "SHA256SUMS", "README.md"
WEIGHTS = "weights"


@dataclass(frozen=True)
class PrepareRequest:
    """`config_text` is the YAML of a config that is not shipped with the package: it is carried along."""

    config: StudyConfig
    config_name: str
    folder: Path
    config_text: str | None = None
    mirror: str | None = None
    device: str | None = None
    statistics: bool = True


@dataclass(frozen=True)
class Prepared:
    """What the folder holds now, and the options that make a command use it (paths as seen from inside it)."""

    folder: Path
    digests: dict[str, str]
    """File -> SHA-256."""
    options: str


def prepare(request: PrepareRequest, say: Callable[[str], None] = lambda text: None) -> Prepared:
    """Fetches what the config needs, computes what can be computed beforehand, and writes down what is there.

    The same call again goes on where it stopped. See `downloading.fetch` for what it raises.
    """
    check_config(request.config)
    check_mirror(request.mirror)
    root = work_folder(request.folder, "FOLDER").root
    device = choose_device(request.config.runtime, request.device or "auto")
    torch.set_num_threads(request.config.runtime.threads)
    root.mkdir(parents=True, exist_ok=True)
    config, options = _fetch(request, root, say)
    say(f"reading the real images: {config.data.name}")
    real = load_images(config.data)
    if request.statistics:
        say(f"extractor {config.evaluation.extractor} and the real images' statistics, on {device}")
        cache = work_folder(root).cache
        evaluator = Evaluator(config.evaluation, real, cache, device, objective=config.objective)
        if config.evaluation.fid:
            extraction = Extraction(evaluator.extractor, config.evaluation.batch)
            reference_statistics(extraction, real, real.digest, cache)
    return _write_down(request, root, options)


def _fetch(request: PrepareRequest, root: Path, say: Callable[[str], None]) -> tuple[StudyConfig, list[str]]:
    """The config with its data and weights below `root`, and the options that name them."""
    config, options = request.config, []
    if remotes := DATASETS.get(config.data.name).remotes:
        folder = root / config.data.name
        folder.mkdir(exist_ok=True)
        require_space(folder, 2 * sum(remote.bytes for remote in remotes))  # unpacked beside the archive
        for remote in remotes:
            fetch(remote, folder, request.mirror, say)
        config = with_overrides(config, {"data.root": str(folder)})
        options.append(f'--data-root "$PWD/{config.data.name}"')
    elif config.data.root is not None:
        say(f"the images in {config.data.root} are yours: carry them as well, and name their place with --data-root")
    if (file := EXTRACTORS.get(config.evaluation.extractor).remote()) is not None:
        (root / WEIGHTS).mkdir(exist_ok=True)
        weights = fetch(file, root / WEIGHTS, request.mirror, say)
        config = with_overrides(config, {"evaluation.weights": str(weights)})
        options.append(f'--weights "$PWD/{WEIGHTS}/{weights.name}"')
    return config, [*options, '--work-dir "$PWD"']


def _write_down(request: PrepareRequest, root: Path, options: list[str]) -> Prepared:
    name = request.config_name
    if request.config_text is not None:
        write_text(root / CONFIG, request.config_text)
        name = CONFIG
    places = [root / request.config.data.name, root / WEIGHTS, work_folder(root).cache]
    files = sorted(path for place in places for path in place.rglob("*") if path.is_file() and path.suffix != ".lock")
    digests = {path.relative_to(root).as_posix(): sha256_of(path) for path in files}
    command = f"--config {name} {' '.join(options)}"
    manifest: dict[str, Any] = {
        "colgan-search": __version__,
        "config": name,
        "fingerprint": fingerprint(request.config),
        "statistics": request.statistics,
        "options": command,
        "files": {file: {"sha256": digest, "bytes": (root / file).stat().st_size} for file, digest in digests.items()},
    }
    write_text(root / SUMS, "".join(f"{digest}  {file}\n" for file, digest in digests.items()))
    write_text(root / README, _readme(request, name, options))
    write_text(root / MANIFEST, json.dumps(manifest, indent=1) + "\n")
    return Prepared(root, digests, command)


def _readme(request: PrepareRequest, name: str, options: list[str]) -> str:
    used = " ".join(options)
    statistics = "and the reference statistics in `cache/`" if request.statistics else "without reference statistics"
    return f"""# Prepared for colgan-search {__version__}: config {name}

Data and weights, as far as the config needs them, {statistics}.
Carry the folder whole, and see that it arrived so with `sha256sum -c {SUMS}`. Then, inside it:

    colgan-search launch --config {name} {used}
    colgan-search train --graph mad-gan --config {name} {used}
    colgan-search evaluate --real --config {name} {used}

A worker on a further machine: `colgan-search worker --study {request.config.name} --storage URL {used}`.

If the folder cannot be written to there, copy `cache/` into the work folder that you use as `--work-dir`.
"""
