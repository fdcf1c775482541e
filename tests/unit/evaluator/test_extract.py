"""Answers as chat models send them, and the program in each."""

import textwrap
from dataclasses import replace

import pytest

from evaluator.judging.extract import extract
from evaluator.suites import FunctionCheck, StdioCheck, Task

PROMPT = """from typing import List


def helper(x: int) -> int:
    return x + 1


def total(xs: List[int]) -> int:
    '''Sum.'''
"""
BODY = "    return sum(xs)\n"
PROGRAM = "def total(xs):\n    return sum(xs)\n"
TASK = Task("t/1", "python", PROMPT, "total", PROMPT + BODY, FunctionCheck((), "exact"))


def total(answer: str) -> object:
    """What the extracted program's function makes of [1, 2, 3]."""
    code = extract(answer, TASK)
    assert code is not None
    scope: dict[str, object] = {}
    exec(code, scope)
    function = scope["total"]
    assert callable(function)
    return function([1, 2, 3])


@pytest.mark.parametrize(
    "answer",
    [
        PROGRAM,
        "\n\n" + PROGRAM + "\n\nprint(total([1]))\n",
        "# sum\nimport os\n\n" + PROGRAM,
        '"""Docs with\n```python\nx = 1\n```\n"""\n' + PROGRAM,
        "import re\nfrom os import path\n@staticmethod\n" + PROGRAM,
        "x: int = 3\n" + PROGRAM,
        "total = lambda xs: sum(xs)\n",
        "def total(xs):\n    return sum(xs\n",
        "def total(xs):\n  return sum(xs)\n   x\nHope this helps!",
    ],
)
def test_a_bare_program_comes_through_unchanged(answer: str) -> None:
    assert extract(answer, TASK) == answer


@pytest.mark.parametrize(
    "answer",
    [
        f"```python\n{PROGRAM}```",
        f"Sure!\n\n```py\n{PROGRAM}```\nIt sums.",
        f"```Python\n{PROGRAM}```",
        f"```\n{PROGRAM}```",
        f"~~~python\n{PROGRAM}~~~",
        f"````python\n{PROGRAM}````",
        f"```python title=total.py\n{PROGRAM}```",
        f"```ruby\n{PROGRAM}```",
        f"```python\n{PROGRAM}",
        f"1. First:\n\n   ```python\n{textwrap.indent(PROGRAM, '   ')}   ```\n",
        f"```bash\npip install total\n```\n```python\n{PROGRAM}```",
        f"```python\nassert total([1]) == 1\n```\n\n```python\n{PROGRAM}```",
        f"```python\n{PROGRAM}```\n\nUse it:\n\n```python\nprint(total([1]))\n```",
        f"```\n6\n```\n```python\n{PROGRAM}```",
        f"```python\n{PROMPT}{BODY}```",
        f"```python\n{BODY}```",
        "```python\nreturn sum(xs)\n```",
        "```python\ns = 0\nfor x in xs:\n    s += x\nreturn s\n```",
        f"Here is the function:\n\n{PROGRAM}\nIt sums the list.\n",
        f"Here it is:\n{PROGRAM}",
        f"Here it is:\n{PROGRAM}\nNote:\n- it sums\n- it's fast\n",
        BODY,
        "\n" + BODY,
        "return sum(xs)",
        PROMPT + BODY,
        f"```python\r\n{PROGRAM}```".replace("\n", "\r\n").replace("\r\r", "\r"),
    ],
)
def test_the_program_is_found(answer: str) -> None:
    assert total(answer) == 6


def test_what_the_prompt_defines_is_there_where_the_answer_needs_it() -> None:
    assert total("```python\ndef total(xs: List[int]) -> int:\n    return helper(sum(xs)) - 1\n```") == 6
    own = "```python\ndef helper(x):\n    return 2 * x\n\ndef total(xs):\n    return helper(3)\n```"
    assert extract(own, TASK) == own.removeprefix("```python\n").removesuffix("```")


def test_helpers_in_a_block_of_their_own_belong_to_it() -> None:
    assert total("```python\nimport math\ndef add(a, b):\n    return a + b\n```\nThen:\n```python\n"
                 "def total(xs):\n    return add(math.floor(sum(xs)), 0)\n```") == 6  # fmt: skip


def test_the_first_block_that_defines_it_wins() -> None:
    assert total(f"```python\n{PROGRAM}```\nOr worse:\n```python\ndef total(xs):\n    return 0\n```") == 6


@pytest.mark.parametrize(
    "answer",
    ["", "  \n ", "I cannot help with that.", "Sorry", "Sum them.\nThen return.", "```\n\n```", "```python\n```"],
)
def test_no_code(answer: str) -> None:
    assert extract(answer, TASK) is None


def test_a_block_without_the_function_is_still_code() -> None:
    assert extract("```python\nprint(1)\ndef other():\n    pass\n```", TASK) is not None


@pytest.mark.parametrize("size", [300_000])
@pytest.mark.parametrize(
    "unit", ["(", "-", "a.", "[", "\n", "```\n", "```python\n", "def total(", "lambda: ", "    x\n", "a b\n"]
)
def test_a_huge_answer_does_no_harm(unit: str, size: int) -> None:
    extract(unit * (size // len(unit)), TASK)
    extract(unit * (size // len(unit)) + PROGRAM, TASK)
    extract(unit * (10_000 // len(unit)) + PROGRAM, TASK)
    extract("So:\n" + PROGRAM + unit * (150_000 // len(unit)), TASK)


WHOLE = Task("t/2", "python", "Read two numbers, print their sum.\n", "", "", StdioCheck(()))
WHOLE_JAVASCRIPT = replace(WHOLE, language="javascript")


@pytest.mark.parametrize("task", [WHOLE, WHOLE_JAVASCRIPT], ids=lambda task: task.language)
def test_a_whole_program_needs_no_entry_point(task: Task) -> None:
    code = "print(1);\n"
    right = f"```{task.language}\n{code}```"
    for answer in (right, f"Sure:\n```sh\nrun it\n```\n{right}\nDone.", f"```\n{code}```", code):
        assert extract(answer, task) == code
    for answer in ("", "I would rather not do that."):
        assert extract(answer, task) is None


def test_a_language_that_nothing_is_known_of_goes_by_its_tag() -> None:
    task = replace(WHOLE, language="awk")
    code = "{ print $1 + $2 }\n"
    assert extract(f"```sh\nawk -f it.awk\n```\n```awk\n{code}```", task) == code
    assert extract(f"```sh\nawk -f it.awk\n```\n```\n{code}```", task) == code
    assert extract(f"```text\n{code}```", task) == code
    assert extract(code, task) == code
    assert extract(" \n", task) is None
