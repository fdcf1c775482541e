"""Our own format: JSON lines that a team writes for its own tasks, in any language. A line is one task:

    {"task_id": "invoice/3", "language": "python", "entry_point": "total",
     "prompt": "def total(lines: list[int]) -> int:\\n    ...",
     "canonical_solution": "def total(lines):\\n    return sum(lines)\\n",
     "wrong_solutions": ["def total(lines):\\n    return len(lines)\\n"],
     "tests": [{"args": [[1, 2]], "expected": 3}]}

``canonical_solution`` and ``wrong_solutions`` (optional) are whole programs. One of three keys says how they are
checked:

``tests``, for Python and JavaScript: ``entry_point`` is called with ``args``, which are positional. Results are
compared with their exact types: ``True`` is not ``1``, ``1`` is not ``1.0``, a list is no tuple;
``evaluator.suites.values`` says how a tuple, a set and the like are written.

``cases``, for any language: the program reads standard input, writes standard output, ends with exit status 0.

     "cases": [{"stdin": "1 2\\n", "expected": "3\\n"}], "compare": "lines"

``compare``: ``lines`` (the default) overlooks white space at the ends of lines and of the text; ``numbers`` compares
word by word, and numbers to 1e-6.

``test_file``, for any language: a program that holds ``{{solution}}`` once, and after it ``{{passed}}`` for each test.
It prints ``{{passed}}`` where the test has passed, and ends with exit status 0. The judge puts another secret word in
the place of each ``{{passed}}``, and looks for them all in what the program writes:

     "test_file": "#include <cstdio>\\n{{solution}}\\nint main() { if (add(1, 2) == 3) puts(\\"{{passed}}\\"); }"

Where they can be had, prefer ``tests`` or ``cases``: what is right then never comes near the solution.
"""

from evaluator.suites import rows, values
from evaluator.suites.suite import (
    Case,
    Check,
    FunctionCheck,
    Part,
    Row,
    StdioCheck,
    Suite,
    SuiteError,
    Task,
    WordsCheck,
)

NAME = "weighbridge"

SOLUTION, PASSED = "{{solution}}", "{{passed}}"

_CHECKS = ("tests", "cases", "test_file")
_TEXTS = ("task_id", "language", "prompt", "canonical_solution")
_KEYS = (*_TEXTS, "entry_point", "wrong_solutions", *_CHECKS, "compare")


def claims(row: Row) -> bool:
    return "task_id" in row and "language" in row


def suite_name(row: Row, stem: str) -> str:
    return stem


def task(row: Row) -> Task:
    rows.only(row, _KEYS)
    task_id, language, prompt, canonical_solution = (rows.required(row, key, str) for key in _TEXTS)
    called = "entry_point" in row or "tests" in row
    return Task(
        task_id=task_id,
        language=language,
        prompt=prompt,
        entry_point=rows.required(row, "entry_point", str) if called else "",
        canonical_solution=canonical_solution,
        wrong_solutions=rows.strings(row, "wrong_solutions"),
        check=_check(row),
    )


def as_released(suite: Suite) -> Suite:
    return suite


def _check(row: Row) -> Check:
    given = [key for key in _CHECKS if key in row]
    if len(given) != 1:
        problem = f"both {given[0]!r} and {given[1]!r}" if given else "no check"
        raise SuiteError(f"the task has {problem}", f"give one of {', '.join(map(repr, _CHECKS))}")
    if "compare" in row and given != ["cases"]:
        raise SuiteError(f"'compare' says nothing of {given[0]!r}", "remove it, or give 'cases'")
    if given == ["tests"]:
        tests = [_test(test, number) for number, test in enumerate(_some(row, "tests", _TEST), 1)]
        return FunctionCheck(
            (Part("tests", tuple(args for args, _ in tests), tuple(value for _, value in tests)),), "exact"
        )
    if given == ["cases"]:
        cases = tuple(_case(case, number) for number, case in enumerate(_some(row, "cases", _CASE), 1))
        match row.get("compare", "lines"):
            case ("lines" | "numbers") as oracle:
                return StdioCheck(cases, oracle)
        raise SuiteError(f"'compare' is {row['compare']!r}", "write 'lines' or 'numbers'")
    return _program(rows.required(row, "test_file", str), rows.required(row, "language", str))


_TEST = '{"args": [...], "expected": ...}'
_CASE = '{"stdin": "...", "expected": "..."}'


def _some(row: Row, key: str, example: str) -> list[object]:
    items = rows.required(row, key, list)
    if not items:
        raise SuiteError(f"{key!r} is empty", f"add at least one {example}")
    return items


def _test(test: object, number: int) -> tuple[tuple[object, ...], object]:
    if not isinstance(test, dict) or set(test) != {"args", "expected"} or not isinstance(test["args"], list):
        raise SuiteError(f"test {number} is not a call", f"write {_TEST}")
    return tuple(values.decode(arg) for arg in test["args"]), values.decode(test["expected"])


def _case(case: object, number: int) -> Case:
    if not isinstance(case, dict) or set(case) != {"stdin", "expected"}:
        raise SuiteError(f"case {number} is not an input and its output", f"write {_CASE}")
    if not all(isinstance(text, str) for text in case.values()):
        raise SuiteError(f"case {number} holds something that is no string", f"write {_CASE}")
    return Case(case["stdin"], case["expected"])


_C_KEYWORDS = "break case char const continue default do double else float for goto if int long return short signed \
sizeof static struct switch unsigned void while auto using operator template try catch"
_UNDEFINED = "\n" + "".join(f"#undef {word}\n" for word in _C_KEYWORDS.split())
_BELOW = {"c": _UNDEFINED, "cpp": _UNDEFINED}
"""What follows a solution ahead of the tests: what it may have made of the language's own words is undone."""


def _program(text: str, language: str) -> WordsCheck:
    if text.count(SOLUTION) != 1:
        raise SuiteError(
            f"'test_file' holds {SOLUTION} {text.count(SOLUTION)} times", "write it once, where the solution belongs"
        )
    before, after = text.split(SOLUTION)
    if PASSED in before:
        raise SuiteError(f"'test_file' has a {PASSED} ahead of {SOLUTION}", "test below the solution")
    if PASSED not in after:
        raise SuiteError(f"'test_file' has no {PASSED}", "print one where a test has passed, once a test")
    return WordsCheck(before, tuple((_BELOW.get(language, "") + after).split(PASSED)))
