"""Trained generators where they lie: in a bundle, in a run folder, or in the checkpoint of an unfinished training."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from colgan_search.bundles.bundle import read_bundle
from colgan_search.bundles.recorded_scores import Recorded, recorded
from colgan_search.bundles.weights import generators_of, load_generators
from colgan_search.config import StudyConfig, load_config
from colgan_search.errors import BadInput, ConfigError, DataError
from colgan_search.file_names import AVERAGES_FILE, CHECKPOINTS, CONFIG, GENERATORS_FILE, SEEDS, VERSIONS
from colgan_search.gan.checkpoint import CheckpointFile
from colgan_search.gan.state import generators_in


@dataclass(frozen=True)
class TrainedGenerators:
    """G1..Gk of one training, and the config that they were built with."""

    file: Path
    config: StudyConfig
    iteration: int | None = None
    """Of the checkpoint that they are from; None = the training has ended."""
    states: tuple[Mapping[str, Tensor], ...] = ()
    """What a checkpoint holds of them; empty = `file` is safetensors."""
    recorded: Recorded | None = None
    """What their bundle says of them."""

    def load(self, scoring: StudyConfig, device: torch.device) -> list[nn.Module]:
        """G1..Gk in eval mode. ConfigError if their images are not of the shape that `scoring` wants."""
        ours, wanted, k = self.config.data, scoring.data, self.config.k
        if (ours.size, ours.channels) != (wanted.size, wanted.channels):
            raise ConfigError(
                f"{self.file}: these generators make images of {ours.size} pixels in {ours.channels} channels, the "
                f"config's real ones have {wanted.size} and {wanted.channels}; give a config of the same shape"
            )
        network, size, channels = self.config.network, ours.size, ours.channels
        if not self.states:
            return load_generators(self.file, network, k, size=size, channels=channels, device=device)
        if len(self.states) != k:
            raise DataError(f"{self.file}: holds k = {len(self.states)} generators, the config has k = {k}")
        return generators_of(self.states, self.file, network, size=size, channels=channels, device=device)


def find_trained(run: Path, config: StudyConfig | None, ema: bool = False) -> TrainedGenerators:
    """What `run` holds, the first of: finished weights of a run folder, a bundle, a checkpoint.

    `config` is that of a run folder without its own. `ema`: the moving averages. BadInput and its kinds say what is
    missing or broken. No file is unpickled.
    """
    weights = run / (AVERAGES_FILE if ema else GENERATORS_FILE)
    if (run / GENERATORS_FILE).is_file() and not (run / VERSIONS).exists():
        if not weights.is_file():
            raise BadInput(f"{run}: holds no {AVERAGES_FILE}; a training with training.ema leaves it")
        return TrainedGenerators(weights, _config(run, config))
    checkpoints = _checkpoints(run)
    if len(checkpoints) > 1:
        raise BadInput(f"{run}: holds several unfinished trainings; name one: {', '.join(map(str, checkpoints))}")
    if checkpoints:
        return _unfinished(checkpoints[0], config, ema)
    bundle = read_bundle(run)
    return TrainedGenerators(bundle.weights(ema), bundle.config, recorded=recorded(bundle, ema))


def _config(folder: Path, config: StudyConfig | None) -> StudyConfig:
    """The folder's own, which `train` leaves, or else the given one."""
    if (folder / CONFIG).is_file():
        return load_config(str(folder / CONFIG))
    if config is None:
        raise BadInput(f"{folder}: holds weights but no config; name the one they were made with: `config` or `study`")
    return config


def _checkpoints(run: Path) -> list[Path]:
    """Folders with a checkpoint: `run` itself or its `seed-N`; none as soon as there is a bundle."""
    folders = [run, *sorted(run.glob(SEEDS))]
    if any((folder / VERSIONS).exists() for folder in folders):
        return []
    return [folder for folder in folders if any(folder.glob(CHECKPOINTS))]


def _unfinished(folder: Path, config: StudyConfig | None, ema: bool) -> TrainedGenerators:
    checkpoint = CheckpointFile(folder, None)
    saved = checkpoint.load()
    if saved is None:
        raise DataError(f"{checkpoint.path}: no checkpoint in this folder can be read; the warnings above say why")
    try:
        iteration, states = generators_in(saved, ema)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise DataError(f"{checkpoint.path}: is not the checkpoint of a training: {error!r}") from error
    if not states:
        raise BadInput(f"{checkpoint.path}: holds no moving averages; a training with training.ema keeps them")
    return TrainedGenerators(checkpoint.path, _config(folder, config), iteration, tuple(states))
