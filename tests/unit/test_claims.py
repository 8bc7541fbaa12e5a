"""The paper's claims, answered from hand-made rows: yes, no, not to be told apart, and why there is no answer."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from colgan_search.evaluation.comparing import Verdict
from colgan_search.records import GeneratorScore, Protocol, Scores
from colgan_search.reproduction.answers import answer, answer_claims, together
from colgan_search.reproduction.comparisons import MEASURES
from colgan_search.reproduction.paper_claims import CLAIMS, FID_MARGIN, IS_MARGIN, Claim, Comparison, Kind
from colgan_search.reproduction.paper_tables import TABLES, row_of
from colgan_search.reproduction.studies import RowStudies
from colgan_search.search.study.results import TrialRecord

PROTOCOL = Protocol(
    extractor="classifier", weights_digest="0" * 16, resolution=8, channels=1, images=100, splits=1, reference=None
)
BUFFERED = "G1=D:t,G2:p,G3:p/G2=D:t/G3=G1:p"
REAL_IS = 10.0


def _one(score: float, fid: float | None) -> GeneratorScore:
    return GeneratorScore(metrics={"is_mean": score, "is_std": 0.0, **({} if fid is None else {"fid": fid})})


def training(number: int, scores: Sequence[float] | None, fid: float | None = None, **what: Any) -> TrialRecord:
    """One complete trial with IS `scores` of G1..Gk, and every generator's FID; it diverged without scores."""
    found = TrialRecord(
        number=number,
        state="complete",
        value=1.0 if scores is None else max(scores),
        graph=BUFFERED,
        scores=None
        if scores is None
        else Scores(generators=tuple(_one(score, fid) for score in scores), protocol=PROTOCOL),
        seed=number,
        seconds=1.0,
        worker=None,
        diverged="NaN in D" if scores is None else None,
        started=None,
        finished=None,
    )
    return replace(found, **what)


def given(name: str, scores: Sequence[float], fids: Sequence[float] | None = None) -> RowStudies:
    """A given graph's row, trained once for each score."""
    fids = [30.0 + score for score in scores] if fids is None else fids
    trained = tuple(training(i, [score], fid) for i, (score, fid) in enumerate(zip(scores, fids, strict=True)))
    return RowStudies(row_of(name), name, "last", len(scores), trained=trained)


def searched(
    name: str, winner: Sequence[float] | None, again: Sequence[Sequence[float] | None] = (), **what: Any
) -> RowStudies:
    """A search's row: the generators' IS of its winning trial, and those of every training of its graph again."""
    trained = tuple(training(i, scores) for i, scores in enumerate(again))
    found = RowStudies(row_of(name), name, "last", len(trained), 1, (training(0, winner),), f"{name}-again", trained)
    return replace(found, **what)


def over_trials(name: str, values: Sequence[float]) -> RowStudies:
    trials = tuple(training(i, [value]) for i, value in enumerate(sorted(values, reverse=True)))
    return RowStudies(row_of(name), name, "last", 0, len(trials), trials)


def verdict(kind: Kind, *rows: RowStudies, real_is: float | None = REAL_IS) -> str:
    names = [row.row.config for row in rows]
    claim = Claim("?", "", (Comparison(kind, *names),))
    return answer(claim, {row.row.config: row for row in rows}, real_is).verdict.value


SN, PLAIN = "table1-dcgan-sn", "table1-dcgan"


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([6.0, 6.1, 6.2], "yes"),
        ([4.0, 4.1, 4.2], "no"),
        ([4.9, 5.1, 5.3], "not to be told apart"),
        ([6.0], "not run"),
        ([], "not run"),
    ],
)
def test_means_over_seeds(scores: list[float], said: str) -> None:
    against = given(PLAIN, [4.9, 5.0, 5.1])
    assert verdict(Kind.IS_ABOVE, given(SN, scores), against) == said


def test_fid_of_the_best_generators() -> None:
    low, high = given(SN, [5.0] * 3, [20.0, 21.0, 22.0]), given(PLAIN, [5.0] * 3, [30.0, 31.0, 32.0])
    assert verdict(Kind.FID_BELOW, low, high) == "yes"
    assert verdict(Kind.FID_BELOW, high, low) == "no"
    assert verdict(Kind.FID_BELOW, low, given(PLAIN, [5.0] * 3, [20.5, 21.0, 22.0])) == "not to be told apart"
    assert verdict(Kind.FID_CLOSE, low, high) == "no"
    near = [100.0, 100.5, 101.0]
    assert verdict(Kind.FID_CLOSE, given(SN, [5.0] * 3, near), given(PLAIN, [5.0] * 3, near)) == "yes"
    diverged = replace(low, trained=(*low.trained[:1], training(1, None), training(2, None)))
    assert verdict(Kind.FID_BELOW, diverged, high) == "not run", "one FID is left"


