"""The extractors that are built in, one file each (see `extensions.extractors.ExtractorKind`)."""
