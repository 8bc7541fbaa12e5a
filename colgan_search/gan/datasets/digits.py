"""`digits`: scikit-learn's 1,797 handwritten digits, which come with it."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from colgan_search.extensions.datasets import DataSet, DataSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from colgan_search.images import RealImages


class DigitsSettings(DataSettings):
    """None of its own."""

    name: Literal["digits"] = "digits"


class Digits(DataSet):
    """8 x 8, grey, 0..16 scaled to 0..255. No download."""

    name = "digits"
    settings = DigitsSettings
    reads_root = False

    def load(self, settings: DigitsSettings, downloads: Path) -> "RealImages":
        """From scikit-learn's own files."""
        import torch

        from colgan_search.gan.resize import fitted

        rows = torch.from_numpy(_rows())
        images = (rows[:, :-1].reshape(-1, 1, 8, 8) * (255 / 16)).round().to(torch.uint8)
        classes = tuple(str(number) for number in range(10))
        return fitted(self.name, images, rows[:, -1].long(), classes, settings)


def _rows() -> "NDArray[np.float64]":
    """[1797, 65]: 64 pixels and the digit. Read here: scikit-learn's own imports take nearly a second each time."""
    import numpy as np

    package = find_spec("sklearn")
    for folder in (package and package.submodule_search_locations) or ():
        if (file := Path(folder, "datasets", "data", "digits.csv.gz")).is_file():
            return np.loadtxt(file, delimiter=",")
    from sklearn.datasets import load_digits  # a release that keeps them elsewhere

    digits = load_digits()
    return np.column_stack([digits.data, digits.target])


DIGITS = Digits()