def test_about_the_same_is_within_half_of_the_papers_step() -> None:
    """By hand: 0.5 * 0.29 / 8.70 = 1/60 of 10 is 0.167; half of 21.17 to 27.02 is 13.8 %."""
    assert pytest.approx(1 / 60) == IS_MARGIN and pytest.approx(0.13817, abs=1e-5) == FID_MARGIN
    base = given(PLAIN, [4.99, 5.0, 5.01])
    for shift, said in ((0.1, "yes"), (-0.1, "yes"), (0.3, "no"), (-0.3, "no"), (0.167, "not to be told apart")):
        shifted = given(SN, [4.99 + shift, 5.0 + shift, 5.01 + shift])
        assert verdict(Kind.IS_CLOSE, shifted, base) == said
    assert verdict(Kind.IS_CLOSE, base, base, real_is=None) == "not run", "the margin needs the real images"


def test_a_search_is_compared_by_its_retrainings_not_by_its_lucky_score() -> None:
    lucky = searched("table3-proposed", [9.0, 5.0, 1.5], [[5.0, 4.0, 1.5], [5.1, 4.0, 1.5], [5.2, 4.0, 1.5]])
    better = given("table3-mad-gan", [6.0, 6.1, 6.2])
    assert verdict(Kind.IS_ABOVE, lucky, better) == "no"
    assert verdict(Kind.IS_ABOVE, replace(lucky, trained=()), better) == "not run"


def test_all_trials_of_two_searches() -> None:
    names = ("table2-output-side", "table2-image")
    narrow, wide = [5.0 + 0.01 * i for i in range(40)], [4.0 + 0.05 * i for i in range(40)]
    high, low = over_trials(names[0], narrow), over_trials(names[1], wide)
    same = over_trials(names[1], narrow)
    assert verdict(Kind.MEDIAN_ABOVE, over_trials(names[0], [value + 1 for value in narrow]), low) == "yes"
    assert verdict(Kind.MEDIAN_ABOVE, high, same) == "not to be told apart"
    assert verdict(Kind.SPREAD_BELOW, high, low) == "yes" and verdict(Kind.SPREAD_BELOW, low, high) == "no"
    assert verdict(Kind.MEDIAN_CLOSE, high, same) == "yes"
    assert verdict(Kind.MEDIAN_CLOSE, high, over_trials(names[1], [value + 1 for value in narrow])) == "no"
    assert verdict(Kind.SPREAD_BELOW, over_trials(names[0], narrow[:9]), low) == "not run", "too few trials"


def test_the_winning_trial_says_which_generator_is_best() -> None:
    """In each of these trainings some generator is best; only the one that the winning trial names counts."""
    again = [[5.0, 4.8, 1.3], [5.2, 5.0, 1.4], [5.1, 4.9, 1.2]]
    name = "table3-proposed"
    assert verdict(Kind.BEST_GENERATOR_ABOVE, searched(name, [6.0, 5.5, 1.3], again)) == "yes"
    assert verdict(Kind.BEST_GENERATOR_ABOVE, searched(name, [5.5, 6.0, 1.3], again)) == "no"
    wild = [[5.0, 5.1, 1.0], [5.1, 5.0, 1.0], [5.0, 5.0, 1.0]]
    assert verdict(Kind.BEST_GENERATOR_ABOVE, searched(name, [6.0, 5.5, 1.3], wild)) == "not to be told apart"
    assert verdict(Kind.BEST_GENERATOR_ABOVE, searched(name, None, [None, None])) == "not run"
    # The winning trial's last is the best of every training: the winner's first is not better than all others.
    third = [[5.0, 4.0, 6.0], [5.1, 4.0, 6.1], [5.2, 4.2, 6.3]]
    assert verdict(Kind.BEST_GENERATOR_ABOVE, searched(name, [6.0, 5.5, 5.4], third)) == "no"


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        (BUFFERED, "yes"),
        ("G1=D:n,G2:p/G2=D:t/G3=-", "yes"),
        ("G1=D:t,G2:p/G2=D:t,G1:t/G3=-", "no"),
        ("G1=D:t/G2=D:t/G3=D:t", "no"),
    ],
)
def test_ramps_of_the_winning_graph(graph: str, said: str) -> None:
    row = searched("table3-proposed", [5.0, 4.0, 1.3])
    assert verdict(Kind.TRANSFERS_RAMP_UP, replace(row, searched=(replace(row.searched[0], graph=graph),))) == said


