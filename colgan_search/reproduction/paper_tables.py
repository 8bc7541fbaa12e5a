"""Tables 1 to 3 of the paper, row by row: what was printed, and which study config runs it here."""

from dataclasses import dataclass
from typing import Literal

Scale = Literal["paper", "digits"]
CONFIG_FOLDERS: dict[Scale, str] = {"paper": "paper", "digits": "paper-digits"}


@dataclass(frozen=True)
class Row:
    """One row of a table. Printed values are IS (mean, deviation over splits) and FID of the best generator."""

    label: str
    config: str
    """Name of the study config inside the scale's folder."""
    printed_is: float
    printed_is_std: float
    printed_fid: float | None
    search: bool
    """True if the row is the best graph of a search, False if its graph is given."""

    def config_name(self, scale: Scale) -> str:
        """The shipped study config of this row at a scale."""
        return f"{CONFIG_FOLDERS[scale]}/{self.config}"


DCGAN_ROWS = (
    Row("DCGAN", "table1-dcgan", 4.57, 0.03, 25.79, search=False),
    Row("DCGAN + SN", "table1-dcgan-sn", 4.77, 0.05, 21.17, search=False),
)

TABLES: dict[str, tuple[Row, ...]] = {
    "table1": (
        *DCGAN_ROWS,
        Row("MAD-GAN + SN (k = 2)", "table1-mad-gan", 4.81, 0.05, 27.02, search=False),
        Row("proposed, image transfer (k = 2)", "table1-proposed", 5.10, 0.07, 21.31, search=False),
    ),
    "table2": (
        Row("image transfer", "table2-image", 4.42, 0.04, 46.06, search=True),
        Row("feature transfer, input side", "table2-input-side", 4.46, 0.04, 50.09, search=True),
        Row("feature transfer, output side", "table2-output-side", 4.48, 0.05, 40.93, search=True),
    ),
    "table3": (
        *DCGAN_ROWS,  # Table 1's very studies: the paper repeats them digit for digit
        Row("MAD-GAN + SN (k = 3)", "table3-mad-gan", 4.77, 0.03, 28.76, search=False),
        Row("proposed (k = 3)", "table3-proposed", 5.37, 0.09, 23.77, search=True),
    ),
}

NOTES: dict[str, tuple[str, ...]] = {
    "table3": (
        "The paper's text says \"at the end of learning\" for this table, but its two DCGAN rows repeat Table 1's, "
        "which are at the best IS. They are Table 1's studies here, too.",
    ),
}
"""What a reader of one table must know."""

REAL_IMAGES_IS = (8.70, 0.14)
"""Printed inception score of the real images."""

ANOTHER_PROTOCOL = (
    "Absolute values cannot be compared with the paper's: its real images have IS 8.70, CIFAR-10's training images by "
    "torch-fidelity 11.24, so its protocol is another; only rows can be compared with rows"
)
DIGITS_PROTOCOL = "; at the digits scale the images and the extractor are others still"


def protocol_sentence(scale: Scale) -> str:
    """What stands wherever our figures stand beside the paper's."""
    return ANOTHER_PROTOCOL + (DIGITS_PROTOCOL if scale == "digits" else "") + "."


def row_of(config: str) -> Row:
    """The row of a config's name; KeyError if there is none."""
    return {row.config: row for rows in TABLES.values() for row in rows}[config]
