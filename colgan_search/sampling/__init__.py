"""Proposals of graphs by the model, as a sampler that Optuna can use."""

from colgan_search.sampling.sampler import GraphSampler
from colgan_search.sampling.winner import name_winner

__all__ = ["GraphSampler", "name_winner"]
