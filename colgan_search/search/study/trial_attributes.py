"""What a trial's user attributes are called."""

GRAPH, SEED = "graph", "seed"
"""Set before it runs."""
SCORES = "scores"
"""Its scores, whole, set when it is complete: what `results` reads."""
