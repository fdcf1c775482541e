from dataclasses import replace
from typing import Any

import pytest

from evaluator.replaying.client import Sampling, Target
from evaluator.replaying.plan import Plan
from evaluator.suites import FunctionCheck, Part, Suite, Task

_CHECK = FunctionCheck((Part("tests", ((1,),), (1,)),), oracle="exact")
_SUITE = Suite(
    "human eval/+", "weighbridge", "0" * 64, tuple(Task(f"t/{n}", "python", "", "f", "", _CHECK) for n in range(50))
)
_TARGET = Target("llama", "route", "aaaabbbbcccc", is_gateway=True)


def _plan(suite: Suite = _SUITE, target: Target = _TARGET, base_url: str = "http://h/v1", **changes: Any) -> Plan:
    settings: dict[str, Any] = {"sampling": Sampling(), "samples": 3, "limit": None, "seed": 0, "cache": "no-store"}
    return Plan.of(suite, target, base_url, **(settings | changes))


def test_the_same_command_has_the_same_run_id() -> None:
    assert _plan().run_id == _plan().run_id
    assert _plan().run_id.startswith("human-eval-+-llama-")


@pytest.mark.parametrize(
    "other",
    [
        _plan(replace(_SUITE, hash="1" * 64)),
        _plan(target=replace(_TARGET, revision="other")),
        _plan(target=replace(_TARGET, name="mixtral")),
        _plan(base_url="http://other/v1"),
        _plan(samples=1),
        _plan(sampling=Sampling(temperature=0.0)),
        _plan(sampling=Sampling(top_p=1.0)),
        _plan(sampling=Sampling(max_tokens=64)),
        _plan(limit=10),
        _plan(cache="use"),
    ],
)
def test_whatever_can_change_the_result_changes_the_run_id(other: Plan) -> None:
    assert other.run_id != _plan().run_id


def test_a_slice_is_seeded_and_keeps_the_suites_order() -> None:
    first, again, other = _plan(limit=10, seed=1), _plan(limit=10, seed=1), _plan(limit=10, seed=2)
    assert first == again and first.run_id == again.run_id
    assert first.tasks != other.tasks and first.run_id != other.run_id
    numbers = [int(task.task_id[2:]) for task in first.tasks]
    assert numbers == sorted(set(numbers)) and len(numbers) == 10
    assert first.is_slice and first.total == 30


@pytest.mark.parametrize("limit", [50, 51, None])
def test_a_limit_that_leaves_nothing_out_is_none(limit: int | None) -> None:
    plan = _plan(limit=limit, seed=7)
    assert not plan.is_slice
    assert plan.run_id == _plan().run_id


def test_repetitions_of_a_task_lie_a_whole_round_apart() -> None:
    order = [(task.task_id, number) for task, number in _plan(limit=4, samples=2).rounds()]
    assert [number for _, number in order] == [0] * 4 + [1] * 4
    assert order[0][0] == order[4][0]
