"""The base GANs that are built in, one file each (see `extensions.networks.Network`)."""
