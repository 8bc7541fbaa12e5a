"""The metrics that are built in: by hand, against torch-fidelity's calculate_metrics, and as a search's objective."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch_fidelity
import yaml
from threadpoolctl import threadpool_limits
from torch import Tensor
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from benchmarks.random_inception import Images
from colgan_search.config import StudyConfig, parse_config
from colgan_search.errors import ConfigError, DataError, Diverged
from colgan_search.evaluation import scores as evaluation_scores
from colgan_search.evaluation.metrics.kid import KID, KidSettings
from colgan_search.evaluation.metrics.precision_recall import PRECISION, RECALL, NeighbourSettings
from colgan_search.evaluation.scores import Evaluator
from colgan_search.experiment.best_point import BestPoint
from colgan_search.experiment.run import Run
from colgan_search.extensions.metrics import METRICS, Samples, objective
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import GeneratorScore, Protocol, Scores, best_run, score_text
from tests.unit.evaluation_helpers import CPU, digits, evaluator, first_pixels, settings, tiny_generator

torch.set_num_threads(1)

KID_AIM, RECALL_AIM = objective("kid"), objective("recall")


def samples(features: Tensor, real: Tensor) -> Samples:
    return Samples("G1", 1, torch.zeros(len(features), 2), features, real)


def test_kid_is_the_unbiased_cubic_kernel_distance() -> None:
    random = np.random.default_rng(1)
    ours, real = random.normal(0.3, 1, (50, 6)).astype("f"), random.normal(0, 1, (50, 6)).astype("f")

    def kernel(a: Any, b: Any) -> Any:
        return (a.astype(float) @ b.astype(float).T / 6 + 1) ** 3

    def off_diagonal_mean(k: Any) -> float:
        return float((k.sum() - np.trace(k)) / (50 * 49))

    expected = off_diagonal_mean(kernel(ours, ours)) + off_diagonal_mean(kernel(real, real))
    expected -= 2 * kernel(ours, real).mean()
    # Subsets of all 50 images: every one of the 100 estimates is the same.
    found = KID.compute(KidSettings(), samples(torch.from_numpy(ours), torch.from_numpy(real)))
    assert found["kid_mean"] == pytest.approx(expected, rel=1e-4)
    assert found["kid_std"] == pytest.approx(0, abs=1e-5)
    assert KID.words(KidSettings(), 50, 70) == "KID over 100 subsets of 50, against 70 real images"


def test_precision_is_of_the_generated_and_recall_of_the_real_images() -> None:
    line = torch.arange(10.0)[:, None]
    real = torch.cat([line, line + 1000])  # two modes
    for generated, precision, recall in (
        (line + 0.1, 1.0, 0.5),
        (torch.cat([real, line + 5000, line + 6000]), 0.5, 1.0),
    ):
        seen = samples(generated, real)
        assert PRECISION.compute(NeighbourSettings(name="precision"), seen) == {"precision": precision}
        assert RECALL.compute(NeighbourSettings(name="recall"), seen) == {"recall": recall}
        assert len(seen.memo) == 1, "computed once for both"


def test_all_of_them_equal_torch_fidelity(tmp_path: Path) -> None:
    real = digits(150)
    chosen = settings(
        splits=4,
        classifier_epochs=30,
        metrics=(
            METRICS.get("kid").settings.model_validate({"name": "kid", "subsets": 7, "subset_size": 40}),
            METRICS.get("precision").settings.model_validate({"name": "precision", "neighbours": 5}),
            METRICS.get("recall").settings.model_validate({"name": "recall", "neighbours": 5}),
        ),
    )
    judge = Evaluator(chosen, real, tmp_path, CPU)
    images = digits().images[200:300].clone()
    images[::2] = images[::2].flip(2)
    found = judge.score_images(images).metrics
    theirs = calculate_metrics(judge.extractor.module, images, real.images)
    for ours, name in {
        "is_mean": "inception_score_mean",
        "is_std": "inception_score_std",
        "fid": "frechet_inception_distance",
        "kid_mean": "kernel_inception_distance_mean",
        "kid_std": "kernel_inception_distance_std",
        "precision": "precision",
        "recall": "recall",
    }.items():
        assert found[ours] == pytest.approx(theirs[name], abs=1e-4), ours
    assert found["recall"] > 0 and found["precision"] < 1 and abs(found["kid_mean"]) > 0.005


def calculate_metrics(module: FeatureExtractorBase, images: Tensor, real: Tensor) -> Mapping[str, float]:
    """torch-fidelity's own way through the same module."""

    class Registered(FeatureExtractorBase):
        def __new__(cls, *arguments: Any, **options: Any) -> FeatureExtractorBase:
            return module

        get_default_feature_layer_for_metric = staticmethod(module.get_default_feature_layer_for_metric)

    FEATURE_EXTRACTORS_REGISTRY["under-test"] = Registered
    # It has no default layer of its own for these two: both are of the features that FID is of.
    layer = module.get_default_feature_layer_for_metric("fid")
    try:
        with threadpool_limits(1):
            found: Mapping[str, float] = torch_fidelity.calculate_metrics(
                input1=Images(images),
                input2=Images(real),
                isc=True,
                fid=True,
                kid=True,
                prc=True,
                kid_subsets=7,
                kid_subset_size=40,
                prc_neighborhood=5,
                isc_splits=4,
                feature_extractor="under-test",
                feature_layer_kid=layer,
                feature_layer_prc=layer,
                cuda=False,
                verbose=False,
                cache=False,
                save_cpu_ram=True,
            )
            return found
    finally:
        del FEATURE_EXTRACTORS_REGISTRY["under-test"]


