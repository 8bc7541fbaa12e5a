"""What a trial's user attributes are called."""

GRAPH, SEED = "graph", "seed"
"""Set before it runs."""
ROLE = "role"
"""Set before it runs, in a race (`confirm`): what the run is for, one of `racing.rules.ROLES`."""
SCORES = "scores"
"""Its scores, whole, set when it is complete: what `results` reads."""
