"""Search for the best knowledge transfer graph of collaborative GANs (Tsukahara et al., VISAPP 2021)."""

__version__ = "0.2.0"
