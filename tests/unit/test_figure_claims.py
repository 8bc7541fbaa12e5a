"""The answers to the claims of figures 5 and 6, from numbers made by hand."""

import math
from collections.abc import Sequence

import pytest

from colgan_search.evaluation.diversity import Diversity
from colgan_search.reproduction.figure_claims import QUESTIONS, Answered, answers, as_dict, markdown, summary
from colgan_search.reproduction.measured_pairs import MeasuredPair, MeasuredPairs

PAIRED, OVERLAPS, OVERLAPS_MORE, WIDER, ONE_WIDER, COVERS = range(len(QUESTIONS))


def numbers(**changes: float | None) -> Diversity:
    standard = {"paired": 0.5, "overlap": 0.5, "variance": 50.0, "variance_within": 40.0, "recall": 0.5}
    return Diversity.model_validate(standard | changes)


def pairs(proposed: Sequence[Diversity], mad_gan: Sequence[Diversity]) -> MeasuredPairs:
    def pair(name: str, trainings: Sequence[Diversity]) -> MeasuredPair:
        return MeasuredPair(name, len(trainings) + 1, dict(enumerate(trainings)), {len(trainings): "diverged (NaN)"})

    return MeasuredPairs(pair("ours", proposed), pair("theirs", mad_gan), 1000, 1797, 60.0, "classifier", "0" * 16)


def answered(measure: str, proposed: Sequence[float], mad_gan: Sequence[float]) -> list[Answered]:
    ours, theirs = ([numbers(**{measure: value}) for value in values] for values in (proposed, mad_gan))
    return answers(pairs(ours, theirs))


def verdicts(measure: str, proposed: Sequence[float], mad_gan: Sequence[float]) -> list[str]:
    return [found.verdict.value for found in answered(measure, proposed, mad_gan)]


LOW, HIGH, BETWEEN = [9.0, 10.0, 11.0], [29.0, 30.0, 31.0], [5.0, 11.0, 16.0]


@pytest.mark.parametrize(
    ("proposed", "mad_gan", "answer"),
    [(HIGH, LOW, "yes"), (LOW, HIGH, "no"), (LOW, BETWEEN, "not to be told apart"), (LOW, LOW, "not to be told apart")],
)
@pytest.mark.parametrize(("question", "measure"), [(WIDER, "variance"), (ONE_WIDER, "variance_within")])
def test_wider(question: int, measure: str, proposed: list[float], mad_gan: list[float], answer: str) -> None:
    assert verdicts(measure, proposed, mad_gan)[question] == answer


def test_welchs_interval_and_the_ratio_by_hand() -> None:
    """Means 30 and 10, both variances 1, n = 3: standard error sqrt(2/3), 4 degrees of freedom, t = 2.776445."""
    found = answered("variance", HIGH, LOW)[WIDER]
    assert found.ratio == pytest.approx(3.0)
    assert found.difference is not None and found.difference.value == pytest.approx(20.0)
    half = 2.776445105 * math.sqrt(2 / 3)
    assert (found.difference.low, found.difference.high) == pytest.approx((20 - half, 20 + half), rel=1e-6)


def test_alike_means_a_smaller_paired_distance() -> None:
    assert verdicts("paired", [0.10, 0.12, 0.11], [0.9, 1.0, 1.1])[PAIRED] == "yes"
    assert verdicts("paired", [0.9, 1.0, 1.1], [0.10, 0.12, 0.11])[PAIRED] == "no"


def test_overlap_by_itself_and_against_mad_gan() -> None:
    assert verdicts("overlap", [0.80, 0.82, 0.81], [0.90, 0.92, 0.91])[OVERLAPS : OVERLAPS_MORE + 1] == ["yes", "no"]
    assert verdicts("overlap", [0.20, 0.22, 0.21], [0.01, 0.02, 0.03])[OVERLAPS : OVERLAPS_MORE + 1] == ["no", "yes"]
    assert verdicts("overlap", [0.30, 0.50, 0.70], [0.30, 0.50, 0.71])[OVERLAPS] == "not to be told apart"


def test_without_mad_gan_only_what_is_the_pairs_own_is_answered() -> None:
    found = answers(pairs([numbers(overlap=value) for value in (0.8, 0.81, 0.82)], []))
    assert [one.verdict.value for one in found] == ["not run", "yes", *["not run"] * 4]
    assert "not measured" in markdown(pairs([numbers(), numbers()], []), "x")


def test_one_training_has_no_interval() -> None:
    found = answered("variance", [100.0], [1.0])
    assert {one.verdict.value for one in found} == {"not run"}
    assert found[WIDER].difference is None and found[WIDER].ratio == 100.0


def test_trainings_without_a_number_are_left_out() -> None:
    """Collapsed generators have no paired distance."""
    found = answers(pairs([numbers(paired=None), numbers(paired=0.1), numbers(paired=0.2)], [numbers(), numbers()]))
    assert found[PAIRED].proposed.n == 2 and found[PAIRED].proposed.mean == pytest.approx(0.15)
    assert found[WIDER].proposed.n == 3


def test_summary_by_hand() -> None:
    """1, 2, 3: mean 2, deviation 1, half-width of the t interval 4.302653 / sqrt(3)."""
    found = summary([1.0, 2.0, 3.0])
    half = 4.302652730 / math.sqrt(3)
    assert (found.mean, found.std, found.low, found.high) == pytest.approx((2.0, 1.0, 2 - half, 2 + half), rel=1e-6)
    assert summary([]).text() == "not measured" and summary([0.5]).text() == "0.5, n = 1"


def test_the_page_says_how_many_trainings_are_behind_it() -> None:
    measured = pairs([numbers(variance=value) for value in HIGH], [numbers(variance=value) for value in LOW])
    page = markdown(measured, "colgan-search reproduce figures --scale digits")
    assert "ours: 3 of 4 trainings measured; trial 3: diverged (NaN)" in page
    assert "1,000 images per generator" in page and "1,797 real images" in page and "classifier" in page
    (row,) = [line for line in page.splitlines() if line.startswith("| Is the distribution of both together wider")]
    assert "| 30 ± 1 (" in row and "| 10 ± 1 (" in row and "| 3.00 | **yes** |" in row
    assert "`colgan-search reproduce figures --scale digits`" in page
    columns = {line.count("|") for line in page.splitlines() if line.startswith("|")}
    assert columns == {8}
    data = as_dict(measured)
    assert [claim["answer"] for claim in data["claims"]][WIDER] == "yes"
    assert data["mad_gan"]["measured"][1]["variance"] == 10.0 and data["proposed"]["left_out"] == {3: "diverged (NaN)"}