def test_what_is_measured_stands_in_the_protocol(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kid = METRICS.get("kid").settings(name="kid")
    plain = evaluator(monkeypatch, tmp_path, fid=False)
    with_kid = evaluator(monkeypatch, tmp_path, fid=False, metrics=(kid,))
    assert plain.protocol().metrics == {} and plain.protocol().reference is None
    assert with_kid.protocol().metrics == {"kid": {"subsets": 100, "subset_size": 1000}}
    assert with_kid.protocol().reference is not None and with_kid.protocol() != plain.protocol()
    assert with_kid.protocol(interim=True) == plain.protocol(interim=True), "on the way only what the search needs"
    ours = with_kid.score([tiny_generator()], 8, seed=0).generators[0].metrics
    assert list(ours) == ["is_mean", "is_std", "kid_mean", "kid_std"]
    theirs = plain.score([tiny_generator()], 8, seed=0).generators[0].metrics
    assert {name: ours[name] for name in theirs} == theirs, "the same bits with and without it"


def test_an_objective_is_measured_on_the_way_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(evaluation_scores, "load_extractor", lambda *a: first_pixels())
    chosen = settings(metrics=(METRICS.get("kid").settings(name="kid"),))
    judge = Evaluator(chosen, digits(100), tmp_path, CPU, objective=KID_AIM)
    found = judge.score([tiny_generator(), tiny_generator(seed=1)], 8, seed=0, interim=True)
    assert list(found.generators[0].metrics) == ["is_mean", "is_std", "kid_mean", "kid_std"]
    values = found.of("kid_mean")
    assert values is not None and found.value == min(values)
    assert found.best_generator == values.index(min(values)) + 1
    assert Scores.model_validate_json(found.model_dump_json()) == found


def test_too_few_images_are_refused_before_anything_is_trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recall = METRICS.get("recall").settings.model_validate({"name": "recall", "neighbours": 60})
    with pytest.raises(DataError, match="precision and recall need at least 61 images; here are 60"):
        evaluator(monkeypatch, tmp_path, metrics=(recall,))


def test_a_number_that_is_not_finite_diverges(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    judge = evaluator(monkeypatch, tmp_path, metrics=(METRICS.get("kid").settings(name="kid"),))
    monkeypatch.setattr(type(KID), "compute", lambda *a: {"kid_mean": math.nan, "kid_std": 0.0})
    with pytest.raises(Diverged, match="G1: its kid_mean is nan"):
        judge.score([tiny_generator()], 8, seed=0)


PROTOCOL = Protocol(
    extractor="classifier", weights_digest="0" * 16, resolution=8, channels=1, images=100, splits=1, reference=None
)


def of_kid(*values: float) -> Scores:
    found = tuple(
        GeneratorScore(metrics={"is_mean": 9.0 - i, "is_std": 0.0, "kid_mean": value}) for i, value in enumerate(values)
    )
    return Scores(generators=found, protocol=PROTOCOL, objective=KID_AIM)


def test_lower_is_better_where_it_is() -> None:
    assert (KID_AIM.words, KID_AIM.worst, RECALL_AIM.words, RECALL_AIM.worst) == ("min KID", 1e6, "max recall", 0.0)
    assert (of_kid(0.5, -0.01, 0.2).value, of_kid(0.5, -0.01, 0.2).best_generator) == (-0.01, 2)
    assert of_kid(0.2, 0.2).best_generator == 1, "the lowest number among equals"
    assert sorted([0.5, -0.1, 3.0], key=KID_AIM.rank) == [-0.1, 0.5, 3.0]
    assert sorted([0.5, -0.1, 3.0], key=RECALL_AIM.rank) == [3.0, 0.5, -0.1]


@pytest.mark.parametrize(
    ("value", "decimals", "said"),
    [
        (7.254, 2, "7.25"),
        (7.254, 3, "7.254"),
        (0.5, 2, "0.50"),
        (0.0, 3, "0.000"),
        (0.00770, 2, "0.0077"),
        (-0.000123456, 3, "-0.000123"),
        (0.0101, 2, "0.01"),
        (1e6, 2, "1000000.00"),
    ],
)
def test_a_score_near_zero_keeps_its_digits(value: float, decimals: int, said: str) -> None:
    assert score_text(value, decimals) == said


def test_the_best_point_and_a_diverged_run_follow_the_objective(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    extra: dict[str, Any] = {}
    best = BestPoint(extra, 2)
    generators = [tiny_generator(), tiny_generator(seed=1)]
    for epoch, values in enumerate([(0.5, 0.4), (0.6, 0.1), (0.3, 0.2)], start=1):
        best.see(epoch, of_kid(*values), generators)
    assert best.epochs == (3, 2)
    judge = evaluator(monkeypatch, tmp_path)
    judge.objective = KID_AIM
    run = Run(
        KnowledgeTransferGraph.from_text("G1=D:t"), 0, judge.settings, judge, 8, lambda progress: None, lambda: False
    )
    outcome = run.outcome("NaN in D")
    assert outcome.value == 1e6 and outcome.scores is None
    healthy = outcome.model_copy(update={"value": 0.3, "scores": of_kid(0.3), "diverged": None})
    better = healthy.model_copy(update={"value": 0.2, "scores": of_kid(0.2)})
    assert best_run({0: outcome, 1: healthy, 2: better}) == 2 and best_run({0: outcome, 1: healthy}) == 1


def test_scores_that_are_no_record_of_ours_are_refused() -> None:
    for metrics in ({"fid": 3.0}, {"is_mean": math.nan, "is_std": 0.0}, {"is_mean": 1.0, "is_std": 0.0, "A b": 1.0}):
        with pytest.raises(ValueError, match=r"metrics|missing"):
            GeneratorScore(metrics=metrics)
    plain = GeneratorScore(metrics={"is_mean": 1.0, "is_std": 0.0})
    with pytest.raises(ValueError, match="objective's number, kid_mean, is missing"):
        Scores(generators=(plain,), protocol=PROTOCOL, objective=KID_AIM)
    with pytest.raises(ValueError, match="have not the same numbers"):
        Scores(generators=(plain, *of_kid(0.1).generators), protocol=PROTOCOL)


GOOD = "{name: a, k: 2, data: {name: digits, size: 16, channels: 1}, transfer: {kind: image}"


def config(text: str) -> StudyConfig:
    return parse_config(yaml.safe_load(GOOD + text + "}"), "a.yaml")


def test_metrics_are_named_or_given_with_settings() -> None:
    found = config(", evaluation: {metrics: [kid, {name: recall, neighbours: 5}]}, search: {objective: recall}")
    assert [one.model_dump() for one in found.evaluation.metrics] == [
        {"name": "kid", "subsets": 100, "subset_size": 1000},
        {"name": "recall", "neighbours": 5},
    ]
    assert found.objective == RECALL_AIM and config("").objective.words == "max IS"
    assert parse_config(found.model_dump(mode="json"), "again") == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("search: {objective: kid}", "a.yaml: search.objective: kid needs evaluation.metrics to have it"),
        ("search: {objective: best}", "search.objective: unknown metric 'best'; known are: is, fid, kid, precision"),
        ("search: {objective: fid}, evaluation: {fid: false}", "search.objective: fid needs evaluation.fid: true"),
        ("evaluation: {metrics: [clip]}", "evaluation.metrics.0.name: 'clip' is not allowed: unknown metric 'clip'"),
        ("evaluation: {metrics: [kid, kid]}", "metrics has a metric twice"),
        ("evaluation: {metrics: [fid]}", "FID is asked for with fid: true"),
        ("evaluation: {metrics: [is]}", "the inception score is always measured"),
        ("evaluation: {metrics: kid}", "evaluation.metrics: 'kid' is not allowed"),
        ("evaluation: {metrics: [{subsets: 3}]}", "evaluation.metrics.0.name: is missing"),
        (
            "evaluation: {metrics: [{name: kid, size: 3}]}",
            "evaluation.metrics.0.size: unknown key; known here: name, subsets, subset_size",
        ),
        ("evaluation: {metrics: [{name: kid, subsets: 0}]}", "evaluation.metrics.0.subsets: 0 is not allowed"),
        ("evaluation: {extractor_settings: {layers: 3}}", "evaluation.extractor_settings.layers: unknown key"),
        ("search: {sampler_settings: {seed: 3}}", "search.sampler_settings.seed: unknown key"),
        ("search: {sampler_settings: 3}", "search.sampler_settings: 3 is not allowed"),
    ],
)
def test_a_bad_line_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        config(", " + text)
    assert said in str(refused.value) and "\n" not in str(refused.value)
