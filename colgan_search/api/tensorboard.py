"""A training as TensorBoard shows it, written by PyTorch's own SummaryWriter while it runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from colgan_search.errors import BadInput
from colgan_search.experiment.telemetry import OnRow

GROUPS = {" on ": "loss of D", " knows ": "share that D knows", "gate ": "gate", "->": "loss of an edge"}
"""What a column's name holds -> its group; scores stand under their generator."""


@contextmanager
def tensorboard_rows(folder: Path | None, run: str) -> Iterator[OnRow]:
    """Who hears of the epochs of the training `run` and writes them below `folder`; None = nobody.

    BadInput if TensorBoard is not installed, or nothing can be written there.
    """
    if folder is None:
        yield lambda epoch, numbers, samples: None
        return
    require_tensorboard()
    from torch.utils.tensorboard import SummaryWriter

    try:
        writer: Any = SummaryWriter(str(folder / run))
    except OSError as error:
        raise BadInput(f"--tensorboard {folder}: cannot be written to: {error.strerror}") from None

    def on_row(epoch: int, numbers: Mapping[str, float], samples: Tensor | None) -> None:
        for name, value in numbers.items():
            writer.add_scalar(_tag(name), value, epoch)
        for number, images in enumerate(samples if samples is not None else (), start=1):
            writer.add_images(f"samples/G{number}", images, epoch)
        writer.flush()

    try:
        yield on_row
    finally:
        writer.close()


def require_tensorboard() -> None:
    """BadInput if TensorBoard is not installed."""
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        raise BadInput("--tensorboard needs TensorBoard: pip install 'colgan-search[tensorboard]'") from None


def _tag(name: str) -> str:
    """`D->G1` -> `loss of an edge/D to G1`: a tag has no arrow."""
    group = next((words for sign, words in GROUPS.items() if sign in name), None)
    plain = name.removeprefix("gate ").replace("->", " to ")
    return plain.replace(" ", "/", 1) if group is None else f"{group}/{plain}"
