from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evaluator.replaying.client import Target
from evaluator.store.records import Outcome, Sample
from evaluator.store.run_folder import RunFolder
from evaluator.suites import load_suite
from evaluator.verdict import Status
from evaluator.watching.budget import Budget
from evaluator.watching.draws import Draws
from evaluator.watching.scale import Scale, merged
from evaluator.watching.standing import AVERAGE_RUN_LENGTH, Gate
from policies.admission import Admission

SUITE = load_suite("builtin:python,rust")
GATE = Gate("builtin", "python", 0.5, 0.95)
START = datetime(2026, 11, 23, 10, tzinfo=UTC)
REST = timedelta(minutes=10)

Passes = Callable[[int], bool]


def opened(folder: Path, gates: Iterable[Gate] = (GATE,), told: Iterable[Admission] = ()) -> Scale:
    target = Target("small", "route", "r1", is_gateway=True)
    scale = Scale(target, SUITE, RunFolder(folder), 0, AVERAGE_RUN_LENGTH)
    scale.weigh_at(gates, {Gate.of(row): row for row in told})
    return scale


def draw(scale: Scale, draws: int, passes: Passes = lambda number: True, at: datetime = START) -> list[Admission]:
    """Changes of state."""
    rows = []
    for _ in range(draws):
        number, tasks = scale.next_draw()
        for task in tasks:
            status = Status.PASS if passes(number) else Status.FAIL
            sample = Sample(task.task_id, number, at.isoformat(), 1, answer="x", language=task.language)
            scale.keep(sample, Outcome(task.task_id, number, status))
        rows += scale.settle(number, at)
    return [row for row in rows if row.before != row.state]


def test_who_opens_it_again_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole, parts = opened(tmp_path / "whole"), tmp_path / "parts"
    passes: Passes = lambda number: number < 30 or number % 3 == 0  # noqa: E731
    expected = draw(whole, 80, passes)
    assert [row.state for row in expected] == ["admitted", "demoted"]
    rows = []
    for _ in range(8):
        scale = opened(parts)
        rows += draw(scale, 10, passes)
        scale.close()
    assert [replace(row, run_id="") for row in rows] == [replace(row, run_id="") for row in expected]
    scale = opened(parts)
    assert [standing.state for standing in scale.standings] == ["demoted"]
    scale.close()
    whole.close()


def test_who_is_demoted_is_asked_again_after_a_rest_that_doubles(tmp_path: Path) -> None:
    scale = opened(tmp_path)
    assert [row.state for row in draw(scale, 40, lambda number: False)] == ["demoted"]
    assert scale.next_draw()[1] == []
    assert scale.wake(START + REST - timedelta(seconds=1), REST) == []
    (row,) = scale.wake(START + REST, REST)
    assert (row.before, row.state) == ("demoted", "probation")
    again = START + REST
    assert [row.state for row in draw(scale, 40, lambda number: False, again)] == ["demoted"]
    assert scale.wake(again + 2 * REST - timedelta(seconds=1), REST) == []
    assert [row.state for row in scale.wake(again + 2 * REST, REST)] == ["probation"]
    assert [row.state for row in draw(scale, 40)] == ["admitted"]
    scale.close()


def test_what_the_gateway_says_is_followed_where_nothing_is_known_here(tmp_path: Path) -> None:
    first = opened(tmp_path / "a")
    (row,) = draw(first, 40, lambda number: False)
    first.close()
    other = opened(tmp_path / "b", told=[row])
    assert [standing.state for standing in other.standings] == ["demoted"]
    assert [row.state for row in other.wake(START + REST, REST)] == ["probation"]
    other.close()


def test_what_somebody_else_told_the_gateway_later_is_followed(tmp_path: Path) -> None:
    scale = opened(tmp_path)
    (row,) = draw(scale, 10)
    scale.close()
    later = replace(row, before="admitted", state="demoted", at="2026-11-23T10:05:00.000+00:00")
    scale = opened(tmp_path, told=[later])
    assert scale.next_draw()[1] == [] and scale.untold({GATE: later}) == []
    scale.close()
    scale = opened(tmp_path, told=[row])
    assert [standing.state for standing in scale.standings] == ["demoted"]
    assert scale.untold({GATE: row}) == [later]
    scale.close()


def test_what_the_gateway_has_lost_is_told_again(tmp_path: Path) -> None:
    scale = opened(tmp_path)
    (row,) = draw(scale, 10)
    assert scale.untold({}) == [row]
    assert scale.untold({GATE: row}) == []
    assert scale.untold({GATE: replace(row, state="demoted", at="2026-11-24T00:00:00.000+00:00")}) == []
    scale.close()


def test_only_languages_that_a_gate_asks_for_are_drawn(tmp_path: Path) -> None:
    scale = opened(tmp_path)
    assert [task.language for task in scale.next_draw()[1]] == ["python"]
    whole = Gate("builtin", None, 0.5, 0.95)
    scale.weigh_at([GATE, whole, Gate("builtin", "cobol", 0.5, 0.95)], {})
    assert [task.language for task in scale.next_draw()[1]] == ["python", "rust"]
    draw(scale, 3)
    assert [(standing.gate, standing.draws) for standing in scale.standings] == [(GATE, 3), (whole, 3)]
    scale.weigh_at([whole], {})
    assert [standing.gate for standing in scale.standings] == [whole]
    scale.close()


def test_gates_that_differ_in_confidence_alone_are_one() -> None:
    surer = replace(GATE, confidence=0.99)
    assert merged([GATE, surer, replace(GATE, at_least=0.6)]) == {surer, replace(GATE, at_least=0.6)}


def test_a_draw_is_the_same_whenever_it_is_made() -> None:
    draws = Draws(SUITE, 1)
    first = [[task.task_id for task in draws.of(number, ["python", "rust"])] for number in range(50)]
    assert first == [[task.task_id for task in Draws(SUITE, 1).of(n, ["python", "rust"])] for n in range(50)]
    assert [ids[1] for ids in first] == [next(draws.of(n, ["rust"])).task_id for n in range(50)]
    assert first != [[task.task_id for task in Draws(SUITE, 2).of(n, ["python", "rust"])] for n in range(50)]
    assert len({ids[0] for ids in first}) > 10


def test_a_budget_holds_for_any_24_hours() -> None:
    budget = Budget(100)
    assert budget.allows(START)
    for hour in range(3):
        budget.add(START + timedelta(hours=hour), 30)
    assert not budget.allows(START + timedelta(hours=3))
    assert budget.allows(START + timedelta(hours=24))
    assert budget.spent(START + timedelta(hours=24)) == 60


def test_a_cost_that_nobody_tells_counts_like_the_dearest() -> None:
    budget = Budget(100)
    budget.add(START, 40)
    budget.add(START, None)
    assert budget.spent(START) == 80
    assert not budget.allows(START)
    unlimited = Budget(None)
    unlimited.add(START, 10**12)
    assert unlimited.allows(START)


@pytest.mark.parametrize("cut", [b'{"task_id": "pyth', b""])
def test_a_row_that_a_kill_cut_short_is_dropped(tmp_path: Path, cut: bytes) -> None:
    scale = opened(tmp_path)
    draw(scale, 5)
    scale.close()
    with (tmp_path / "verdicts.jsonl").open("ab") as file:
        file.write(cut)
    scale = opened(tmp_path)
    assert scale.next_draw()[0] == 5
    scale.close()
