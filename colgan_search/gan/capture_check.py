"""Before the first training with CUDA graphs: does a replayed iteration do what one does that is not replayed?"""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from colgan_search.errors import in_one_line
from colgan_search.gan.captured import WARM_UP, CapturedIteration, iterating
from colgan_search.gan.differences import loss_difference, vector_difference
from colgan_search.gan.iteration import Drawn, Iteration
from colgan_search.gan.state import TrainingState

REPLAYS = 3
"""Iterations that are compared, the recorded one among them."""
STEP = 5e-2
"""What a network's step may differ by, as a share of its length."""


def replaying_problem(
    iteration: Iteration, again: Iteration, draw: Callable[[int], Drawn], allowed: float
) -> str | None:
    """What is wrong with replaying `iteration`, whose every replay is compared with `again`; None if nothing is.

    `again` is the same iteration with a state of its own, `draw` what is drawn for iteration 0, 1, ..., `allowed` how
    far a loss may be off, as a share of it. OutOfMemoryError is raised.
    """
    with iterating(iteration, telling=True) as replayed:
        for number in range(WARM_UP + REPLAYS):
            problem = _compared(replayed, again, draw(number), number / (WARM_UP + REPLAYS - 1), allowed)
            if problem is not None:
                return problem
    return None


def _compared(
    replayed: Iteration | CapturedIteration, again: Iteration, drawn: Drawn, progress: float, allowed: float
) -> str | None:
    """One iteration by both, from one state each time, as in the check of the fast path."""
    state = replayed.state
    again.state.restore(copy.deepcopy(state.to_checkpoint()))
    before = _weights(state)
    try:
        losses, _ = replayed(drawn, progress, counted=True)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        return f"a recorded iteration failed: {in_one_line(error)}"
    if state.fallback is not None:
        return state.fallback
    wanted, _ = again(drawn, progress, counted=True)
    off = loss_difference(losses, wanted)
    steps = [[after - was for after, was in zip(_weights(one), before, strict=True)] for one in (state, again.state)]
    apart = vector_difference(*steps)
    if off <= allowed and apart <= STEP:
        return None
    return (
        f"a replayed iteration's losses differ by {off:.1e} (allowed {allowed:.0e}), its steps by {apart:.1e} "
        f"(allowed {STEP:.0e})"
    )


def _weights(state: TrainingState) -> Sequence[Tensor]:
    """Each network's, as one vector."""
    networks: list[nn.Module] = [*state.generators, *state.discriminators]
    return [torch.cat([weight.detach().reshape(-1) for weight in network.parameters()]) for network in networks]