@pytest.mark.parametrize(
    ("graph", "third", "said"),
    [
        (BUFFERED, [1.3, 1.4, 1.5], "yes"),
        (BUFFERED, [4.5, 4.6, 4.7], "no"),
        (BUFFERED, [2.0, 3.0, 4.0], "not to be told apart"),
        ("G1=D:t,G2:p/G2=D:t,G3:t/G3=G1:p", [1.3, 1.4, 1.5], "no"),
        ("G1=D:t/G2=D:t/G3=G1:p", [1.3, 1.4, 1.5], "no"),
    ],
)
def test_a_buffer_teaches_the_best_and_hardly_makes_images(graph: str, third: list[float], said: str) -> None:
    """G1 has 5.0 to 5.2, G2 4.8: the bar is half of G1's way from 1, 3.0 to 3.1. G3 teaches G1 in the first graph."""
    again = [[5.0 + 0.1 * i, 4.8, score] for i, score in enumerate(third)]
    row = searched("table3-proposed", [5.3, 4.9, 1.3], again)
    assert verdict(Kind.HAS_BUFFER, replace(row, searched=(replace(row.searched[0], graph=graph),))) == said


def test_what_was_judged_differently_is_not_compared() -> None:
    other = training(0, [6.0])
    assert other.scores is not None
    by_another = other.scores.protocol.model_copy(update={"weights_digest": "f" * 16})
    other = replace(other, scores=other.scores.model_copy(update={"protocol": by_another}))
    row = given(SN, [6.0, 6.0])
    assert verdict(Kind.IS_ABOVE, replace(row, trained=(other, other)), given(PLAIN, [5.0, 5.1])) == "not comparable"
    mixed = replace(row, trained=(row.trained[0], other))
    assert verdict(Kind.IS_ABOVE, mixed, given(PLAIN, [5.0, 5.1])) == "not comparable", "one row, two judges"


def test_diverged_trainings_count_as_the_floor() -> None:
    row = given(SN, [6.0, 6.1, 6.2])
    fallen = replace(row, trained=(*row.trained[:2], training(2, None)))
    measured = answer(
        Claim("?", "", (Comparison(Kind.IS_ABOVE, SN, PLAIN),)),
        {SN: fallen, PLAIN: given(PLAIN, [1.0, 1.0])},
        REAL_IS,
    ).measured[0]
    assert measured.difference is not None and measured.difference.value == pytest.approx((6.0 + 6.1 + 1.0) / 3 - 1.0)


def test_several_comparisons_make_one_answer() -> None:
    yes, no, open_, missing = Verdict.YES, Verdict.NO, Verdict.UNDECIDED, Verdict.NOT_RUN
    assert [together(v) for v in ([yes, yes], [yes, open_], [yes, no, missing], [yes, missing])] == [
        yes,
        open_,
        no,
        missing,
    ]
    assert together([yes, missing], leave_out=True) is yes and together([missing], leave_out=True) is missing


def test_rows_that_are_not_complete_are_named() -> None:
    claim = Claim("?", "", (Comparison(Kind.IS_ABOVE, SN, PLAIN),))
    rows = {SN: replace(given(SN, [6.0, 6.1, 6.2]), seeds=5), PLAIN: given(PLAIN, [5.0, 5.1])}
    assert answer(claim, rows, REAL_IS).measured[0].remark == "so far, DCGAN + SN: 3 of 5 seeds"


def test_every_claim_can_be_answered_and_names_rows_that_there_are() -> None:
    assert set(MEASURES) == set(Kind) and set(CLAIMS) == set(TABLES)
    names = {row.config for rows in TABLES.values() for row in rows}
    for table, claims in CLAIMS.items():
        for claim in claims:
            named = {name for c in claim.comparisons for name in (c.row, c.against) if name is not None}
            assert named <= names
            assert claim.elsewhere or named <= {row.config for row in TABLES[table]}
        blank = {name: RowStudies(row_of(name), name, "last", 5) for name in names}
        assert {one.verdict.value for one in answer_claims(table, blank, REAL_IS)} == {"not run"}
