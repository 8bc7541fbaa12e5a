"""The transfer kinds that are built in, one file each (see `extensions.transfers.Transfer`)."""
