"""Proposals of graphs by the model, as a sampler that Optuna can use; imported at its first use."""

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from colgan_search.sampling.sampler import GraphSampler
    from colgan_search.sampling.winner import name_winner

__all__ = ["GraphSampler", "name_winner"]

_LATER = {"GraphSampler": "sampler:GraphSampler", "name_winner": "winner:name_winner"}


def __getattr__(name: str) -> Any:
    """Called by Python for a name that is not here yet: a config that names the sampler needs neither of them."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return resolve_name(f"{__name__}.{_LATER[name]}")
