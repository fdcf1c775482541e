"""JavaScript and TypeScript: the asserts become calls with values, and the expected values never enter the sandbox.

MultiPL-E asks node's ``assert.deepEqual``, for which 5 equals "5", and true equals 1. Here types count, as everywhere;
but null is ``undefined``, as both stand for Python's None.
"""

import ast
import re

from evaluator.languages import secret_word
from evaluator.suites.counting.expressions import closing
from evaluator.suites.suite import NONCE, FunctionCheck, Part, SuiteError, TestsCheck

_ASSERT = "assert.deepEqual("
_CONSTANTS = {"true": True, "false": False, "undefined": None, "null": None}
_LARGEST = 2**53 - 1


def multipl_e(tests: str) -> FunctionCheck:
    """``tests`` asserts that ``candidate(...)`` is deeply equal to a literal, once and again."""
    inputs: list[tuple[object, ...]] = []
    expected: list[object] = []
    for found in re.finditer(r"^\s*assert\.deepEqual\(", tests, re.MULTILINE):
        args, value = _call(tests[found.end() : closing(tests, found.end() - 1)])
        inputs.append(args)
        expected.append(value)
    if not inputs:
        raise SuiteError(f"no {_ASSERT}candidate(...), ...)", "give MultiPL-E's own tests")
    return FunctionCheck((Part("tests", tuple(inputs), tuple(expected)),), oracle="exact")


def humaneval_x(test: str, _declaration: str) -> TestsCheck:
    """``test`` calls ``console.assert``, which fails no process; a numbered test takes its place."""
    first, *rest = test.split("console.assert(")
    if not rest:
        raise SuiteError("no console.assert(...)", "give HumanEval-X's own tests")
    numbered = "".join(f"weighbridgeTest({number}, {text}" for number, text in enumerate(rest, 1))
    tests = secret_word.tests_begin() + first + numbered + secret_word.last_line(NONCE)
    return TestsCheck("", tests, len(rest))


def _call(text: str) -> tuple[tuple[object, ...], object]:
    """``candidate(1, [2]),3`` -> ((1, [2]), 3). Such literals are written in Python as in JavaScript.

    One string of HumanEval's (51, JavaScript) holds a bare line break: as it stands, no solution could pass.
    """
    text = text.replace("\n", "\\n")
    try:
        pair = ast.parse(f"({text})", mode="eval").body
        if isinstance(pair, ast.Tuple) and isinstance(call := pair.elts[0], ast.Call) and len(pair.elts) == 2:
            return tuple(map(literal, call.args)), literal(pair.elts[1])
    except (SyntaxError, ValueError) as error:
        raise SuiteError(f"no literal in {text[:80]!r}: {error}", "write arguments and results as literals") from error
    raise SuiteError(f"no call and its result: {text[:80]!r}", f"write {_ASSERT}candidate(...), ...)")


def literal(node: ast.expr) -> object:
    """The value of a literal, with numbers as JavaScript has them. Raises ValueError."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Constant(value=int() | float() as number):
            return _number(number)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return _number(-number)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.List(elts=items):
            return [literal(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            return {_key(key): literal(value) for key, value in zip(keys, values, strict=True)}
    raise ValueError(f"{ast.unparse(node)} is no literal")


def _key(node: ast.expr | None) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Constant(value=int(number)):
            return str(number)
    raise ValueError("a key is no string")


def _number(value: float) -> int | float:
    """A whole number is an int, where a double holds it exactly; else a float."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= _LARGEST else value
    return value if abs(value) <= _LARGEST else float(value)
