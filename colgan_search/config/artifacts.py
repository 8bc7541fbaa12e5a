"""What trials leave for optuna-dashboard beside their numbers, and where it is kept."""

from typing import Literal

from pydantic import Field, model_validator

from colgan_search.extensions.section import Section


class ArtifactSettings(Section):
    """Pictures and tables of trials for optuna-dashboard. Not part of the fingerprint."""

    store: Literal["database", "folder", "s3", "none"] = Field(
        "database",
        description="where they are kept: in a table of the study's database, in a folder that all machines share, in "
        "an S3 bucket, or nowhere",
    )
    place: str | None = Field(
        None, min_length=1, max_length=1000, description="the folder's path, or the bucket's name; null = neither"
    )
    max_megabytes: float = Field(
        32.0,
        ge=0.0,
        le=100_000.0,
        description="of the table: where it is full, the best trials keep theirs; folders and buckets have no limit",
    )

    @model_validator(mode="after")
    def _place_fits_the_store(self) -> "ArtifactSettings":
        if self.store in ("folder", "s3") and self.place is None:
            what = "the folder's path" if self.store == "folder" else "the bucket's name"
            raise ValueError(f"store {self.store} needs place: {what}")
        if self.store in ("database", "none") and self.place is not None:
            raise ValueError(f"place is for store folder or s3; store is {self.store}")
        return self
