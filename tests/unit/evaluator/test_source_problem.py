import pytest

from evaluator.statistics import source_problem


@pytest.mark.parametrize(
    "tasks",
    [
        [("CPP/3", "cpp"), ("Java/3", "java"), ("Python/3", "python"), ("JavaScript/3", "javascript")],
        [("python/order_total", "python"), ("javascript/orderTotal", "javascript"), ("ruby/order-total", "ruby")],
        [("HumanEval_3_below_zero", "cpp"), ("HumanEval_3_below_zero", "java")],
        [("cart/py", "python"), ("cart/c#", "csharp"), ("cart/sh", "bash")],
    ],
)
def test_one_problem_in_several_languages(tasks: list[tuple[str, str]]) -> None:
    assert len({source_problem(*task) for task in tasks}) == 1


@pytest.mark.parametrize(
    "tasks",
    [
        [("HumanEval/3", "python"), ("HumanEval/13", "python")],
        [("Mbpp/3", "python"), ("HumanEval/3", "python")],
        [("python/a", "python"), ("python/b", "python")],
        [("python", "python"), ("go", "python")],
    ],
)
def test_different_problems(tasks: list[tuple[str, str]]) -> None:
    assert len({source_problem(*task) for task in tasks}) == len(tasks)
