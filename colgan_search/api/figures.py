"""`figures`: everything that can be drawn of a study's best trial or of one run, and why the rest cannot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from colgan_search import presets
from colgan_search.api.figure_sources import RIVAL, Source, Weights, of_run, of_study, rival_of, trial_graph
from colgan_search.api.places import DEFAULT_WORK_DIR, opened_study, work_folder
from colgan_search.config import StudyConfig
from colgan_search.errors import BadInput, DataError
from colgan_search.evaluation.classifier_card import poor
from colgan_search.figures import draw_graph
from colgan_search.figures.epochs import draw_epochs
from colgan_search.figures.ramps import draw_ramps
from colgan_search.figures.samples import draw_samples
from colgan_search.figures.saving import FORMATS
from colgan_search.figures.trials_boxplot import draw_trials_boxplot
from colgan_search.figures.tsne import draw_tsne
from colgan_search.gan.sampling import sample_images
from colgan_search.gan.weights import load_generators
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.search.study import open_study
from colgan_search.seeds import derive_seed

SAMPLES = 128
"""Latent vectors of figure 5."""
TSNE_IMAGES = 1000
"""Images per generator of figure 6."""


@dataclass(frozen=True)
class FiguresRequest:
    """Either a study (by name, or the storage's only one), or `run`, a folder that `train` left."""

    study: str | None = None
    run: Path | None = None
    out: Path | None = None
    """Folder of the pictures; None = `figures/` in the study's or the run's folder."""
    formats: tuple[str, ...] = ("png", "svg", "pdf")
    against: tuple[str, ...] = ()
    """More studies of the same storage, for figure 7."""
    mad_gan: Path | None = None
    """Run folder of MAD-GAN's generators, for figure 6."""
    tsne_images: int = TSNE_IMAGES
    storage: str | None = None
    work_dir: Path = DEFAULT_WORK_DIR


@dataclass(frozen=True)
class Drawn:
    """What was drawn and what was not."""

    files: dict[str, list[Path]] = field(default_factory=dict)
    """Figure's name -> its files."""
    missing: dict[str, str] = field(default_factory=dict)
    """Figure's name -> why it, or a part of it, was not drawn, and how to get it."""


def draw_figures(request: FiguresRequest, say: Callable[[str], None] = lambda text: None) -> Drawn:
    """Draws all that can be drawn; `say` hears of the slow parts. BadInput, and nothing written, if the request or
    what it names is wrong."""
    _check(request)
    source, folder = _source(request)
    judged = [run.classifier_accuracy for run in source.runs.values() if run.classifier_accuracy is not None]
    if (doubt := poor(min(judged, default=None))) is not None:
        say(f"warning: {doubt}")
    out = request.out or folder / "figures"
    work_folder(out, "--out" if request.out else "figures in")
    # All images are made before anything is written, so that broken weights leave no half of the figures.
    own = _networks(source.weights, source.config, source.graph.k)
    rival = source.rival
    others = [] if _is_rival(source) else _networks(rival, source.config, source.graph.k)
    same_z = [_images(network, SAMPLES, seed=0) for network in own]
    systems = {source.name: _own_images(own, request.tsne_images)} if own else {}
    if own and others and rival is not None:
        systems[rival.label] = _own_images(others, request.tsne_images)
    drawn = Drawn()

    def paths(name: str) -> list[Path]:
        drawn.files[name] = [out / f"{name}.{form}" for form in request.formats]
        return drawn.files[name]

    draw_graph(source.graph, paths("figure8-graph"), source.is_mean, source.name)
    draw_ramps(paths("ramps"))
    if source.boxes:
        draw_trials_boxplot(source.boxes, paths("figure7-trials"))
    else:
        drawn.missing["figure7-trials"] = source.absent["boxes"]
    if source.runs:
        draw_epochs(source.runs, paths("epochs"), source.title)
    else:
        drawn.missing["epochs"] = f"{source.name} was never scored: it diverged before"
    if not own:
        drawn.missing["figure5-samples"] = drawn.missing["figure6-tsne"] = source.absent["weights"]
        return drawn
    titles = [f"G{number} (IS {score:.2f})" for number, score in enumerate(source.is_mean or (), start=1)]
    draw_samples(same_z, titles, paths("figure5-samples"), source.name)
    if len(systems) == 1 and not _is_rival(source):
        drawn.missing["figure6-tsne (MAD-GAN's half)"] = (
            f"no generators of the graph {RIVAL} here; train them with the same config (colgan-search train --graph "
            f"{RIVAL} --config ...) and name the folder with --mad-gan"
        )
    say(f"t-SNE of {request.tsne_images * sum(len(images) for images in systems.values()):,} images")
    draw_tsne(systems, paths("figure6-tsne"))
    return drawn


def _check(request: FiguresRequest) -> None:
    unknown = [form for form in request.formats if form not in FORMATS]
    if unknown or not request.formats:
        named = ", ".join(map(repr, unknown)) or "nothing"
        raise BadInput(f"--format: {named} is not allowed; the formats are {', '.join(FORMATS)}")
    if request.run is not None and (request.study is not None or request.against):
        raise BadInput("--run draws one folder; leave out --study and --against, or leave out --run")
    if request.tsne_images < 4:
        raise BadInput(f"--tsne-images {request.tsne_images} is not allowed: at least 4")


def _source(request: FiguresRequest) -> tuple[Source, Path]:
    """What is to be drawn, and the folder that its pictures belong to."""
    if request.run is not None:
        return _with_rival(of_run(request.run), request.mad_gan, None), request.run
    work = work_folder(request.work_dir)
    with opened_study(request.storage, work, request.study, writing=False) as study:
        against = [open_study(study.storage, name) for name in dict.fromkeys(request.against) if name != study.name]
        source = of_study(study, work, against)
        recorded = None if request.mad_gan is None else trial_graph(study.storage, work, request.mad_gan)
    return _with_rival(source, request.mad_gan, recorded), work.study(source.title)


def _with_rival(source: Source, folder: Path | None, recorded: KnowledgeTransferGraph | None) -> Source:
    return source if folder is None else replace(source, rival=rival_of(folder, source.graph.k, recorded))


def _is_rival(source: Source) -> bool:
    """True if the graph is MAD-GAN itself, or has one generator: figure 6 has nothing to compare it with."""
    preset = presets.PRESETS[RIVAL]
    return not preset.fits(source.graph.k) or source.graph == preset.graph(source.graph.k)


@dataclass(frozen=True)
class _Network:
    """A generator in eval mode on the CPU, and the size of its z."""

    module: torch.nn.Module
    z_size: int


def _networks(weights: Weights | None, config: StudyConfig | None, k: int) -> list[_Network]:
    """G1..Gk, none without weights or config. DataError if the file is of other networks or another k."""
    if weights is None or config is None:
        return []
    try:
        with safe_open(weights.file, "np") as tensors:
            found = len({name.partition(".")[0] for name in tensors.keys()})  # noqa: SIM118 - it is no mapping
    except (OSError, SafetensorError) as error:
        raise DataError(f"{weights.file}: cannot be read: {str(error).splitlines()[0]}") from error
    if found != k:
        raise DataError(f"{weights.file}: holds k = {found} generators, but k = {k} are to be drawn")
    size, channels, cpu = config.data.size, config.data.channels, torch.device("cpu")
    modules = load_generators(weights.file, config.network, k, size=size, channels=channels, device=cpu)
    return [_Network(module, config.network.z) for module in modules]


def _images(network: _Network, n: int, seed: int) -> NDArray[np.uint8]:
    """uint8 [n, H, W, C]: the images of `seed`, the same z for every generator."""
    return np.ascontiguousarray(sample_images(network.module, network.z_size, n, seed).permute(0, 2, 3, 1).numpy())


def _own_images(networks: Sequence[_Network], n: int) -> list[NDArray[np.uint8]]:
    """n images of every generator, each from z of its own: with shared z, generators that have learnt from each other
    would put their points on each other, whatever they make."""
    return [_images(network, n, derive_seed(0, "tsne", number)) for number, network in enumerate(networks, start=1)]
