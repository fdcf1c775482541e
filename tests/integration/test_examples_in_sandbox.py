"""Answers run on their request's own examples, in a real sandbox: what passes, and what does not get past them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluator.examples.verifier import ExamplesVerifier
from evaluator.sandbox import Remote
from policies.verify import Found, Question, Said, Verification
from tests.fixtures.sandboxes import serving

RULE = Verification("examples")
QUESTION = """from typing import List

def area(sides: List[float]) -> float:
    '''The product.
    >>> area([2.0, 1.5])
    3.0
    >>> area([0.1, 3.0])
    0.3
    >>> area([])
    1
    '''
"""
HOSTILE = {
    "leaves at once": "import os\nos._exit(0)",
    "says that all is well": "print('3')\ndef area(s):\n    print('0123456789abcdef 3')\n    return 0",
    "kills what watches it": "import os, signal\ndef area(s):\n    os.kill(os.getppid(), signal.SIGKILL)",
    "equals everything": "class Any(float):\n    __eq__ = lambda self, other: True\ndef area(s):\n    return Any(7)",
    "looks for the examples": "def area(s):\n    return eval(open('tests.py').read())",
    "writes without end": "def area(s):\n    while True:\n        print('x' * 65536)",
    "takes all memory": "def area(s):\n    return [bytearray(1 << 27) for _ in range(64)]",
    "raises": "def area(s):\n    raise SystemExit(0)",
    "is broken": "def area(s:\n    return 1",
    "has another name": "def volume(s):\n    return 1",
}


@pytest.fixture(scope="module")
def sandboxd() -> Iterator[Path]:
    with serving({"kind": "bubblewrap"}, parallel=2) as path:
        yield path


@pytest.fixture
def verifier(sandboxd: Path) -> ExamplesVerifier:
    return ExamplesVerifier(Remote(sandboxd), run_seconds=60, wait_seconds=60)


async def found(verifier: ExamplesVerifier, question: Question, answer: str) -> Found:
    check = await verifier.check(question, RULE)
    assert check is not None
    return await check.look(Said(answer))


@pytest.mark.parametrize(
    "answer",
    [
        "import math\ndef area(sides):\n    return math.prod(sides)\n",
        "Here:\n\n```python\nimport math\n\ndef area(sides: List[float]):\n    return math.prod(sides)\n```\nEnjoy.",
        "    result = 1\n    for side in sides:\n        result *= side\n    return result\n",
    ],
)
async def test_right_code_passes_however_it_is_given(verifier: ExamplesVerifier, answer: str) -> None:
    assert await found(verifier, Question(QUESTION), answer) == Found("passed", 1.0)


async def test_what_fails_says_how_much_of_it_was_right(verifier: ExamplesVerifier) -> None:
    answer = "def area(sides):\n    return sides[0] * sides[1] if sides else 0\n"
    assert await found(verifier, Question(QUESTION), answer) == Found("failed", pytest.approx(2 / 3))


@pytest.mark.parametrize("code", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_code_does_not_pass(verifier: ExamplesVerifier, code: str) -> None:
    assert await found(verifier, Question(QUESTION), f"```python\n{code}\n```") == Found("failed")


async def test_code_that_takes_for_ever_is_killed(sandboxd: Path) -> None:
    hasty = ExamplesVerifier(Remote(sandboxd), run_seconds=0.5)
    answer = "def area(s):\n    while True:\n        pass\n"
    assert await found(hasty, Question(QUESTION), answer) == Found("failed")


async def test_an_answer_without_code_is_left_alone(verifier: ExamplesVerifier) -> None:
    assert await found(verifier, Question(QUESTION), "Which sides do you mean?") == Found("skipped")
    assert await found(verifier, Question(QUESTION), "x" * 100_000) == Found("skipped")


async def test_a_completion_goes_on_where_its_prompt_ends(verifier: ExamplesVerifier) -> None:
    prompt = QUESTION + "    import math\n    return math."
    assert await found(verifier, Question(prompt, continues=True), "prod(sides)\n") == Found("passed", 1.0)
    assert await found(verifier, Question(prompt, continues=True), "fsum(sides)\n") == Found("failed")


async def test_other_languages_and_requests_without_examples_have_no_check(verifier: ExamplesVerifier) -> None:
    assert await verifier.check(Question(QUESTION, "rust"), RULE) is None
    assert await verifier.check(Question("def area(sides):\n    '''The product.'''\n", "python"), RULE) is None


async def test_without_a_sandbox_nothing_is_known(tmp_path: Path) -> None:
    nobody = ExamplesVerifier(Remote(tmp_path / "socket"))
    assert await found(nobody, Question(QUESTION), "def area(sides):\n    return 1\n") == Found("unavailable")
