"""The race of `confirm`: which graph gets the next run, when the leader is known, what may be said of the winner."""
