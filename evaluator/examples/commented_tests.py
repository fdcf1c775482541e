"""Examples in comments as tests, kept as a suite's own are: code cannot see them, or say that it has passed them.

JavaScript's and TypeScript's become calls with values, and what is right stays with the host. Ruby's, PHP's, Lua's and
Perl's are run beside the code, in another process, in the form in which MultiPL-E has its tests.
"""

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluator.examples.commented import Commented, Shown
from evaluator.suites.counting import lua, perl, php, ruby
from evaluator.suites.counting.javascript import literal
from evaluator.suites.suite import TestsCheck

CALLED = frozenset({"javascript", "typescript"})

SOUND: Mapping[str, str] = {
    "javascript": "function same(x) { return x; }\n",
    "typescript": "function same(x: number): number { return x; }\n",
    "ruby": "def same(x)\n  x\nend\n",
    "php": "<?php\nfunction same($x) { return $x; }\n",
    "lua": "local function same(x)\n  return x\nend\n",
    "perl": "sub same {\n    my ($x) = @_;\n    return $x;\n}\n",
}
"""Programs that are right, to see whether a language runs at all."""


@dataclass(frozen=True, slots=True)
class Called:
    """Calls of a function by their arguments, and what each returns."""

    inputs: tuple[tuple[object, ...], ...]
    expected: tuple[object, ...]


def called(examples: Sequence[Shown]) -> Called:
    """Those whose literals mean the same to us."""
    pairs = [pair for shown in examples if (pair := _values(shown)) is not None]
    return Called(tuple(args for args, _ in pairs), tuple(value for _, value in pairs))


def usable(commented: Commented) -> bool:
    """Whether anything is left to try."""
    return commented.language not in CALLED or bool(called(commented.examples).expected)


def _values(shown: Shown) -> tuple[tuple[object, ...], object] | None:
    try:
        call = ast.parse(f"f({shown.arguments})", mode="eval").body
        assert isinstance(call, ast.Call)
        return tuple(map(literal, call.args)), literal(ast.parse(shown.value, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def same(actual: object, expected: object) -> bool:
    """Numbers may be rounded where they are shown, and "6.00" is as good as 6: node's own asserts take it so."""
    if isinstance(expected, bool) or isinstance(actual, bool) or expected is None:
        return actual is expected
    if isinstance(expected, int | float):
        number = _number(actual)
        return number is not None and math.isclose(number, expected, rel_tol=1e-6, abs_tol=1e-6)
    if isinstance(expected, list):
        return isinstance(actual, list) and len(actual) == len(expected) and all(map(same, actual, expected))
    if isinstance(expected, dict):
        return (
            isinstance(actual, dict)
            and actual.keys() == expected.keys()
            and all(same(actual[key], value) for key, value in expected.items())
        )
    return type(actual) is type(expected) and actual == expected


def _number(value: object) -> float | None:
    if isinstance(value, int | float):
        return value
    try:
        return float(value) if isinstance(value, str) and len(value) < 40 else None
    except ValueError:
        return None


def as_tests(commented: Commented) -> TestsCheck:
    """Of a language that is not in ``CALLED``."""
    return _TESTS[commented.language](commented.entry_point, commented.examples)


def _ruby(name: str, examples: Sequence[Shown]) -> TestsCheck:
    lines = "".join(f"\n    assert_equal({each.value}, candidate.call({each.arguments}))" for each in examples)
    return ruby.multipl_e(f"class T\n  def test\n    candidate = method(:{name}){lines}\n  end\nend\n")


def _php(name: str, examples: Sequence[Shown]) -> TestsCheck:
    head = f"function candidate(...$args) {{\n    return {name}(...$args);\n}}\n\nfunction test(): void {{"
    lines = "".join(
        f'\n    if (candidate({each.arguments}) !== {each.value}) {{ throw new Exception("Test failed!"); }}\n'
        for each in examples
    )
    check = php.multipl_e(f"{head}{lines}}}\n\ntest();")
    after = check.after
    for each in examples:
        strict = f"if (candidate({each.arguments}) !== {each.value}) {{"
        after = after.replace(strict, f"if (!weighbridge_same(candidate({each.arguments}), {each.value})) {{")
    return TestsCheck(check.before, after + _PHP_SAME, check.tests)


_PHP_SAME = """
function weighbridge_same($a, $b): bool
{
    if (is_array($a) && is_array($b)) {
        if (count($a) !== count($b)) {
            return false;
        }
        foreach ($b as $key => $value) {
            if (!array_key_exists($key, $a) || !weighbridge_same($a[$key], $value)) {
                return false;
            }
        }
        return true;
    }
    return is_float($a) && is_int($b) || is_int($a) && is_float($b) ? $a == $b : $a === $b;
}
"""
"""A whole number may be an int or a float, as ``floor`` and ``/`` return now one and now the other."""


def _lua(name: str, examples: Sequence[Shown]) -> TestsCheck:
    lines = "".join(
        f"    lu.assertEquals(candidate({each.arguments}), {'nil' if each.value == 'None' else each.value})\n"
        for each in examples
    )
    return lua.multipl_e(f"function test()\nlocal candidate = {name}\n{lines}end\n\nos.exit(lu.LuaUnit.run())")


def _perl(name: str, examples: Sequence[Shown]) -> TestsCheck:
    lines = "".join(
        f'\n        if(eq_deeply($candidate->({each.arguments}),{each.value})) {{\n        print "ok!" }}else{{\n'
        "        exit 1;\n        }"
        for each in examples
    )
    head = f"use Test::Deep;\n\nsub testhumaneval {{\n    my $candidate = \\&{name};"
    return perl.multipl_e(f"{head}{lines}\n}}\n\ntesthumaneval();")


_TESTS = {"ruby": _ruby, "php": _php, "lua": _lua, "perl": _perl}
