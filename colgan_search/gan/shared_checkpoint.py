"""A checkpoint that travels: on this machine's disk as ever, and where any other machine finds it."""

import io
import logging
from pathlib import Path
from typing import Any

from colgan_search.errors import CheckpointRefused, in_one_line
from colgan_search.gan.checkpoint import CheckpointFile
from colgan_search.gan.checkpoint_store import CheckpointStore

log = logging.getLogger(__name__)


class SharedCheckpoint(CheckpointFile):
    """Whichever is further, this machine's or the store's, is gone on from. A store that fails is only warned of."""

    def __init__(self, folder: Path, identity: str, store: CheckpointStore) -> None:
        super().__init__(folder, identity)
        self.store = store
        self.name = folder.name

    def save(self, data: dict[str, Any]) -> None:
        """On this machine first, then in the store."""
        written = self._save(data)
        try:
            self.store.put(self.name, written)
        except Exception as error:  # an object store's client raises nearly anything
            log.warning("the checkpoint stays on this machine: %s: %s", self.store.address, in_one_line(error))

    def load(self) -> dict[str, Any] | None:
        """The one that is further; this machine's if neither is."""
        here, there = super().load(), self._there()
        if there is not None and (here is None or _iteration(here) < _iteration(there)):
            log.info("goes on from the shared checkpoint, iteration %d", _iteration(there))
            return there
        if here is not None:
            log.info("goes on from this machine's checkpoint, iteration %d", _iteration(here))
        return here

    def _there(self) -> dict[str, Any] | None:
        where = f"{self.store.address}: {self.name}"
        try:
            content = self.store.get(self.name)
            return None if content is None else self._read(io.BytesIO(content), where)
        except CheckpointRefused as refusal:
            log.warning("%s", refusal)
        except Exception as error:
            log.warning("no checkpoint from there: %s: %s", where, in_one_line(error))
        return None


def _iteration(data: dict[str, Any]) -> int:
    return int(data.get("progress", (0,))[0])
