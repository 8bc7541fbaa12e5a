"""`figures`: everything that can be drawn of a study's best trial or of one run, and why the rest cannot."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from colgan_search.api import figure_images
from colgan_search.api.figure_images import Images, latents
from colgan_search.api.figure_rivals import is_rival, rival_of
from colgan_search.api.figure_sources import Source, of_run, of_study
from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR, opened_study, work_folder
from colgan_search.errors import BadInput
from colgan_search.evaluation.classifier_card import poor
from colgan_search.figures import draw_graph
from colgan_search.figures.curves import draw_curves, read_curves
from colgan_search.figures.effects import draw_effects
from colgan_search.figures.epochs import draw_epochs
from colgan_search.figures.pens import HOUSE, PAPER
from colgan_search.figures.ramps import draw_ramps
from colgan_search.figures.samples import draw_samples
from colgan_search.figures.saving import FORMATS
from colgan_search.figures.trials_boxplot import draw_trials_boxplot
from colgan_search.figures.tsne import draw_tsne
from colgan_search.file_names import TELEMETRY_FILE
from colgan_search.records import score_text
from colgan_search.search.care.insight import Insight, insight
from colgan_search.search.study.opening import open_study

SAMPLES, TSNE, BOXES = "figure5-samples", "figure6-tsne", "figure7-trials"
GRAPH, PAPERS_GRAPH, EPOCHS, RAMPS = "figure8-graph", "figure8-graph-paper", "epochs", "ramps"
EFFECTS, CURVES = "effects", "curves"
FIGURES = (SAMPLES, TSNE, BOXES, GRAPH, PAPERS_GRAPH, EPOCHS, RAMPS, EFFECTS, CURVES)
"""All figures, by the names of their files."""
RIVALS_HALF = f"{TSNE} (MAD-GAN's half)"

LATENT_VECTORS = 128
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
    only: tuple[str, ...] = FIGURES
    """The figures that are wanted."""
    against: tuple[str, ...] = ()
    """More studies of the same storage, for figure 7."""
    mad_gan: Path | None = None
    """Run folder of MAD-GAN's generators, for figure 6."""
    tsne_images: int = TSNE_IMAGES
    tsne_z: str = "shared"
    """Which z the generators of figure 6 get: one of `figure_images.LATENTS`."""
    storage: str | None = None
    work_dir: Path = DEFAULT_WORK_DIR


@dataclass
class Drawn:
    """What was drawn and what was not."""

    files: dict[str, list[Path]] = field(default_factory=dict)
    """Figure's name -> its files."""
    missing: dict[str, str] = field(default_factory=dict)
    """Figure's name -> why it, or a part of it, was not drawn, and how to get it."""
    rival: Path | None = None
    """The file of MAD-GAN's generators in figure 6."""


