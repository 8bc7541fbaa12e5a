"""`digits`: scikit-learn's 1,797 handwritten digits, which come with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from colgan_search.extensions.datasets import DataSet, DataSettings

if TYPE_CHECKING:
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
        from sklearn.datasets import load_digits

        from colgan_search.gan.resize import fitted

        digits = load_digits()
        images = (torch.from_numpy(digits.images) * (255 / 16)).round().to(torch.uint8)[:, None]
        classes = tuple(str(name) for name in digits.target_names)
        return fitted(self.name, images, torch.from_numpy(digits.target).long(), classes, settings)


DIGITS = Digits()
