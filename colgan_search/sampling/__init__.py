"""Proposals of graphs by the model, as a sampler that Optuna can use."""
