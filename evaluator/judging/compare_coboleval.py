"""When a COBOLEval result is right: ``scripts/evaluation.py`` of https://github.com/bloopai/COBOLEval, mended.

A list is followed by padding (0, blanks) in a table of fixed size; floats are compared to 0.001. Mended: a bool of 0 is
false, not true; a sign punched over any first digit is read, not over 0 and 9 alone; a list's own zeros do not end it,
and a list that is shorter than what was expected is wrong.
"""

import json
import math
from collections.abc import Callable

from evaluator.suites.coboleval import END, RESULTS

_TOLERANCE = 0.001
_PUNCHED = str.maketrans("pqrstuvwxy", "0123456789")
"""The first digit of a negative number whose sign is leading and not separate."""


def matches(actual: str, expected: str) -> bool:
    """Whether the last results in the output are the expected value, which is JSON: [element's type, value]."""
    _, begins, rest = ("\n" + actual).rpartition(f"\n{RESULTS}\n")
    shown, ends, _ = rest.rpartition(END)
    if not begins or not ends:
        return False
    lines = shown.split("\n")[:-1]
    kind, value = json.loads(expected)
    same = _SAME[kind]
    try:
        if not isinstance(value, list):
            return bool(lines) and same(lines[0].strip(), value)
        return _list(lines, value, same)
    except ValueError:
        return False


def _list(lines: list[str], value: list[object], same: Callable[[str, object], bool]) -> bool:
    if len(lines) < len(value) or not all(same(line.strip(), item) for line, item in zip(lines, value, strict=False)):
        return False
    return len(lines) == len(value) or _is_padding(lines[len(value)].strip())


def _is_padding(line: str) -> bool:
    return not line or set(line.translate(_PUNCHED)) <= {"0", "."}


def _number(line: str) -> float:
    return -float(line.translate(_PUNCHED)) if line[:1].isalpha() else float(line)


def _same_string(line: str, value: object) -> bool:
    return line.lower() in ("", "none") if value is None else line == str(value).strip()


def _same_float(line: str, value: object) -> bool:
    return isinstance(value, int | float) and math.isclose(_number(line), value, abs_tol=_TOLERANCE)


_SAME: dict[str, Callable[[str, object], bool]] = {
    "Bool": lambda line, value: {"1": True, "0": False}.get(line) is value,
    "Int": lambda line, value: _number(line) == value,
    "Float": _same_float,
    "String": _same_string,
}
