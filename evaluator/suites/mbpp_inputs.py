"""What JSON lost of MBPP+'s inputs: tuples, sets and complex numbers, turned back by task.

Which task needs what is EvalPlus's knowledge: ``evalplus/data/mbpp.py: mbpp_deserialize_inputs`` of evalplus 0.3.1
(https://github.com/evalplus/evalplus, Apache-2.0), whose list of tasks is the same since 0.2.0.
"""

from collections.abc import Callable, Mapping
from typing import Any

from evaluator.suites.suite import SuiteError

Arguments = tuple[object, ...]
Repair = Callable[[Arguments], Arguments]


def repaired(task_id: str, args: list[object]) -> Arguments:
    """The arguments of one call with their types as EvalPlus calls it. Raises SuiteError where they do not fit."""
    repair = _REPAIRS.get(int(task_id.removeprefix("Mbpp/")), tuple)
    try:
        return repair(tuple(args))
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise SuiteError(f"{task_id} has an input of another shape: {str(args)[:80]}") from error


def _each(change: Callable[[Any], object]) -> Repair:
    return lambda args: tuple(change(arg) for arg in args)


def _at(position: int, change: Callable[[Any], object]) -> Repair:
    return lambda args: (*args[:position], change(args[position]), *args[position + 1 :])


def _list_of_tuples(rows: Any) -> list[object]:
    return [tuple(row) for row in rows]


def _tuple_of_tuples(items: Any) -> object:
    """Items that are no lists stay what they are."""
    return tuple(tuple(item) if isinstance(item, list) else item for item in items)


def _list_of_sets(items: Any) -> list[object]:
    """An empty item is an empty dict, and so is what was none of the sets."""
    return [set(item) if isinstance(item, list) and item else {} for item in items]


def _all_tuples(value: Any) -> object:
    return tuple(map(_all_tuples, value)) if isinstance(value, list) else value


_TASKS: tuple[tuple[Repair, tuple[int, ...]], ...] = (
    (
        _each(tuple),
        (2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809),
    ),
    (_each(_list_of_tuples), (63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780)),
    (_each(_tuple_of_tuples), (259, 401, 445)),
    (_each(_all_tuples), (580, 615, 791)),
    (_at(0, _list_of_tuples), (75, 413, 444, 753)),
    (_at(0, tuple), (250, 307, 405, 446, 617, 720, 763, 808)),
    (_at(1, tuple), (106, 750)),
    (_at(0, _list_of_sets), (115,)),
    (_at(0, _tuple_of_tuples), (278,)),
    (_at(0, lambda people: {name: tuple(facts) for name, facts in people.items()}), (722,)),
    (_at(0, complex), (252,)),
    (lambda args: (float(args[0]), complex(args[1])), (124,)),  # type: ignore[arg-type, call-overload]
)
_REPAIRS: Mapping[int, Repair] = {task: repair for repair, tasks in _TASKS for task in tasks}
