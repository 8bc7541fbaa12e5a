"""What the paper says of its results, table by table, as questions that can be answered with figures of one's own."""

from dataclasses import dataclass
from enum import Enum

from colgan_search.reproduction.paper_tables import REAL_IMAGES_IS


class Kind(str, Enum):
    """What a comparison compares. `row` is the row that the claim speaks of."""

    IS_ABOVE = "IS is higher"
    FID_BELOW = "FID is lower"
    IS_CLOSE = "IS is about the same"
    FID_CLOSE = "FID is about the same"
    MEDIAN_ABOVE = "median IS over the trials is higher"
    MEDIAN_CLOSE = "median IS over the trials is about the same"
    SPREAD_BELOW = "IS varies less over the trials"
    BEST_GENERATOR_ABOVE = "the best generator's IS is above the next best's"
    TRANSFERS_RAMP_UP = "every open transfer edge ramps up"
    HAS_BUFFER = "a generator that hardly makes images teaches the best one"


@dataclass(frozen=True)
class Comparison:
    """One thing to measure. Rows are named by their config's name in the scale's folder."""

    kind: Kind
    row: str
    against: str | None = None


@dataclass(frozen=True)
class Claim:
    """A question; its answer is yes if every comparison says yes, no if one says no."""

    question: str
    paper: str
    """What the paper has for it, in its own figures."""
    comparisons: tuple[Comparison, ...]
    elsewhere: bool = False
    """True if it needs rows of other tables: those that were not run are left out."""


IS_MARGIN = 0.5 * (5.10 - 4.81) / REAL_IMAGES_IS[0]
"""About the same IS: within this share of the real images' IS, half of what the paper calls a significant improvement
(Table 1, 4.81 to 5.10 where real images have 8.70)."""
FID_MARGIN = 0.5 * (27.02 - 21.17) / 21.17
"""About the same FID: within this share of the other row's, half of Table 1's way from DCGAN + SN to MAD-GAN + SN."""
BUFFER_SHARE = 0.5
"""Hardly makes images: less than this share of the best generator's way from 1, the lowest IS there is."""

RULES = (
    "A row is the trainings of its graph with new seeds, never a search's winning trial. A training that diverged "
    "counts as IS 1 and has no FID. Each row is judged by the weights that count for it: where one stands at its best "
    "interim IS and the other at the end of training (Table 1's rows against a search's), that favours the former.",
    "Differences of means stand with Welch's 95 % t interval over the seeds; between two generators of the same "
    "trainings, with the t interval of the pairs. Differences between all trials of two searches (medians, "
    "interquartile ranges) stand with a 95 % bootstrap interval.",
    "Higher or lower: yes if the whole interval lies on that side of 0, no if on the other, else not to be told apart.",
    "About the same (hardly better, close, similar): yes if the whole interval lies within the margin, no if wholly "
    f"outside, else not to be told apart. The margin is {IS_MARGIN:.1%} of the real images' IS (half of the paper's "
    f"step from 4.81 to 5.10, where its real images have 8.70), for FID {FID_MARGIN:.0%} of the other row's (half of "
    "its step from 21.17 to 27.02).",
    "Within the searched graph the winning trial says which generator is best, the other trainings by how much. "
    f"A generator hardly makes images if its IS lies below {BUFFER_SHARE:.0%} of the best one's way from 1, the lowest "
    "IS there is, and an edge that is cut off is no transfer. Of several teachers the one that is most like a buffer "
    "counts, without a correction for having looked at all.",
    "A claim of several comparisons holds if all do, and fails if one does. Every interval stands for itself: of "
    "twenty, one misses by chance. The trials of one search depend on each other, so the bootstrap's intervals are "
    "rather too narrow.",
)
"""How a claim is answered; fixed before anything was measured."""

DCGAN, DCGAN_SN, MAD_GAN_2, PAIR = "table1-dcgan", "table1-dcgan-sn", "table1-mad-gan", "table1-proposed"
IMAGE, INPUT, OUTPUT = "table2-image", "table2-input-side", "table2-output-side"
MAD_GAN_3, SEARCHED = "table3-mad-gan", "table3-proposed"


def _against(kind: Kind, row: str, *others: str) -> tuple[Comparison, ...]:
    return tuple(Comparison(kind, row, other) for other in others)


_SN_HELPS = Claim("Does spectral norm help?", "4.57 → 4.77", _against(Kind.IS_ABOVE, DCGAN_SN, DCGAN))

