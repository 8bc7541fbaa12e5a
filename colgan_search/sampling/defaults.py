"""What a search by the model does unless it is told otherwise; imports nothing."""

STARTUP_TRIALS = 10
"""Random graphs before the model begins."""
REPLICATES = 0.15
"""Share of the trials after these that train a leading graph once more."""
