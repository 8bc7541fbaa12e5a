"""What another package can add: gates, transfer kinds, networks, data sets, extractors, metrics, samplers, launchers.

Each is one registry with entry points (`registry.Registry`) of small members with settings of their own. Nothing here
imports PyTorch or Optuna: configs are read without them.
"""
