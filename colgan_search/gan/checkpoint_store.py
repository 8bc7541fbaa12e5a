"""Where the checkpoints of a study are that all its machines find: a shared folder, or an address such as s3://."""

import re
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any

from colgan_search.errors import DataError, in_one_line
from colgan_search.files import atomic_path, make_private

ADDRESS = re.compile(r"(?P<kind>[a-z][a-z0-9+]*)://.+")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Of a checkpoint: that of its run folder. What is called otherwise is somebody else's."""

FOLDERED = {"file", "local", "memory", "ftp", "sftp", "ssh", "smb", "hdfs", "webhdfs"}
"""Kinds of addresses whose folders must be made. A bucket has none, and to make one would make a misspelled bucket."""


class CheckpointStore(ABC):
    """Whole checkpoints by name: what is read was put whole, or is refused by its reader's checksums."""

    def __init__(self, address: str) -> None:
        self.address = address

    @abstractmethod
    def put(self, name: str, content: memoryview) -> None:
        """Replaces the one of that name. May raise anything."""

    @abstractmethod
    def get(self, name: str) -> bytes | None:
        """None if there is none of that name. May raise anything."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """What is gone already is no error."""

    @abstractmethod
    def names(self) -> list[str]:
        """Of all that are there."""


class FolderStore(CheckpointStore):
    """A folder that all machines see."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.folder = folder

    def put(self, name: str, content: memoryview) -> None:
        """Written beside it, then renamed."""
        make_private(self.folder)
        with atomic_path(self.folder / name) as temporary:
            temporary.write_bytes(content)

    def get(self, name: str) -> bytes | None:
        """Its bytes."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """Deletes the file."""
        (self.folder / name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Of its files, but for those that are being written."""
        return sorted(path.name for path in self.folder.glob("*") if NAME.fullmatch(path.name))


class ObjectStore(CheckpointStore):
    """Any address that fsspec knows: s3://, gs://, abfs://, sftp://, and memory:// for tests."""

    def __init__(self, address: str, system: Any, path: str) -> None:
        super().__init__(address)
        self._system = system
        self._path = path
        kinds = {system.protocol} if isinstance(system.protocol, str) else set(system.protocol)
        if kinds & FOLDERED:
            with suppress(Exception):  # what is wrong shows when something is put there
                system.makedirs(path, exist_ok=True)

    def put(self, name: str, content: memoryview) -> None:
        """An object store shows the new one when all of it is there."""
        self._system.pipe_file(self._of(name), bytes(content))

    def get(self, name: str) -> bytes | None:
        """Its bytes, not those of an older listing."""
        self._system.invalidate_cache()
        try:
            return bytes(self._system.cat_file(self._of(name)))
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """Deletes the object."""
        with suppress(FileNotFoundError):
            self._system.rm_file(self._of(name))

    def names(self) -> list[str]:
        """Of the objects below the address."""
        self._system.invalidate_cache()
        try:
            found = [str(path).rpartition("/")[2] for path in self._system.ls(self._path, detail=False)]
        except FileNotFoundError:
            return []
        return sorted(name for name in found if NAME.fullmatch(name))

    def _of(self, name: str) -> str:
        return f"{self._path}/{name}"


def open_store(address: str, study: str, uid: str) -> CheckpointStore:
    """The store of one study below `address`, a folder or a URL. DataError if nothing can be put there.

    Two studies of one name, in two databases, keep theirs apart by `uid`.
    """
    store = _store(address, f"{study}-{uid[:12]}")
    probe = f"probe-{uid[:12]}"
    try:
        store.put(probe, memoryview(b"colgan-search"))
        if store.get(probe) not in (b"colgan-search", None):  # None: another worker has removed its own meanwhile
            raise OSError("what was put there comes back otherwise")
        store.remove(probe)
    except Exception as error:  # an object store's client raises nearly anything
        raise DataError(f"`checkpoints` {address}: cannot be used: {in_one_line(error)}") from error
    return store


def _store(address: str, folder: str) -> CheckpointStore:
    match = ADDRESS.fullmatch(address)
    if match is None:
        return FolderStore(Path(address).expanduser().absolute() / folder)
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        kind = match["kind"]
        raise DataError(
            f"`checkpoints` {address}: needs {in_one_line(error)}; pip install 'colgan-search[s3]'"
            + (f", or fsspec's own package for {kind}://" if kind != "s3" else "")
        ) from error
    except Exception as error:
        raise DataError(f"`checkpoints` {address}: is no address that can be used: {in_one_line(error)}") from error
    return ObjectStore(f"{address.rstrip('/')}/{folder}", system, f"{str(path).rstrip('/')}/{folder}")
