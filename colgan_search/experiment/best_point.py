"""Every generator's weights where its interim score was highest (section 4.2, Table 1), kept in the checkpoint."""

import copy
from collections.abc import Sequence
from typing import Any

from torch import nn

from colgan_search.records import Scores

KEY = "best_point"


class BestPoint:
    """Looks at every interim evaluation of one training; lives in `TrainingState.extra`, so a resumed one goes on."""

    def __init__(self, extra: dict[str, Any], k: int) -> None:
        self._kept: dict[str, list[Any]] = extra.setdefault(
            KEY, {"epochs": [0] * k, "values": [None] * k, "weights": [None] * k}
        )

    def see(self, epoch: int, scores: Scores, generators: Sequence[nn.Module]) -> None:
        """Keeps a copy of each generator whose score is its best so far, by the objective."""
        for i, (score, generator) in enumerate(zip(scores.generators, generators, strict=True)):
            value, before = score.metrics[scores.objective.number], self._kept["values"][i]
            if before is None or scores.objective.better(value, before):
                self._kept["epochs"][i] = epoch
                self._kept["values"][i] = value
                self._kept["weights"][i] = {
                    name: tensor.detach().clone().cpu() for name, tensor in generator.state_dict().items()
                }

    @property
    def epochs(self) -> tuple[int, ...]:
        """Per generator, the epoch that is kept."""
        return tuple(self._kept["epochs"])

    def generators(self, like: Sequence[nn.Module]) -> list[nn.Module]:
        """New generators with the kept weights."""
        made = []
        for generator, weights in zip(like, self._kept["weights"], strict=True):
            best = copy.deepcopy(generator)
            best.load_state_dict(weights)
            made.append(best)
        return made
