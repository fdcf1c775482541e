"""Runs an answer's code on the examples that its request shows, in a sandbox.

Python's here, those of other languages in ``commented_check``. The examples run in one process and the answer's code
in another, as a suite's tests do (``languages.python_tests``): only plain values pass between them, and the code can
neither see the examples nor say that they have passed.
"""

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from evaluator.examples import commented
from evaluator.examples.commented_check import LONGEST_ANSWER, CommentedCheck, CommentedRuns
from evaluator.examples.commented_tests import usable
from evaluator.examples.expressions import parses
from evaluator.examples.find import Examples, find
from evaluator.examples.running import KILLED, Running, TooSlow
from evaluator.judging.extract import extract
from evaluator.languages import secret_word
from evaluator.languages.python import Python
from evaluator.sandbox import Program, Sandbox, SandboxError
from evaluator.sandbox.files import archive, with_files
from evaluator.suites import Task, TestsCheck
from policies.verify import Check, Found, Question, Said, Verification

RUN_SECONDS = 5.0
"""What all examples together may take, longer where the machine is busy. Those that people show are small."""

WAIT_SECONDS = 10.0
"""For a place in the sandbox."""

_PROGRAM = """
import math, os

os.write(1, b"{word} begins\\n")

def same(a, b):
    if a == b:
        return True
    if isinstance(a, float) or isinstance(b, float):
        numbers = isinstance(a, int | float) and isinstance(b, int | float)
        return numbers and math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-6)
    if isinstance(a, list | tuple) and type(a) is type(b) and len(a) == len(b):
        return all(map(same, a, b))
    return False

def attempt(number, example):
    try:
        passed = example()
    except (Exception, SystemExit):
        return
    if passed:
        weighbridge_test(number, True)

"""
"""Numbers that are shown may have been rounded, as results may have been."""


class ExamplesVerifier:
    """``run_seconds`` and ``wait_seconds``: after the first the code has failed, after the second it is unknown.

    Text is parsed beside the event loop, one at a time: more would not be faster.
    """

    def __init__(
        self, sandbox: Sandbox, *, run_seconds: float = RUN_SECONDS, wait_seconds: float = WAIT_SECONDS
    ) -> None:
        self._running = Running(sandbox, run_seconds, wait_seconds)
        self._commented = CommentedRuns(self._running)
        self.thread = ThreadPoolExecutor(1, "examples")

    async def check(self, question: Question, rule: Verification) -> Check | None:
        loop = asyncio.get_running_loop()
        language = question.language or await loop.run_in_executor(self.thread, commented.language_of, question.text)
        if language is not None and language in commented.SPELLINGS:
            shown = await loop.run_in_executor(self.thread, commented.find, question.text, language)
            if shown is None or not usable(shown):
                return None
            return CommentedCheck(self._commented, self.thread, shown)
        if language not in (None, "python"):
            return None
        examples = await loop.run_in_executor(self.thread, find, question.text)
        return None if examples is None else ExamplesCheck(self, examples, question.continues)

    async def passed(self, code: str, examples: Examples) -> int:
        """How many of the examples. Raises ``SandboxError``, and ``TooSlow`` where the code takes too long."""
        word = secrets.token_hex(16)
        output, status = await self._running.output(_program(code, examples, word))
        if f"{word} begins".encode() not in output and status < KILLED:
            raise SandboxError("no example was begun")
        told, _, count = output.rstrip().rpartition(b"\n")[2].partition(b" ")
        return int(count) if told == word.encode() and count.isdigit() else 0


@dataclass(frozen=True, slots=True)
class ExamplesCheck:
    verifier: ExamplesVerifier
    examples: Examples
    continues: bool
    """An answer goes on where the request's text ends."""

    async def look(self, said: Said) -> Found:
        if len(said.text) > LONGEST_ANSWER:
            return Found("skipped")
        code = await asyncio.get_running_loop().run_in_executor(self.verifier.thread, self._code, said.text)
        if code is None:
            return Found("skipped")
        try:
            passed = await self.verifier.passed(code, self.examples)
        except TooSlow:
            return Found("failed")
        except SandboxError:
            return Found("unavailable")
        shown = len(self.examples.tests)
        return Found("passed" if passed == shown else "failed", passed / shown)

    def _code(self, answer: str) -> str | None:
        """The answer's program, found as for a sample that is judged; None where it holds no code."""
        prompt = self.examples.prompt
        if self.continues and parses(prompt + answer):
            return prompt + answer
        return extract(answer, Task("", "python", prompt, self.examples.entry_point, "", TestsCheck("", "", 0)))


def _program(code: str, examples: Examples, word: str) -> Program:
    called = "".join(f"{name} = weighbridge_call({name!r})\n" for name in examples.functions)
    tests = "".join(f"attempt({number}, lambda: {test})\n" for number, test in enumerate(examples.tests, 1))
    source = (
        code
        + secret_word.tests_begin("#")
        + _PROGRAM.replace("{word}", word)
        + called
        + tests
        + secret_word.last_line(word, "#")
    )
    recipe = Python().recipe(source)
    return with_files(archive(recipe.files), recipe.run)
