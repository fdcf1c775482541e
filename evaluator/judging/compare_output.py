"""When what a program wrote is right. Compared here, by the host: what was expected never enters a sandbox."""

import math
from typing import Literal

_TOLERANCE = 1e-6


def matches(actual: str, expected: str, oracle: Literal["lines", "numbers"]) -> bool:
    """See ``evaluator.suites.StdioCheck``."""
    if oracle == "lines":
        return _lines(actual) == _lines(expected)
    words, wanted = actual.split(), expected.split()
    return len(words) == len(wanted) and all(map(_same_word, words, wanted))


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _same_word(actual: str, expected: str) -> bool:
    if actual == expected:
        return True
    try:
        return math.isclose(float(actual), float(expected), rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    except ValueError:
        return False
