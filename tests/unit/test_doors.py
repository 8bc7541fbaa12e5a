"""Installed packages that bring a data set, an extractor, a metric or a sampler: used, recorded, and missed."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.samplers import BaseSampler, RandomSampler

from colgan_search.config import StudyConfig, fingerprint, members_used, parse_config, require_members
from colgan_search.errors import ConfigError, PluginError
from colgan_search.evaluation.extractors import load_extractor
from colgan_search.evaluation.scores import Evaluator
from colgan_search.extensions.datasets import DATASETS
from colgan_search.extensions.extractors import EXTRACTORS
from colgan_search.extensions.launchers import LAUNCHERS, WorkersWanted
from colgan_search.extensions.metrics import METRICS, get_metric
from colgan_search.extensions.samplers import SAMPLERS
from colgan_search.gan.datasets.loading import load_images
from colgan_search.registry import Registry
from colgan_search.search.proposing.sampler import make_sampler
from tests.unit.evaluation_helpers import CPU, digits, tiny_generator

REGISTRIES: tuple[Registry[Any], ...] = (DATASETS, EXTRACTORS, METRICS, SAMPLERS, LAUNCHERS)

STRIPES = """
from typing import Literal
import torch
from colgan_search.extensions.datasets import DataSet, DataSettings
from colgan_search.extensions.extractors import ExtractorKind
from colgan_search.extensions.metrics import Metric, MetricSettings, Need
from colgan_search.extensions.samplers import Sampler
from colgan_search.extensions.section import Section

class StripesSettings(DataSettings):
    name: Literal["stripes"] = "stripes"
    width: int = 2

