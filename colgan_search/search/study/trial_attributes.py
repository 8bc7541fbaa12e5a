"""What a trial's user attributes are called that are set before it runs."""

GRAPH, SEED = "graph", "seed"
