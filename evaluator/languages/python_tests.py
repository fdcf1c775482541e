"""Runs inside the sandbox: tests in one process, the solution in another. Standard library only.

Between them go only literals as text: the tests' process rebuilds plain values, so that no object of the solution's can
say that it is equal to another, and the solution sees neither the tests nor the secret word. The tests make functions
with ``weighbridge_call(name)`` and call ``weighbridge_test(number, condition)``; at their end the word and the count of
different numbers are written.
"""

from __future__ import annotations

import ast
import ctypes
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, BinaryIO

NOT_DUMPABLE = (4, 0)
"""prctl's PR_SET_DUMPABLE: no process of the same user may look into this one's memory."""

PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes})
CONTAINERS = frozenset({list, tuple, set, frozenset, dict})


def is_plain(value: Any, depth: int = 50) -> bool:
    kind = type(value)
    if kind in PLAIN:
        return True
    if kind not in CONTAINERS or depth == 0:
        return False
    items = [*value, *value.values()] if kind is dict else value
    return all(is_plain(item, depth - 1) for item in items)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """The solution's process: its source is the first line; then a call each, which a line answers."""
    source = ast.literal_eval(requests.readline().decode())
    module = type(sys)("solution")
    sys.modules["solution"] = module
    exec(compile(source, "solution.py", "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    for line in requests:
        name, args = ast.literal_eval(line.decode())
        value = module.__dict__[name](*args)
        answers.write(ascii(value if is_plain(value) else ...).encode() + b"\n")
        answers.flush()


class Tests:
    """The tests' process."""

    def __init__(self, requests: BinaryIO, answers: BinaryIO) -> None:
        self.requests, self.answers = requests, answers
        self.passed: set[int] = set()

    def send(self, value: Any) -> None:
        self.requests.write(ascii(value).encode() + b"\n")
        self.requests.flush()

    def test(self, number: int, condition: Any) -> None:
        if not condition:
            sys.exit(f"test {number} failed")
        self.passed.add(number)

    def function(self, name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            self.send((name, args))
            line = self.answers.readline()
            if not line:
                sys.exit(f"{name} gave no result")
            return ast.literal_eval(line.decode())

        return call


def take(name: str) -> str:
    with open(name, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 (pathlib costs time to load)
        text = file.read()
    os.unlink(name)  # noqa: PTH108
    return text


def main() -> None:
    requests_read, requests_write = os.pipe()
    answers_read, answers_write = os.pipe()
    if os.fork() == 0:
        os.close(requests_write)
        os.close(answers_read)
        serve(os.fdopen(requests_read, "rb"), os.fdopen(answers_write, "wb"))
        return
    os.close(requests_read)
    os.close(answers_write)
    ctypes.CDLL(None).prctl(*NOT_DUMPABLE)
    word, program = take("weighbridge-word"), take("tests.py")
    tests = Tests(os.fdopen(requests_write, "wb"), os.fdopen(answers_read, "rb"))
    tests.send(take("solution.py"))
    names = {"weighbridge_call": tests.function, "weighbridge_test": tests.test}
    exec(compile(program, "tests.py", "exec", dont_inherit=True), names)  # noqa: S102
    os.write(1, f"\n{word} {len(tests.passed)}\n".encode())


if __name__ == "__main__":
    main()