CLAIMS: dict[str, tuple[Claim, ...]] = {
    "table1": (
        _SN_HELPS,
        Claim(
            "Is MAD-GAN (k = 2) hardly better than one DCGAN with SN?",
            "4.81 against 4.77",
            _against(Kind.IS_CLOSE, MAD_GAN_2, DCGAN_SN),
        ),
        Claim("Does image transfer lift the pair?", "4.81 → 5.10", _against(Kind.IS_ABOVE, PAIR, MAD_GAN_2)),
        Claim(
            "Has the proposed pair the highest IS?",
            "5.10 against 4.57, 4.77, 4.81",
            _against(Kind.IS_ABOVE, PAIR, DCGAN, DCGAN_SN, MAD_GAN_2),
        ),
        Claim(
            "Has one DCGAN with SN the lowest FID?",
            "21.17 against 25.79, 27.02, 21.31",
            _against(Kind.FID_BELOW, DCGAN_SN, DCGAN, MAD_GAN_2, PAIR),
        ),
        Claim(
            "Is the proposed pair's FID close to that of one DCGAN with SN?",
            "21.31 against 21.17",
            _against(Kind.FID_CLOSE, PAIR, DCGAN_SN),
        ),
    ),
    "table2": (
        Claim(
            "Has the output side the highest IS?",
            "4.48 against 4.42, 4.46",
            _against(Kind.IS_ABOVE, OUTPUT, IMAGE, INPUT),
        ),
        Claim(
            "Has the output side the lowest FID?",
            "40.93 against 46.06, 50.09",
            _against(Kind.FID_BELOW, OUTPUT, IMAGE, INPUT),
        ),
        Claim(
            "Does feature transfer score higher than image transfer over all trials?",
            "yes, by eye (figure 7)",
            (*_against(Kind.MEDIAN_ABOVE, INPUT, IMAGE), *_against(Kind.MEDIAN_ABOVE, OUTPUT, IMAGE)),
        ),
        Claim(
            "Does feature transfer score more stably than image transfer over all trials?",
            "yes, by eye (figure 7)",
            (*_against(Kind.SPREAD_BELOW, INPUT, IMAGE), *_against(Kind.SPREAD_BELOW, OUTPUT, IMAGE)),
        ),
        Claim(
            "Are input and output side similar over all trials?",
            "yes, by eye (figure 7)",
            _against(Kind.MEDIAN_CLOSE, INPUT, OUTPUT),
        ),
        Claim(
            "Do the shorter trained winners lie below every longer trained baseline?",
            "at most 4.48 (50 epochs) against at least 4.57 (200 epochs)",
            tuple(
                Comparison(Kind.IS_ABOVE, baseline, winner)
                for baseline in (DCGAN, DCGAN_SN, MAD_GAN_2, MAD_GAN_3)
                for winner in (IMAGE, INPUT, OUTPUT)
            ),
            elsewhere=True,
        ),
    ),
    "table3": (
        _SN_HELPS,
        Claim(
            "Is MAD-GAN (k = 3) hardly better than one DCGAN with SN?",
            "4.77 against 4.77",
            _against(Kind.IS_CLOSE, MAD_GAN_3, DCGAN_SN),
        ),
        Claim(
            "Does the searched graph with ramps beat all rows of the table?",
            "5.37 against 4.57, 4.77, 4.77",
            _against(Kind.IS_ABOVE, SEARCHED, DCGAN, DCGAN_SN, MAD_GAN_3),
        ),
        Claim(
            "Does it beat Table 1's pair with image transfer, too?",
            "5.37 against 5.10",
            _against(Kind.IS_ABOVE, SEARCHED, PAIR),
            elsewhere=True,
        ),
        Claim(
            "Is its best generator better than the next best?",
            "G1 5.37, G2 4.70",
            (Comparison(Kind.BEST_GENERATOR_ABOVE, SEARCHED),),
        ),
        Claim(
            "Do all its open transfer edges ramp up (no transfer needed at the beginning)?",
            "yes (figure 8)",
            (Comparison(Kind.TRANSFERS_RAMP_UP, SEARCHED),),
        ),
        Claim(
            "Has it a buffer: a generator that hardly makes images and teaches the best one?",
            "G3 1.33, a buffer of G1",
            (Comparison(Kind.HAS_BUFFER, SEARCHED),),
        ),
    ),
}
