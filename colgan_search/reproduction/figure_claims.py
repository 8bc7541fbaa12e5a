"""What the paper says of figures 5 and 6, as questions with a measured answer: yes, no, or not to be told apart."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from colgan_search.evaluation import comparing
from colgan_search.evaluation.comparing import Difference, Verdict
from colgan_search.evaluation.diversity import NEIGHBOURS, Diversity
from colgan_search.reproduction.measured_pairs import MeasuredPair, MeasuredPairs

HALF = 0.5
"""Generators overlap if one covers more than this share of what it would cover of a second draw of itself."""

RULE = (
    "A comparison is yes if the whole 95 % interval of the difference proposed − MAD-GAN (Welch's t, over training "
    "seeds) lies on the side that the question asks for, no if it lies on the other, else not to be told apart. "
    f"Overlap by itself: yes if the whole 95 % t interval of its mean lies above {HALF}, no if below. Fewer than "
    "two measured trainings of a system have no interval."
)


@dataclass(frozen=True)
class Question:
    """One claim. `measure` is a number of `Diversity`."""

    text: str
    measure: str
    unit: str
    more: bool = True
    """The claim is that the proposed pair's number is higher than MAD-GAN's; False = lower."""
    bar: float | None = None
    """If set, the proposed pair's number is compared with it and not with MAD-GAN's."""


QUESTIONS = (
    Question("Are images of the same z more alike than MAD-GAN's? (figure 5)", "paired", "paired distance", more=False),
    Question("Do the proposed pair's generators overlap? (figure 6)", "overlap", "overlap", bar=HALF),
    Question("Do they overlap more than MAD-GAN's?", "overlap", "overlap"),
    Question("Is the distribution of both together wider than MAD-GAN's? (figure 6)", "variance", "total variance"),
    Question("Is that of a single generator wider than MAD-GAN's?", "variance_within", "variance of one generator"),
    Question("Do both together cover more of the real images than MAD-GAN's?", "recall", "recall"),
)


@dataclass(frozen=True)
class Summary:
    """One number of one system over its measured trainings."""

    n: int
    mean: float | None
    std: float | None
    """Over training seeds; None for fewer than two."""
    low: float | None
    high: float | None
    """Ends of the mean's 95 % t interval."""

    def text(self) -> str:
        """`0.84 ± 0.03 (0.80 to 0.88), n = 5`: mean, deviation over seeds, interval of the mean, trainings."""
        if self.mean is None:
            return "not measured"
        if self.std is None or self.low is None or self.high is None:
            return f"{self.mean:.3g}, n = {self.n}"
        return f"{self.mean:.3g} ± {self.std:.2g} ({self.low:.3g} to {self.high:.3g}), n = {self.n}"


@dataclass(frozen=True)
class Answered:
    """A question's numbers and answer."""

    question: Question
    proposed: Summary
    mad_gan: Summary
    difference: Difference | None
    """From MAD-GAN's mean, or from the question's bar; None without two trainings of each."""
    ratio: float | None
    """Of the means, proposed / MAD-GAN."""
    verdict: Verdict


def answers(pairs: MeasuredPairs) -> list[Answered]:
    """Every question with its answer, by RULE."""
    return [_answered(question, pairs) for question in QUESTIONS]


def _answered(question: Question, pairs: MeasuredPairs) -> Answered:
    ours, theirs = pairs.proposed.values(question.measure), pairs.mad_gan.values(question.measure)
    difference, verdict = None, Verdict.NOT_RUN  # one training has no interval
    if question.bar is not None:
        if len(ours) > 1:
            difference = comparing.within_pairs(ours, [question.bar] * len(ours))
    elif min(len(ours), len(theirs)) > 1:
        difference = comparing.of_means(ours, theirs)
    if difference is not None:
        verdict = (comparing.is_above if question.more else comparing.is_below)(difference)
    proposed, mad_gan = summary(ours), summary(theirs)
    ratio = proposed.mean / mad_gan.mean if proposed.mean is not None and mad_gan.mean else None
    return Answered(question, proposed, mad_gan, difference, ratio, verdict)


