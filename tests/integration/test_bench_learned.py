"""The examples behind the table in docs/learned.md are the published verdicts, and the table is what comes of them."""

from pathlib import Path

import pytest

from evaluator.learning.evaluation import evaluate
from evaluator.learning.fitting import Settings, train
from gateway.cli.policy_train import as_served
from tests.bench.learned import DOCUMENT, recorded_cases
from tests.fixtures.shared_data import needs_shared_data


@needs_shared_data
def test_examples_are_the_published_verdicts_at_prices_of_one_to_five() -> None:
    plus, base, _ = (case.examples for case in recorded_cases())
    assert [sum(row.solved[route] for row in plus.rows) for route in (0, 1)] == [60, 87]
    assert [sum(row.solved[route] for row in base.rows) for route in (0, 1)] == [72, 101]
    assert [route.route for route in plus.routes] == ["qwen2.5-coder-1.5b", "qwen2.5-coder-7b"]
    small, large = (sum(row.cost_nanousd[route] for row in plus.rows) for route in (0, 1))
    assert 4.5 < large / small < 5.5  # answers of about the same length


@needs_shared_data
@pytest.mark.full
def test_on_humaneval_prompts_do_not_tell_which_model_is_needed(torch_python: Path) -> None:
    """If this fails, something that the page says cannot be done has been done: write that down."""
    found = evaluate(train(recorded_cases()[0].examples, as_served, Settings(str(torch_python), 0, 5, None)))
    assert found.refusal is not None
    assert [round(point.solved, 3) for point in found.points[:2]] == [0.366, 0.530]
    assert "| 1.5B and 7B, HumanEval+ | 0 | 0.366 | 0.530 |" in DOCUMENT.read_text()
