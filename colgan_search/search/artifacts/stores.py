"""Where a study's artifacts are kept, by its config; and one store that finds those of all studies of a database."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from optuna.artifacts import Boto3ArtifactStore, FileSystemArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound

from colgan_search.config.artifacts import ArtifactSettings
from colgan_search.errors import DataError
from colgan_search.search.artifacts.table_store import TableStore, has_table
from colgan_search.search.database.storage import Storage

if TYPE_CHECKING:
    from typing import Protocol

    class ArtifactStore(Protocol):
        """Optuna's protocol."""

        def open_reader(self, artifact_id: str) -> BinaryIO: ...
        def write(self, artifact_id: str, content_body: BinaryIO) -> None: ...
        def remove(self, artifact_id: str) -> None: ...


def store_of(settings: ArtifactSettings, storage: Storage, uid: str) -> "ArtifactStore | None":
    """The study's store; None if it keeps none. DataError, with what to do, if it cannot be had."""
    if settings.store == "none":
        return None
    if settings.store == "database":
        if not has_table(storage):
            raise DataError(
                f"{storage.name}: has no table for artifacts, as it was made before there were any; `launch` makes it"
            )
        return TableStore(storage, uid)
    return outside(settings)


def outside(settings: ArtifactSettings) -> "ArtifactStore":
    """A store beside the database, Optuna's own. DataError if it cannot be had."""
    assert settings.place is not None
    if settings.store == "folder":
        if not Path(settings.place).is_dir():
            raise DataError(f"artifacts.place {settings.place}: is no folder on this machine; make it, or mount it")
        return FileSystemArtifactStore(settings.place)
    try:
        return Boto3ArtifactStore(settings.place)
    except ImportError:
        raise DataError("artifacts.store s3 needs boto3: pip install 'colgan-search[s3]'") from None


class AllStores:
    """For the dashboard, which has one store for all studies: the table, and then the others in their order."""

    def __init__(self, storage: Storage, others: "Sequence[ArtifactStore]" = ()) -> None:
        self.stores: list[ArtifactStore] = [*([TableStore(storage)] if has_table(storage) else []), *others]

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """From the first store that has it. ArtifactNotFound if none has."""
        for store in self.stores:
            try:
                return store.open_reader(artifact_id)
            except ArtifactNotFound:
                continue
        raise ArtifactNotFound(f"no artifact {artifact_id[:40]!a}")

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Into the first one. ArtifactNotFound if there is none."""
        if not self.stores:
            raise ArtifactNotFound("there is no store to write to")
        self.stores[0].write(artifact_id, content_body)

    def remove(self, artifact_id: str) -> None:
        """From every store that has it; nothing if none has."""
        for store in self.stores:
            try:
                store.remove(artifact_id)
            except ArtifactNotFound:
                continue
