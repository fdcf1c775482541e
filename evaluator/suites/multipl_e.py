"""MultiPL-E: HumanEval and MBPP translated, one language a file. Tests run beside the code; there are no solutions."""

from evaluator.suites import rows
from evaluator.suites.counting import MULTIPL_E, MULTIPL_E_BY_PROMPT
from evaluator.suites.suite import Check, Row, Suite, SuiteError, Task

NAME = "multipl-e"

_LANGUAGES = {
    "cpp": "cpp", "cs": "csharp", "go": "go", "go_test.go": "go", "java": "java", "js": "javascript", "lua": "lua",
    "php": "php", "pl": "perl", "rb": "ruby", "rs": "rust", "sh": "bash", "ts": "typescript",
}  # fmt: skip
"""The suite's names of languages, and ours."""


def claims(row: Row) -> bool:
    return {"name", "language", "prompt", "tests", "stop_tokens"} <= row.keys()


def suite_name(row: Row, stem: str) -> str:
    """``multipl-e-humaneval-cpp``."""
    return f"multipl-e-{stem.lower().removeprefix('multipl-e-')}"


def task(row: Row) -> Task:
    language = rows.required(row, "language", str)
    prompt, tests = rows.required(row, "prompt", str), rows.required(row, "tests", str)
    return Task(
        task_id=rows.required(row, "name", str),
        language=_LANGUAGES[language],
        prompt=prompt,
        entry_point=_entry_point(rows.required(row, "name", str)),
        canonical_solution="",
        check=_check(language, tests, prompt),
        closing=_closing(language, tests),
    )


def as_released(suite: Suite) -> Suite:
    return suite


def _closing(language: str, tests: str) -> str:
    """The tests begin with the brace that a stop token took; Java's and C#'s end with that of the class, too."""
    brace = "\n}\n" if tests.lstrip().startswith("}") else ""
    return brace + ("}\n" if language in ("java", "cs") else "")


def _check(language: str, tests: str, prompt: str) -> Check:
    if language in MULTIPL_E_BY_PROMPT:
        return MULTIPL_E_BY_PROMPT[language](tests, prompt)
    if language in MULTIPL_E:
        return MULTIPL_E[language](tests)
    known = ", ".join(sorted([*MULTIPL_E, *MULTIPL_E_BY_PROMPT]))
    raise SuiteError(f"no tests in {language!r} can be counted", f"known languages: {known}")


def _entry_point(name: str) -> str:
    """``HumanEval_0_has_close_elements`` -> ``has_close_elements``."""
    return name.split("_", 2)[-1]