class Stripes(DataSet):
    name = "stripes"
    settings = StripesSettings
    reads_root = False
    def load(self, settings, downloads):
        from colgan_search.gan.resize import fitted
        dark = (torch.arange(8) // settings.width % 2 * 255).to(torch.uint8)
        images = torch.stack([dark.expand(8, 8), dark.expand(8, 8).T] * 20)[:, None]
        return fitted(self.name, images, torch.arange(40) % 2, ("across", "down"), settings)

class PixelsSettings(Section):
    classes: int = 4

class Pixels(ExtractorKind):
    name = "pixels"
    settings = PixelsSettings
    def load(self, settings, real, cache, device, should_stop):
        from colgan_search.evaluation.extractors import Extractor
        from tests.unit.evaluation_helpers import FirstPixels
        return Extractor(self.name, "0" * 16, FirstPixels(settings.extractor_settings.classes, 3.0), colour_only=False)

class BrightnessSettings(MetricSettings):
    name: Literal["brightness"] = "brightness"
    target: float = 100.0

class Brightness(Metric):
    name = "brightness"
    settings = BrightnessSettings
    label = "brightness"
    numbers = ("brightness",)
    higher_is_better = False
    worst = 1000.0
    needs = frozenset({Need.FEATURES})
    def compute(self, settings, samples):
        return {"brightness": abs(float(samples.features.mean()) - settings.target)}

class DiceSettings(Section):
    faces: int = 6

class Dice(Sampler):
    name = "dice"
    settings = DiceSettings
    learns = False
    def make(self, settings, seed):
        from optuna.samplers import RandomSampler
        return RandomSampler(seed=seed % settings.sampler_settings.faces)

STRIPES, PIXELS, BRIGHTNESS, DICE = Stripes(), Pixels(), Brightness(), Dice()
"""

POINTS = {
    "colgan_search.datasets": {"stripes": "STRIPES"},
    "colgan_search.extractors": {"pixels": "PIXELS"},
    "colgan_search.metrics": {"brightness": "BRIGHTNESS"},
    "colgan_search.samplers": {"dice": "DICE"},
}

CONFIG: dict[str, Any] = {
    "name": "striped",
    "k": 2,
    "data": {"name": "stripes", "size": 8, "channels": 1, "width": 1},
    "transfer": {"kind": "image"},
    "evaluation": {
        "extractor": "pixels",
        "extractor_settings": {"classes": 3},
        "fid": False,
        "metrics": [{"name": "brightness", "target": 50}],
        "images": 20,
        "splits": 1,
    },
    "search": {"sampler": "dice", "sampler_settings": {"faces": 2}, "objective": "brightness"},
}


def install(
    folder: Path, package: str, code: str, points: dict[str, dict[str, str]] = POINTS, version: str = "1.0"
) -> None:
    """What pip leaves of a package with these entry points."""
    info = folder / f"{package}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    lines = [
        line
        for group, members in points.items()
        for line in (f"[{group}]", *(f"{name} = {package}:{attribute}" for name, attribute in members.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    (folder / f"{package}.py").write_text(code)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages; registries look for members anew, and again after the test."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    with monkeypatch.context() as patch:
        for registry in REGISTRIES:
            patch.delitem(registry.__dict__, "_points", raising=False)
            patch.setattr(registry, "_loaded", {})
        yield folder
        for registry in REGISTRIES:
            registry.__dict__.pop("_points", None)
    for name in [name for name in sys.modules if name.startswith("colgan_stripes")]:
        del sys.modules[name]


@pytest.fixture
def striped(packages: Path) -> StudyConfig:
    install(packages, "colgan_stripes", STRIPES)
    return parse_config(CONFIG, "striped.yaml")


def test_a_study_of_members_of_another_package(striped: StudyConfig, tmp_path: Path) -> None:
    real = load_images(striped.data)
    assert real.counted == "40 images of 2 classes"
    assert real.images[0, 0, 0].tolist() == [0, 255] * 4, "the data set's own width"
    judge = Evaluator(striped.evaluation, real, tmp_path, CPU, objective=striped.objective)
    found = judge.score([tiny_generator(), tiny_generator(seed=1)], 8, seed=0)
    assert found.protocol.extractor == "pixels" and found.objective.words == "min brightness"
    assert found.protocol.metrics == {"brightness": {"target": 50.0, "package": "colgan_stripes 1.0"}}
    distances = found.of("brightness")
    assert distances is not None and found.value == min(distances)
    sampler = make_sampler(striped.search, 0, 0, {})
    assert isinstance(sampler, RandomSampler)
    assert parse_config(striped.model_dump(mode="json"), "again") == striped


def test_settings_of_their_own_are_part_of_the_fingerprint(striped: StudyConfig) -> None:
    others: list[dict[str, Any]] = [
        {"data": {"width": 2}},
        {"evaluation": {"extractor_settings": {"classes": 4}}},
        {"evaluation": {"metrics": ["brightness"]}},
        {"search": {"sampler_settings": {"faces": 3}}},
        {"search": {"objective": "is"}},
    ]
    prints = {fingerprint(striped)}
    for other in others:
        ((section, fields),) = other.items()
        prints.add(fingerprint(parse_config(CONFIG | {section: CONFIG[section] | fields}, "other")))
    assert len(prints) == 1 + len(others)


@pytest.mark.parametrize(
    ("section", "fields", "said"),
    [
        ("data", {"width": "wide"}, "data.width: 'wide' is not allowed: input should be a valid integer"),
        ("data", {"breadth": 1}, "data.breadth: unknown key; known here: name, root, size"),
        (
            "evaluation",
            {"extractor_settings": {"class": 3}},
            "evaluation.extractor_settings.class: unknown key; known here: classes",
        ),
        ("search", {"sampler_settings": {"faces": 0.5}}, "search.sampler_settings.faces: 0.5 is not allowed"),
        ("search", {"sampler_settings": {"sides": 6}}, "search.sampler_settings.sides: unknown key; known here: faces"),
        ("search", {"sampler": "tpe"}, "search.sampler_settings.faces: unknown key"),
        ("search", {"sampler": "loaded"}, "search.sampler: 'loaded' is not allowed: unknown sampler 'loaded'; known"),
    ],
)
def test_bad_settings_are_refused_with_their_key(
    striped: StudyConfig, section: str, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(CONFIG | {section: CONFIG[section] | fields}, "bad.yaml")
    assert f"bad.yaml: {said}" in str(refused.value) and "\n" not in str(refused.value)


def test_what_a_study_uses_of_installed_packages(striped: StudyConfig, packages: Path) -> None:
    used = members_used(striped)
    assert used == {
        "data set stripes": "colgan_stripes 1.0",
        "extractor pixels": "colgan_stripes 1.0",
        "metric brightness": "colgan_stripes 1.0",
        "sampler dice": "colgan_stripes 1.0",
    }
    require_members(used, "study 'x'")
    (packages / "colgan_stripes-1.0.dist-info").rename(packages / "gone")
    said = (
        "study 'x' uses the data set 'stripes' of package colgan_stripes 1.0, which is not installed here: "
        "pip install colgan_stripes==1.0"
    )
    with pytest.raises(PluginError, match=f"^{re.escape(said)}$"):
        require_members(used, "study 'x'")


def test_another_version_of_a_package_is_refused(striped: StudyConfig) -> None:
    recorded = {"gate cosine": "colgan_stripes 0.9"}
    said = "uses the gate 'cosine' of package colgan_stripes 0.9, and here is 1.0; scores must not mix: pip install"
    with pytest.raises(PluginError, match=re.escape(said)):
        require_members(recorded, "study 'x'")


def test_what_is_built_in_is_not_recorded() -> None:
    assert (
        members_used(parse_config({"name": "a", "data": {"name": "digits"}, "transfer": {"kind": "image"}}, "")) == {}
    )


def test_a_config_without_the_package_lists_what_is_known(packages: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.name: 'stripes' is not allowed: unknown data set 'stripes'"):
        parse_config(CONFIG, "striped.yaml")


def test_a_package_that_cannot_be_imported_is_named(packages: Path) -> None:
    install(packages, "colgan_stripes", "import not_there")
    with pytest.raises(ConfigError, match=r"sampler 'dice' of colgan_stripes 1\.0 cannot be loaded: ModuleNotFound"):
        parse_config({**CONFIG, "data": {"name": "digits"}, "evaluation": {}, "search": {"sampler": "dice"}}, "a.yaml")


def test_a_data_set_that_gives_something_else_is_named(packages: Path) -> None:
    install(packages, "colgan_stripes", STRIPES)
    settings = DATASETS.get("stripes").settings(name="stripes", size=8, channels=3)
    wrong = digits(10)
    DATASETS.get("stripes").load = lambda *a: wrong  # type: ignore[method-assign]
    with pytest.raises(PluginError, match=r"the data set 'stripes' gives images torch\.uint8 \[10, 1, 8, 8\]"):
        load_images(settings)


def test_an_extractor_that_gives_something_else_is_named(packages: Path, tmp_path: Path) -> None:
    install(packages, "colgan_stripes", STRIPES)
    EXTRACTORS.get("pixels").load = lambda *a: "pixels"  # type: ignore[method-assign]
    evaluation = parse_config(CONFIG, "striped.yaml").evaluation
    with pytest.raises(PluginError, match="the extractor 'pixels' gave a str, where an Extractor is wanted"):
        load_extractor(evaluation, digits(10), tmp_path, CPU)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('numbers = ("brightness",)', 'numbers = ("fid",)'), "measures 'fid'; its numbers are called brightness or"),
        (('numbers = ("brightness",)', "numbers = ()"), "names no numbers"),
        (("worst = 1000.0", "worst = float('inf')"), "has the worst value inf; it must be finite"),
    ],
)
def test_a_metric_that_cannot_be_used_is_refused(packages: Path, change: tuple[str, str], said: str) -> None:
    install(packages, "colgan_stripes", STRIPES.replace(*change))
    for attempt in (lambda: get_metric("brightness"), lambda: parse_config(CONFIG, "striped.yaml")):
        with pytest.raises((PluginError, ConfigError), match=re.escape(said)):
            attempt()


def test_the_samplers_are_ours_and_optunas() -> None:
    assert SAMPLERS.names() == ("graph", "tpe", "random", "gp", "nsgaii", "repeat", "race")
    plain = parse_config({"name": "a", "data": {"name": "digits"}, "transfer": {"kind": "image"}}, "")
    for sampler in SAMPLERS:
        if sampler.name != "race":  # it cannot be without its candidates: `integration/test_race.py`
            assert isinstance(sampler.make(plain.search, seed=1), BaseSampler)
    assert [s.name for s in SAMPLERS if s.ends_early] == ["race"]
    assert [s.name for s in SAMPLERS if not s.proposes] == ["repeat"]
    assert [(s.name, s.learns_from) for s in SAMPLERS if s.learns] == [
        ("graph", None),
        ("tpe", 1500),
        ("gp", None),
        ("nsgaii", None),
    ]
    assert [s.name for s in SAMPLERS if s.sees_all] == ["graph"]


def test_the_local_launcher_plans_one_device_per_worker(tmp_path: Path) -> None:
    local = LAUNCHERS.get("local")
    runtime = parse_config(
        {"name": "a", "data": {"name": "digits"}, "transfer": {"kind": "image"}, "runtime": {"device": "cpu"}}, ""
    ).runtime
    assert local.plan(local.settings(), WorkersWanted(runtime, workers=2)) == ["cpu", "cpu"]
    assert local.plan(local.settings(), WorkersWanted(runtime, workers=0)) == []
    assert local.here
