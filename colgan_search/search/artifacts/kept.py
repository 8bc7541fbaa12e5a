"""The pictures of a trial, read back from where its worker kept them: for who has not its run folder."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from optuna.artifacts.exceptions import ArtifactNotFound
from pydantic import BaseModel, ConfigDict, TypeAdapter

from colgan_search.errors import DataError, in_one_line
from colgan_search.search import trust
from colgan_search.search.artifacts.placeholder import placeholder
from colgan_search.search.artifacts.table_store import LARGEST_BYTES
from colgan_search.search.optuna_private import artifact_rows, trial_rows
from colgan_search.search.study.opening import OpenStudy

if TYPE_CHECKING:
    from colgan_search.search.artifacts.stores import AllStores


class _Kept(BaseModel):
    """Optuna's record of an artifact, as far as it is read here."""

    model_config = ConfigDict(frozen=True, strict=True)

    artifact_id: trust.Word
    filename: trust.Word


KEPT = TypeAdapter(_Kept)


def kept(study: OpenStudy, store: "AllStores", number: int, names: Collection[str]) -> dict[str, bytes]:
    """File -> content, of those of these names that trial `number` has; without what gave way to better trials.

    StudyError if the study or the records are not as we write them, DataError if a store cannot be reached.
    """
    where = f"study {study.name!r}: trial {number}: its artifacts"
    with study.storage.engine.connect() as db:
        records = artifact_rows.records_of(db, trial_rows.study_id(db, study.name, study.uid), number)
    found: dict[str, bytes] = {}
    for text in records:
        record = trust.read(KEPT, trust.from_json(trust.from_json(text, where), where), where)  # a text in a text
        if record.filename not in names or not trust.is_artifact(record.artifact_id):
            continue
        try:
            with store.open_reader(record.artifact_id) as reader:
                content = reader.read(LARGEST_BYTES + 1)
        except ArtifactNotFound:
            continue
        except Exception as error:  # a bucket's client raises nearly anything
            raise DataError(f"{where}: {record.filename} cannot be read: {in_one_line(error)}") from error
        if len(content) <= LARGEST_BYTES and content != placeholder():
            found[record.filename] = content
    return found
