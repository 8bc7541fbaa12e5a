"""Checkpoints that survive a crash at any moment: written whole, the previous one kept, foreign ones refused."""

import io
import logging
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from colgan_search.errors import CheckpointRefused, in_one_line
from colgan_search.file_names import CHECKPOINT, PREVIOUS_CHECKPOINT
from colgan_search.files import atomic_path, require_space

FORMAT = 1
"""Changes with the layout of what is stored; a checkpoint of another format is refused."""

log = logging.getLogger(__name__)


class CheckpointFile:
    """`checkpoint.pt` and `checkpoint.previous.pt` in `folder`, both of the run that `identity` names.

    Without an identity it only reads: the checkpoint of whichever run is there.

    After the first save there is at every moment at least one whole checkpoint on disk.
    """

    def __init__(self, folder: Path, identity: str | None) -> None:
        self.path = folder / CHECKPOINT
        self.previous = folder / PREVIOUS_CHECKPOINT
        self.identity = identity
        self._refused = False  # the file at `path`: not worth replacing a good previous one

    def save(self, data: dict[str, Any]) -> None:
        """Writes `data` (tensors and plain values) and keeps the checkpoint before it. DiskFull changes nothing."""
        self._save(data)

    def _save(self, data: dict[str, Any]) -> memoryview:
        """The same; the bytes that were written."""
        # Through memory: a full disk is then an OSError of our own write, and the size is known beforehand.
        buffer = io.BytesIO()
        torch.save({"format": FORMAT, "identity": self.identity, "data": data}, buffer)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        require_space(self.path.parent, buffer.getbuffer().nbytes)
        with atomic_path(self.path) as temporary:
            temporary.write_bytes(buffer.getbuffer())
            if self.path.exists() and not self._refused:
                with suppress(FileNotFoundError):  # one that has lost its lease without knowing it was quicker
                    self.path.replace(self.previous)
        self._refused = False
        return buffer.getbuffer()

    def load(self) -> dict[str, Any] | None:
        """The newest checkpoint that can be used, its tensors on the CPU; None if there is none."""
        self._refused = False
        for path in (self.path, self.previous):
            if not path.exists():
                continue
            try:
                return self._read(path, str(path))
            except CheckpointRefused as refusal:
                self._refused = self._refused or path == self.path
                log.warning("%s", refusal)
        return None

    def remove(self) -> None:
        """Deletes both files, if they are there."""
        self.path.unlink(missing_ok=True)
        self.previous.unlink(missing_ok=True)

    def _read(self, source: Path | io.BytesIO, path: str) -> dict[str, Any]:
        """The data of a file or of its bytes; `path` names it in errors."""
        try:
            with zipfile.ZipFile(source) as parts:  # torch.load itself does not look at the checksums
                if (rotten := parts.testzip()) is not None:
                    raise zipfile.BadZipFile(f"wrong checksum of {rotten}")
            if isinstance(source, io.BytesIO):
                source.seek(0)
            content = torch.load(source, map_location="cpu", weights_only=True)
        except Exception as error:  # broken bytes raise nearly anything
            reason = in_one_line(error)
            raise CheckpointRefused(f"{path}: refused: cut short or unreadable ({reason})") from error
        if not isinstance(content, dict) or not {"format", "identity", "data"} <= content.keys():
            raise CheckpointRefused(f"{path}: refused: not a checkpoint of colgan-search")
        if content["format"] != FORMAT:
            raise CheckpointRefused(f"{path}: refused: format {content['format']!r}, this version reads {FORMAT}")
        if self.identity is not None and content["identity"] != self.identity:
            raise CheckpointRefused(
                f"{path}: refused: belongs to run {content['identity']!r}, this one is {self.identity!r}"
            )
        data: dict[str, Any] = content["data"]
        return data
