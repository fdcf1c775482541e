import random
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from math import ceil

import numpy as np
import pytest

from evaluator.watching.baseline import Baseline
from evaluator.watching.standing import Change, Draw, Gate, Standing
from tests.simulation.standings import ADMITTED, DEMOTED, NONE, Standings

GATE = Gate("s", None, 0.8, 0.95)
TASKS = {"python": tuple(f"t/{number}" for number in range(20))}
TWO = {"python": ("p/1", "p/2", "p/3"), "rust": ("r/1",)}

Passes = Callable[[str], bool | None]


def watched(standing: Standing, passes: Passes, draws: int, seed: int = 0) -> Iterator[Change]:
    rng = random.Random(seed)
    for _ in range(draws):
        task = rng.choice(TASKS["python"])
        standing.add([Draw("python", task, passes(task))])
        if (change := standing.decided()) is not None:
            yield change


def changed(changes: Iterable[Change]) -> list[Change]:
    """Without those that only tell newer bounds."""
    return [change for change in changes if change.before != change.state]


def admitted(passes: Passes = lambda task: True, draws: int = 150) -> Standing:
    standing = Standing(GATE, TASKS)
    assert [change.state for change in changed(watched(standing, passes, draws, seed=9))] == ["admitted"]
    return standing


def test_a_route_that_passes_is_admitted_once_its_lower_bound_clears_the_bar() -> None:
    standing = Standing(GATE, TASKS)
    (change,) = changed(watched(standing, lambda task: True, 60))
    assert (change.before, change.state) == (None, "admitted")
    assert change.low >= 0.8 and change.high == 1
    assert change.draws < 40 and standing.draws == 60
    assert "clears 0.8" in change.reason and "pass@1 on s >= 0.8" in change.reason


def test_a_route_below_the_bar_is_demoted_and_begins_again_after_its_rest() -> None:
    standing = Standing(GATE, TASKS)
    rng = random.Random(1)
    (change,) = changed(watched(standing, lambda task: rng.random() < 0.4, 100))
    assert (change.before, change.state) == (None, "demoted")
    assert change.high < 0.8 and "is below 0.8" in change.reason
    assert 0 < len(change.failing) <= 20
    assert standing.draws == 0  # and what comes while it rests does not count
    assert standing.rest_is_over().state == "probation"
    assert [each.state for each in changed(watched(standing, lambda task: True, 60))] == ["admitted"]


def test_a_route_that_gets_worse_is_demoted_though_it_is_still_above_the_bar_on_the_whole() -> None:
    standing = admitted()
    broken = {"t/0", "t/1", "t/2"}
    (change,) = changed(watched(standing, lambda task: task not in broken, 400))
    assert (change.before, change.state) == ("admitted", "demoted")
    assert "e-detector" in change.reason and "average run length 160,000 draws at least" in change.reason
    assert set(change.failing) == broken
    assert change.high > 0.8


def test_tasks_that_used_to_pass_are_named_first() -> None:
    standing = admitted(lambda task: task != "t/9", 300)
    (change,) = changed(watched(standing, lambda task: task not in ("t/9", "t/1", "t/3", "t/5", "t/7"), 300))
    assert change.state == "demoted"
    assert change.failing[-1] == "t/9" and len(change.failing) > 2


def test_an_admitted_routes_bounds_are_told_anew_as_they_narrow() -> None:
    standing = Standing(GATE, TASKS)
    first, *later = watched(standing, lambda task: True, 100)
    assert [(change.before, change.state) for change in later] == [("admitted", "admitted")] * len(later)
    draws = [change.draws for change in (first, *later)]
    assert all(after == ceil(1.5 * before) for before, after in pairwise(draws))
    assert draws[-1] > 60 and later[-1].low > first.low


def test_the_latest_failures_are_named_first() -> None:
    standing = Standing(GATE, {"python": ("a", "b", "c")})
    for task in ("a", "b", "c", "a"):
        standing.add([Draw("python", task, True)])
    for task in ("c", "b", "a", "c"):
        standing.add([Draw("python", task, False)])
    while (change := standing.decided()) is None:
        standing.add([Draw("python", "b", False)])
    assert change.failing == ("b", "c", "a")


def test_what_has_no_score_counts_for_nothing_but_against_being_admitted() -> None:
    standing = Standing(GATE, TASKS)
    numbers = iter(range(1000))
    assert list(watched(standing, lambda task: None if next(numbers) % 10 == 0 else True, 300)) == []
    assert (standing.draws, standing.state) == (270, None)


def test_what_was_recorded_is_followed() -> None:
    one, other = admitted(), Standing(GATE, TASKS)
    other.follow("demoted")
    list(watched(other, lambda task: True, 10))
    other.follow("probation")
    assert (other.draws, other.state) == (0, "probation")
    changes = changed(watched(other, lambda task: True, 150, seed=9))
    assert [change.state for change in changes] == ["admitted"]
    assert (other.bounds(), other.level) == (one.bounds(), one.level)


def test_the_whole_suite_weighs_languages_by_their_tasks() -> None:
    standing = Standing(GATE, TWO)
    standing.add([Draw("python", "p/1", True), Draw("rust", "r/1", False)])
    assert standing.mean == 0.75
    standing.add([Draw("python", "p/2", True), Draw("rust", "r/1", None)])
    assert standing.draws == 1


def test_a_baseline_expects_of_an_unknown_task_what_others_of_its_language_do() -> None:
    baseline = Baseline(TWO)
    assert baseline.mean() == pytest.approx(0.5)
    for _ in range(8):
        baseline.add("python", "p/1", True)
        baseline.add("rust", "r/1", False)
    assert baseline.expected("python", "p/1") > 0.98
    assert baseline.expected("python", "p/2") == pytest.approx(0.9)
    mean = sum(baseline.expected("python", task) for task in TWO["python"]) / 4 + baseline.expected("rust", "r/1") / 4
    assert baseline.mean() == pytest.approx(mean)


def test_the_simulation_decides_as_the_standing_does() -> None:
    """Six routes at once, of which some are admitted, some get worse, and some are demoted at once."""
    chances = np.array([0.99, 0.95, 0.9, 0.8, 0.6, 0.3])
    many, single = Standings(GATE, 6, 20), [Standing(GATE, TASKS) for _ in chances]
    states = {None: NONE, "admitted": ADMITTED, "demoted": DEMOTED}
    rng = np.random.default_rng(3)
    for number in range(260):
        task = rng.integers(0, 20, 6)
        passed = rng.random(6) < np.where(number < 150, chances, chances * 0.6)
        many.take(task, passed)
        for index, standing in enumerate(single):
            standing.add([Draw("python", f"t/{task[index]}", bool(passed[index]))])
            standing.decided()
        assert many.state.tolist() == [states[standing.state] for standing in single]
        assert many.level == pytest.approx([standing.level for standing in single])
        assert many.reference == pytest.approx([standing.reference for standing in single], abs=1e-6)
    assert {ADMITTED, DEMOTED} >= set(many.state.tolist()) and DEMOTED in many.state
