"""The metrics that are built in, one file each (see `extensions.metrics.Metric`)."""
