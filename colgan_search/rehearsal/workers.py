"""One rehearsed search: simulated parallel workers, each at one training, asking Optuna as soon as it is free.

The clock is simulated: the next thing that happens is the earliest moment of any running training. Optuna's study is a
real one in memory, so a sampler sees the trials that other workers are running, as in a study.
"""

import heapq
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import optuna
from optuna.trial import Trial, TrialState, create_trial
from pydantic import BaseModel, ConfigDict, Field

from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.rehearsal.nearest import Nearest
from colgan_search.rehearsal.problem import Problem, Training, Unit
from colgan_search.rehearsal.strategies import Strategy
from colgan_search.search.proposing.space import params_of, suggest_graph

IS_MEAN = "is_mean"
"""The user attribute with each generator's score, as a study's trials have it."""


Regret = Annotated[float, Field(ge=-1e-6, allow_inf_nan=False)]
"""Nothing is better than the best, but for rounding."""
Hours = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class Point(BaseModel):
    """How a search stood at one moment. Regret is in the problem's units."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    budget: int
    """Trials, or trainings' worth of time, after which this is; later if nothing was complete by then."""
    trials: int
    """Ended, whole or pruned."""
    hours: Hours
    """Of training, spent on the ended trials by all workers together."""
    regret: Regret
    """Of the graph that the strategy names."""
    visited: Regret
    """Of the best graph that was trained to its end, whatever was measured of it."""


class Searched(BaseModel):
    """One search from its start to its end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by_trials: tuple[Point, ...]
    """After so many ended trials."""
    by_time: tuple[Point, ...]
    """After so many mean trainings' worth of training time."""
    unit: Unit
    """Of regret."""
    mean_hours: Hours
    """Of one whole training of the problem."""
    pruned: int
    most_running: int
    """Trainings at one time."""


class _Search:
    def __init__(self, problem: Problem, strategy: Strategy, trials: int, workers: int, seed: int) -> None:
        self.problem, self.strategy, self.workers, self.seed = problem, strategy, workers, seed
        self.study = optuna.create_study(
            direction="maximize", sampler=strategy.sampler(problem, trials, seed), pruner=strategy.pruner()
        )
        self.nearest = None if problem.candidates is None else Nearest(problem.candidates, problem.gates, seed)
        self.events: list[tuple[float, int, int]] = []
        """(when, trial, which of its moments from 0), a heap."""
        self.running: dict[int, tuple[Trial, KnowledgeTransferGraph, Training, float]] = {}
        """Trial's number -> itself, graph, training, and when it began, in hours."""
        self.graphs: dict[int, KnowledgeTransferGraph] = {}
        self.begun = self.ended = self.pruned = self.most_running = 0
        self.hours = 0.0
        self.best_visited = -np.inf
        self.named: tuple[int, float] | None = None
        """Ended trials at the last naming, and the regret of what was named."""

    def begin(self, now: float) -> None:
        trial = self.study.ask()
        graph = suggest_graph(trial, self.problem.roster, self.problem.gates)
        if self.nearest is not None and not self.nearest.has(graph):
            # The search shall know what was trained, not what it wished for: that trial is taken back.
            # What its sampler noted of it (NSGA-II: the generation) holds for the trial in its place.
            noted = self.study.get_trials(deepcopy=False)[trial.number].system_attrs
            self.study.tell(trial, state=TrialState.FAIL)
            graph = self.nearest.to(graph)
            wanted = {**noted, "fixed_params": params_of(graph, self.problem.gates)}
            self.study.add_trial(create_trial(state=TrialState.WAITING, system_attrs=wanted))
            trial = self.study.ask()
            graph = suggest_graph(trial, self.problem.roster, self.problem.gates)
        # A training's luck belongs to its place in the search, whichever strategy asks.
        training = self.problem.train(graph, np.random.default_rng([self.seed, 4, self.begun]))
        self.running[trial.number] = (trial, graph, training, now)
        self.graphs[trial.number] = graph
        self.begun += 1
        self.most_running = max(self.most_running, len(self.running))
        self.push(trial.number, 0)

    def push(self, number: int, moment: int) -> None:
        _, _, training, began = self.running[number]
        heapq.heappush(self.events, (began + training.hours * self.problem.moments[moment], number, moment))

    def step(self) -> tuple[float, bool]:
        """The next thing that happens: when, and whether a trial ended by it."""
        now, number, moment = heapq.heappop(self.events)
        trial, graph, training, _ = self.running[number]
        last = moment == len(self.problem.moments) - 1
        if not last:
            trial.report(float(training.scores[: moment + 1].max()), moment + 1)
            if not trial.should_prune():
                self.push(number, moment + 1)
                return now, False
        del self.running[number]
        self.ended += 1
        self.hours += training.hours * self.problem.moments[moment]
        if last:
            if not training.diverged:
                trial.set_user_attr(IS_MEAN, training.scores[-1].tolist())
            self.study.tell(trial, training.value)
            self.best_visited = max(self.best_visited, self.problem.judged(graph))
        else:
            self.pruned += 1
            self.study.tell(trial, state=TrialState.PRUNED)
        return now, True

    def regret(self, value: float) -> float:
        return (self.problem.best - value) / self.problem.sd

    def point(self, budget: int) -> Point | None:
        """None as long as no trial is complete."""
        if self.named is None or self.named[0] != self.ended:
            number = self.strategy.winner(self.study, self.problem, self.seed)
            if number is None:
                return None
            self.named = (self.ended, self.regret(self.problem.judged(self.graphs[number])))
        return Point(
            budget=budget,
            trials=self.ended,
            hours=self.hours,
            regret=self.named[1],
            visited=self.regret(self.best_visited),
        )


def search(problem: Problem, strategy: Strategy, budgets: Sequence[int], workers: int, seed: int) -> Searched:
    """One search until the largest of `budgets` is spent, both in trials and in training time.

    `budgets` increase. The same arguments give the same search.
    """
    now_in = _Search(problem, strategy, budgets[-1], workers, seed)
    by_trials: list[Point] = []
    by_time: list[Point] = []
    for _ in range(workers):
        now_in.begin(0.0)
    while len(by_trials) < len(budgets) or len(by_time) < len(budgets):
        now, ended = now_in.step()
        if not ended:
            continue
        for points, spent in ((by_trials, now_in.ended), (by_time, now_in.hours / problem.mean_hours)):
            while len(points) < len(budgets) and spent >= budgets[len(points)]:
                point = now_in.point(budgets[len(points)])
                if point is None:
                    break
                points.append(point)
        now_in.begin(now)
    return Searched(
        by_trials=tuple(by_trials),
        by_time=tuple(by_time),
        unit=problem.unit,
        mean_hours=problem.mean_hours,
        pruned=now_in.pruned,
        most_running=now_in.most_running,
    )