def summary(values: list[float]) -> Summary:
    """Mean, deviation and t interval of the numbers of several trainings."""
    if len(values) < 2:
        return Summary(len(values), values[0] if values else None, None, None, None)
    mean = comparing.within_pairs(values, [0.0] * len(values))
    return Summary(len(values), mean.value, float(np.std(values, ddof=1)), mean.low, mean.high)


def as_dict(pairs: MeasuredPairs) -> dict[str, Any]:
    """For JSON: the numbers of every training, the rule and the answers."""
    return {
        "rule": RULE,
        "images_per_generator": pairs.images,
        "real_images": pairs.real_images,
        "real_images_variance": pairs.real_variance,
        "extractor": pairs.extractor,
        "weights_digest": pairs.weights_digest,
        "proposed": _pair_dict(pairs.proposed),
        "mad_gan": _pair_dict(pairs.mad_gan),
        "claims": [
            {
                "question": found.question.text,
                "measure": found.question.measure,
                "bar": found.question.bar,
                "proposed": asdict(found.proposed),
                "mad_gan": asdict(found.mad_gan),
                "difference": None if found.difference is None else asdict(found.difference),
                "ratio": found.ratio,
                "answer": found.verdict.value,
            }
            for found in answers(pairs)
        ],
    }


def _pair_dict(pair: MeasuredPair) -> dict[str, Any]:
    return {
        "study": pair.study,
        "trainings": pair.trainings,
        "measured": {number: one.model_dump() for number, one in sorted(pair.measured.items())},
        "left_out": pair.left_out,
    }


def markdown(pairs: MeasuredPairs, made_by: str) -> str:
    """The claims for people: question, numbers, answer, and below what the numbers mean."""
    head = ("question", "measure", "proposed", "MAD-GAN", "difference (95 % interval)", "ratio", "answer")
    rows = [_line(*head), "|---" * len(head) + "|", *(_row(found) for found in answers(pairs))]
    measures = {
        "paired distance": "paired",
        "overlap": "overlap",
        "total variance": "variance",
        "variance of one generator": "variance_within",
        "recall": "recall",
    }
    return "\n".join(
        [
            "## What figures 5 and 6 claim, measured",
            "",
            *rows,
            "",
            "- Numbers are means ± deviations over training seeds, with the mean's 95 % t interval in brackets.",
            f"- {RULE}",
            *(f"- {_measured(pair)}" for pair in (pairs.proposed, pairs.mad_gan)),
            f"- {pairs.images:,} images per generator and draw against {pairs.real_images:,} real images, in the space "
            f"of the features of one extractor for both: {pairs.extractor}, weights {pairs.weights_digest}. The real "
            f"images' own total variance there is {pairs.real_variance:.3g}.",
            f"- Covered: no farther from one of the samples than that one's nearest neighbour number {NEIGHBOURS} "
            "(torch-fidelity's precision and recall).",
            *(f"- {unit}: {Diversity.model_fields[name].description}." for unit, name in measures.items()),
            f"- Made by `{made_by}`.",
            "",
        ]
    )


def _row(found: Answered) -> str:
    difference, question = found.difference, found.question
    against = "" if question.bar is None else f" from {question.bar}"
    return _line(
        question.text,
        question.unit,
        found.proposed.text(),
        found.mad_gan.text(),
        ""
        if difference is None
        else f"{difference.value:+.3g}{against} ({difference.low:+.3g} to {difference.high:+.3g})",
        "" if found.ratio is None else f"{found.ratio:.2f}",
        f"**{found.verdict.value}**",
    )


def _measured(pair: MeasuredPair) -> str:
    """How many trainings are behind the numbers, and why the others are not."""
    said = f"{pair.study}: {len(pair.measured)} of {pair.trainings} trainings measured"
    reasons: dict[str, list[int]] = {}
    for number, why in sorted(pair.left_out.items()):
        reasons.setdefault(why, []).append(number)
    return "; ".join([said, *(f"trial {', '.join(map(str, numbers))}: {why}" for why, numbers in reasons.items())])


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
