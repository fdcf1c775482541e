"""Python: a runner reads the calls and streams what they return."""

import marshal
from collections.abc import Sequence
from pathlib import Path

from evaluator.languages import secret_word
from evaluator.languages.language import Recipe
from evaluator.sandbox import Program

_RUNNER = Path(__file__).with_name("python_runner.py").read_text()
_TESTS = Path(__file__).with_name("python_tests.py").read_text()

_LOOK = ("python3", "-s", "-S", "-P", "-c", "import sys; compile(open(sys.argv[1], 'rb').read(), 'main.py', 'exec')")
"""At the syntax of a file."""


class Python:
    name = "python"
    tags = frozenset({"python", "py", "python3"})
    start_seconds = 5.0

    def missing(self) -> str | None:
        return None

    def recipe(self, source: str) -> Recipe:
        solution, tests, word = secret_word.split_tests(source, "#")
        code = solution.encode(errors="replace")
        if tests is None:
            return Recipe({"main.py": code}, ("python3", "-s", "-S", "-B", "main.py"), (*_LOOK, "main.py"))
        files = {"solution.py": code, "tests.py": tests.encode(), **word}
        return Recipe(files, ("python3", "-s", "-S", "-P", "-B", "-c", _TESTS), (*_LOOK, "solution.py"))

    def pack(self, inputs: Sequence[tuple[object, ...]], slow: Sequence[bool]) -> bytes:
        calls: list[tuple[bytes, bool]] = []
        for args, first in zip(inputs, slow, strict=True):
            calls.append((marshal.dumps(args, 2), first))  # type: ignore[arg-type]  # suites hold builtin values only
        return marshal.dumps(calls, 2)

    def calls(self, source: str, entry_point: str, parts: Sequence[bytes], *, timed: bool = False) -> Program:
        # Without site-packages (-S, -s) and the working directory (-P); no bytecode is written (-B).
        argv = ("python3", "-s", "-S", "-P", "-B", "-c", _RUNNER)
        return Program(argv, stdin=marshal.dumps((source, entry_point, timed, list(parts)), 2), warm=_RUNNER)
