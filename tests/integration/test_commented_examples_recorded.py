"""Real answers on the examples in comments of published prompts: what is right gets past them."""

import pytest

from evaluator.examples.verifier import ExamplesVerifier
from evaluator.languages import LANGUAGES
from evaluator.sandbox import Bubblewrap
from policies.verify import Question, Said, Verification
from tests.fixtures.shared_data import needs_shared_data, shared_rows

pytestmark = [
    needs_shared_data,
    pytest.mark.full,
    pytest.mark.skipif(LANGUAGES["javascript"].missing() is not None, reason="needs node"),
]

RULE = Verification("examples")
CONTRADICT = {"JavaScript/56", "JavaScript/103", "HumanEval_47_median"}
"""Their prompts' examples are not what their tests ask for."""
CUT_OFF = {"HumanEval_21_rescale_to_unit", "HumanEval_22_filter_integers", "HumanEval_35_max_element"}
"""These answers went on with other functions until they were cut off, and do not parse as they are."""
WRONG = {"HumanEval_124_valid_date"}
"""By an example of the prompt, which the tests do not try."""


async def rejected(answers: dict[str, tuple[str, str]]) -> tuple[set[str], int]:
    """Whose answer failed, of prompts and answers by task; and how many were tried."""
    failed, tried = set(), 0
    async with Bubblewrap() as box:
        verifier = ExamplesVerifier(box, run_seconds=60, wait_seconds=60)
        for task, (prompt, answer) in answers.items():
            check = await verifier.check(Question(prompt), RULE)
            found = await check.look(Said(answer)) if check else None
            assert found is None or found.verdict in ("passed", "failed", "skipped"), task
            tried += found is not None and found.verdict != "skipped"
            failed |= {task} if found is not None and found.verdict == "failed" else set()
    return failed, tried


async def test_humaneval_xs_canonical_solutions_pass() -> None:
    rows = shared_rows("suites/humaneval-x/humaneval_js.jsonl.gz")
    failed, tried = await rejected(
        {row["task_id"]: (row["prompt"], row["prompt"] + row["canonical_solution"]) for row in rows}
    )
    assert failed <= CONTRADICT and tried >= 110


async def test_recorded_answers_that_passed_their_tests_pass_and_most_others_do_not() -> None:
    prompts = {row["name"]: row["prompt"] for row in shared_rows("suites/multipl-e/humaneval-js.jsonl.gz")}
    recorded = "recorded/qwen2.5-coder-1.5b/multipl-e-js"
    passed = {row["task_id"]: row["passed"] for row in shared_rows(f"{recorded}-verdicts.jsonl.gz")}
    answers = {
        row["task_id"]: (prompts[row["task_id"]], row["wholecode"])
        for row in shared_rows(f"{recorded}-samples.jsonl.gz")
    }
    failed, tried = await rejected(answers)
    assert {task for task in failed if passed[task]} <= CONTRADICT | CUT_OFF | WRONG
    assert tried >= 150 and len([task for task in failed if not passed[task]]) >= 60
