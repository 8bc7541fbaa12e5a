"""What rehearsed searches gave, against numbers computed by hand and by SciPy."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from colgan_search.errors import BadInput, DataError
from colgan_search.figures.regret import Curve, Panels, draw_regret, regret_figure
from colgan_search.rehearsal.report import AVERAGE, as_csv, as_json, estimate, lines, ratio
from colgan_search.rehearsal.runs import Run, RunsFile, Settings, Task, run_all
from colgan_search.rehearsal.workers import Point, Searched


def run(problem: str, strategy: str, seed: int, regret: float, table: str | None = None) -> Run:
    points = tuple(
        Point(budget=budget, trials=budget, hours=2.0 * budget, regret=regret / at, visited=regret / 10)
        for at, budget in enumerate((10, 20), start=1)
    )
    task = Task(problem=problem, table=table, digest=table, strategy=strategy, seed=seed)
    searched = Searched(by_trials=points, by_time=points, unit="sd", mean_hours=2.0, pruned=0, most_running=4)
    return Run(task=task, searched=searched)


RUNS = [
    run(problem, strategy, seed, regret * (1 + seed))
    for seed in (0, 1)
    for problem, factor in (("one", 1.0), ("two", 3.0))
    for strategy, regret in (("tpe", factor), ("random", 2 * factor))
]


def test_means_ratios_and_the_average_over_functions() -> None:
    found = {(line.problem, line.strategy, line.budget): line for line in lines(RUNS)}
    assert list(dict.fromkeys(line.problem for line in lines(RUNS))) == [AVERAGE, "one", "two"]
    one = found["one", "random", 10]
    assert (one.regret.mean, one.seeds, one.hours, one.time_hours) == (3.0, 2, 20.0, 20.0)
    assert one.visited == pytest.approx(0.3) and one.against_tpe is not None
    assert (one.against_tpe.mean, one.against_tpe.low, one.against_tpe.high) == (2.0, 2.0, 2.0)
    average = found[AVERAGE, "random", 20]
    assert average.regret.mean == pytest.approx((2 * 1 + 2 * 3) / 2 * 1.5 / 2)  # over functions, then seeds
    csv_text, as_objects = as_csv(lines(RUNS)), as_json(lines(RUNS))
    assert csv_text.count("\n") == len(as_objects) + 1 == 13
    json.dumps(as_objects, allow_nan=False)


def test_a_table_has_no_part_in_the_average() -> None:
    found = lines([*RUNS, run("measured", "tpe", 0, 1.0, table="x.csv")])
    assert found[: len(lines(RUNS))] == lines(RUNS)
    assert [(line.problem, line.budget) for line in found[len(lines(RUNS)) :]] == [("measured", 10), ("measured", 20)]


def test_intervals_are_scipys() -> None:
    rng = np.random.default_rng(1)
    values, others = rng.exponential(1.0, 50), rng.exponential(2.0, 50)
    ours = estimate(values)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", rng=5).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=0.03)
    found = ratio(values, others)
    assert found is not None and found.mean == pytest.approx(values.mean() / others.mean())
    assert found.low < found.mean < found.high
    assert ratio(values, np.zeros(50)) is None and ratio(values, others - 2) is None
    assert estimate(np.array([2.0])).high == 2.0


def test_the_figure_has_a_row_per_problem_and_a_line_per_strategy(tmp_path: Path) -> None:
    curve = Curve((10, 20), (2.0, 1.0), (1.5, 0.5), (2.5, 1.5))
    panels = {name: Panels("sd", {"tpe": curve, "random": curve}, {"tpe": curve}) for name in ("one", "two")}
    figure = regret_figure(panels)
    assert len(figure.axes) == 4
    assert [len(axes.lines) for axes in figure.axes] == [2, 1, 2, 1]
    assert list(figure.axes[0].lines[0].get_ydata()) == [2.0, 1.0]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["tpe", "random"]
    assert all(
        path.stat().st_size > 1000 for path in draw_regret(panels, [tmp_path / f"x.{end}" for end in ("png", "svg")])
    )
    with pytest.raises(BadInput):
        regret_figure({})


SETTINGS = Settings(budgets=(3,), workers=2, k=2)
TASKS = [
    Task(problem="cliffs", table=None, digest=None, strategy=strategy, seed=seed)
    for seed in range(2)
    for strategy in ("random", "tpe")
]


def test_searches_are_kept_one_by_one_and_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    seen: list[Run] = []

    def stop(run: Run) -> None:
        seen.append(run)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_all(RunsFile(path, SETTINGS), SETTINGS, TASKS, 1, stop)
    assert [run.task for run in RunsFile(path, SETTINGS).runs] == TASKS[:2]
    path.write_text(path.read_text() + '{"task": {"prob')  # killed in the middle of a line
    again = RunsFile(path, SETTINGS)
    assert again.missing(TASKS) == TASKS[2:]
    run_all(again, SETTINGS, TASKS, 1, seen.append)
    assert [run.task for run in RunsFile(path, SETTINGS).runs] == TASKS
    whole = tmp_path / "at-once.jsonl"
    run_all(RunsFile(whole, SETTINGS), SETTINGS, TASKS, 1, lambda run: None)
    assert whole.read_text() == path.read_text()


@pytest.mark.slow
def test_processes_find_the_same(tmp_path: Path) -> None:
    one, several = tmp_path / "one.jsonl", tmp_path / "several.jsonl"
    run_all(RunsFile(one, SETTINGS), SETTINGS, TASKS, 1, lambda run: None)
    run_all(RunsFile(several, SETTINGS), SETTINGS, TASKS, 2, lambda run: None)
    assert sorted(one.read_text().splitlines()) == sorted(several.read_text().splitlines())


def test_a_file_of_other_settings_or_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    run_all(RunsFile(path, SETTINGS), SETTINGS, TASKS[:1], 1, lambda run: None)
    with pytest.raises(DataError, match=r"begun with workers 2, not 3; name another folder"):
        RunsFile(path, SETTINGS.model_copy(update={"workers": 3}))
    with pytest.raises(DataError, match="another content of that table"):
        RunsFile(path, SETTINGS).missing([TASKS[0].model_copy(update={"digest": "0" * 16})])
    text = path.read_text()
    run_all(RunsFile(path, SETTINGS), SETTINGS, TASKS[:1], 1, lambda run: None)
    assert path.read_text() == text, "what is done is not done again"
    line = text.splitlines()[1]
    path.write_text(text + line + "\n")
    assert len(RunsFile(path, SETTINGS).runs) == 1, "two processes in one folder did the same"
    hours = json.loads(line)["searched"]["mean_hours"]
    path.write_text(text + line.replace(f'"mean_hours":{hours}', '"mean_hours":7.5') + "\n")
    with pytest.raises(DataError, match="line 3: is another outcome of a search that stands there"):
        RunsFile(path, SETTINGS)
    regret = json.loads(line)["searched"]["by_trials"][0]["regret"]
    for wrong in ("NaN", "Infinity", "-0.5", '"none"'):
        path.write_text(text.replace(f'"regret":{regret}', f'"regret":{wrong}', 1))
        assert path.read_text() != text
        with pytest.raises(DataError, match="line 2: is not a search"):
            RunsFile(path, SETTINGS)
    path.write_text(text + "nothing\n")
    with pytest.raises(DataError, match="line 3: is not a search"):
        RunsFile(path, SETTINGS)
    path.write_text("nothing\n")
    with pytest.raises(DataError, match="is not a file of a rehearsal"):
        RunsFile(path, SETTINGS)


def test_a_line_without_a_point_for_every_budget_is_refused(tmp_path: Path) -> None:
    """Its strategy would be missing in the report without a word."""
    path = tmp_path / "runs.jsonl"
    run_all(RunsFile(path, SETTINGS), SETTINGS, TASKS[:1], 1, lambda run: None)
    head, line = path.read_text().splitlines()
    for series in ("by_trials", "by_time"):
        data = json.loads(line)
        data["searched"][series].pop()
        path.write_text(f"{head}\n{json.dumps(data)}\n")
        with pytest.raises(DataError, match="line 2: is not a search"):
            RunsFile(path, SETTINGS)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    RunsFile(path, SETTINGS)
    path.write_bytes(path.read_bytes() + b"\xff\xfe\n")
    with pytest.raises(DataError, match=r"runs\.jsonl: cannot be read"):
        RunsFile(path, SETTINGS)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=r"runs\.jsonl: cannot be read"):
        RunsFile(path, SETTINGS)