def draw_figures(request: FiguresRequest, say: Callable[[str], None] = lambda text: None) -> Drawn:
    """Draws all that can be drawn; `say` hears of the slow parts. BadInput, and nothing written, if the request or
    what it names is wrong."""
    _check(request)
    source, folder = _source(request, say)
    judged = [run.classifier_accuracy for run in source.runs.values() if run.classifier_accuracy is not None]
    if (doubt := poor(min(judged, default=None))) is not None:
        say(f"warning: {doubt}")
    out = request.out or folder / "figures"
    work_folder(out, "--out" if request.out else "figures in")
    # All images are made before anything is written, so that broken weights leave no half of the figures.
    panels, systems = _panels(request, source)
    drawn = Drawn()

    def paths(name: str) -> list[Path]:
        drawn.files[name] = [out / f"{name}.{form}" for form in request.formats]
        return drawn.files[name]

    for name, style in ((GRAPH, HOUSE), (PAPERS_GRAPH, PAPER)):
        if name in request.only:
            draw_graph(source.graph, paths(name), source.values, source.name, style=style, objective=source.objective)
    if RAMPS in request.only:
        draw_ramps(paths(RAMPS))
    if BOXES in request.only:
        if source.boxes:
            draw_trials_boxplot(source.boxes, paths(BOXES), label=source.objective.label)
        else:
            drawn.missing[BOXES] = source.absent["boxes"]
    if EPOCHS in request.only:
        if source.runs:
            draw_epochs(source.runs, paths(EPOCHS), source.title)
        else:
            drawn.missing[EPOCHS] = f"{source.name} was never scored: it diverged before"
    if EFFECTS in request.only:
        if isinstance(source.insight, Insight):
            seen = source.insight
            title = f"{source.title}: {seen.trials} trials of {seen.graphs} graphs"
            label, importance = source.objective.label, seen.importance
            draw_effects(seen.effects, paths(EFFECTS), title, label=label, importance=importance)
        else:
            drawn.missing[EFFECTS] = source.insight
    if CURVES in request.only:
        table = None if source.weights is None else source.weights.file.parent / TELEMETRY_FILE
        if table is not None and table.is_file():
            curves = read_curves(table.read_text(encoding="utf-8"), str(table))
            of = source.objective
            draw_curves(curves, paths(CURVES), source.name, number=of.number, label=of.label)
        else:
            drawn.missing[CURVES] = (
                source.absent.get("weights") or f"{table}: is not there: an earlier version trained it"
            )
    if source.weights is None:
        drawn.missing.update({name: source.absent["weights"] for name in (SAMPLES, TSNE) if name in request.only})
        return drawn
    if panels:
        label = source.objective.label
        titles = [
            f"G{number} ({label} {score_text(score)})" for number, score in enumerate(source.values or (), start=1)
        ]
        draw_samples(panels, titles, paths(SAMPLES), source.name)
    if systems:
        if "rival" in source.absent:
            drawn.missing[RIVALS_HALF] = source.absent["rival"]
        say(f"t-SNE of {request.tsne_images * sum(len(clouds) for clouds in systems.values()):,} images")
        if len(systems) > 1 and source.rival is not None:
            drawn.rival = source.rival.file
        draw_tsne(systems, paths(TSNE), note=latents(request.tsne_z).note.format(n=f"{request.tsne_images:,}"))
    return drawn


def _check(request: FiguresRequest) -> None:
    unknown = [form for form in request.formats if form not in FORMATS]
    if unknown or not request.formats:
        named = ", ".join(map(repr, unknown)) or "nothing"
        raise BadInput(f"--format: {named} is not allowed; the formats are {', '.join(FORMATS)}")
    if strangers := [name for name in request.only if name not in FIGURES]:
        raise BadInput(f"there is no figure {strangers[0]!r}; the figures are {', '.join(FIGURES)}")
    if request.run is not None and (request.study is not None or request.against):
        raise BadInput("--run draws one folder; leave out --study and --against, or leave out --run")
    if request.tsne_images < 4:
        raise BadInput(f"--tsne-images {request.tsne_images} is not allowed: at least 4")
    latents(request.tsne_z)


def _source(request: FiguresRequest, say: Callable[[str], None]) -> tuple[Source, Path]:
    """What is to be drawn, and the folder that its pictures belong to."""
    work = work_folder(request.work_dir)
    if request.run is not None:
        source, folder = of_run(request.run, work), request.run
    else:
        with opened_study(request.storage, work, request.study, writing=False) as study:
            against = [open_study(study.storage, name) for name in dict.fromkeys(request.against) if name != study.name]
            source, folder = of_study(study, work, against), work.study(study.name)
            if EFFECTS in request.only:
                say("which edges and gates matter: a model of all trials")
                source = replace(source, insight=insight(study))
    if request.mad_gan is not None:
        absent = {what: why for what, why in source.absent.items() if what != "rival"}
        source = replace(source, rival=rival_of(request.mad_gan, source.graph.roster), absent=absent)
    return source, folder


def _panels(request: FiguresRequest, source: Source) -> tuple[list[Images], dict[str, list[Images]]]:
    """The images of figure 5, one array per generator, and of figure 6: label of the system -> the same.

    None where the figure is not wanted, or the generators are not here. DataError if they cannot be read.
    """
    panels: list[Images] = []
    systems: dict[str, list[Images]] = {}
    if source.weights is None or source.config is None or not {SAMPLES, TSNE} & set(request.only):
        return panels, systems
    own = figure_images.networks(source.weights, source.config, source.graph.k)
    if SAMPLES in request.only:
        panels = [figure_images.images(network, LATENT_VECTORS) for network in own]
    if TSNE in request.only:
        choice = latents(request.tsne_z)
        systems[source.name] = figure_images.cloud(own, request.tsne_images, choice)
        if source.rival is not None and not is_rival(source.graph):
            others = figure_images.networks(source.rival, source.config, source.graph.k)
            systems[source.rival.label] = figure_images.cloud(others, request.tsne_images, choice)
    return panels, systems
