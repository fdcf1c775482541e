"""HumanEval-X: HumanEval written anew in C++, Go, Java, JavaScript, Python and Rust, with canonical solutions."""

import re

from evaluator.suites import rows
from evaluator.suites.counting import HUMANEVAL_X
from evaluator.suites.suite import Row, Suite, SuiteError, Task

NAME = "humaneval-x"

_LANGUAGES = {
    "CPP": "cpp", "Go": "go", "Java": "java", "JavaScript": "javascript", "Python": "python", "Rust": "rust",
}  # fmt: skip
"""By what a task's id begins with."""

_DECLARED = re.compile(r"^[^\n/]*?(\w+)(?:<'\w+>)?(?: =)? ?\([^\n]*[{:]\s*$", re.MULTILINE)
_KEYWORDS = frozenset({"for", "if", "while", "switch"})


def claims(row: Row) -> bool:
    return {"task_id", "prompt", "declaration", "canonical_solution", "test", "example_test"} <= row.keys()


def suite_name(row: Row, stem: str) -> str:
    """``humaneval-x-cpp``."""
    return f"humaneval-x-{stem.lower().removeprefix('humaneval_')}"


def task(row: Row) -> Task:
    task_id = rows.required(row, "task_id", str)
    language = _LANGUAGES.get(task_id.partition("/")[0], "")
    if language not in HUMANEVAL_X:
        known = ", ".join(name for name, ours in _LANGUAGES.items() if ours in HUMANEVAL_X)
        raise SuiteError(f"the tests of {task_id!r} cannot be counted", f"ids begin with one of {known}")
    declaration = rows.required(row, "declaration", str)
    setup, imports = (rows.required(row, key, str) if key in row else "" for key in ("test_setup", "import"))
    opening = imports + declaration + (rows.required(row, "canonical_solution", str) if language == "rust" else "")
    return Task(
        task_id=task_id,
        language=language,
        prompt=_prompt(language, rows.required(row, "prompt", str), declaration),
        entry_point=_entry_point(declaration),
        canonical_solution=_canonical(language, row, declaration),
        check=HUMANEVAL_X[language](setup + rows.required(row, "test", str), opening),
    )


def as_released(suite: Suite) -> Suite:
    return suite


def _prompt(language: str, prompt: str, declaration: str) -> str:
    """The beginning of a whole program."""
    if language == "rust":
        return prompt + declaration
    return f"package main\n{prompt}" if language == "go" else prompt


def _canonical(language: str, row: Row, declaration: str) -> str:
    """In C++ and Rust the declaration holds what the solution includes, and the prompt does not."""
    solution = rows.required(row, "canonical_solution", str)
    if language == "rust":
        return declaration + solution
    if language == "cpp":  # one declaration holds the beginning of the solution
        prompt = rows.required(row, "prompt", str)
        return "\n".join([*re.findall(r"^#include.*", declaration, re.MULTILINE), prompt + solution])
    return _prompt(language, rows.required(row, "prompt", str), declaration) + solution


def _entry_point(declaration: str) -> str:
    """The last function that is declared; helpers come ahead of it."""
    names = [name for name in _DECLARED.findall(declaration) if name not in _KEYWORDS]
    if not names:
        raise SuiteError("'declaration' declares no function", "give HumanEval-X's own rows")
    return str(names[-1])
