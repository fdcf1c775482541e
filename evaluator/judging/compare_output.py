"""When what a program wrote is right. Compared here, by the host: what was expected never enters a sandbox."""

import math
from collections.abc import Callable, Mapping

from evaluator.judging import compare_coboleval, compare_fortran
from evaluator.suites.suite import OutputOracle

_TOLERANCE = 1e-6


def matches(actual: str, expected: str, oracle: OutputOracle) -> bool:
    """See ``evaluator.suites.StdioCheck``."""
    return _ORACLES[oracle](actual, expected)


def _same_lines(actual: str, expected: str) -> bool:
    return _lines(actual) == _lines(expected)


def _same_words(actual: str, expected: str) -> bool:
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


_ORACLES: Mapping[OutputOracle, Callable[[str, str], bool]] = {
    "lines": _same_lines,
    "numbers": _same_words,
    "coboleval": compare_coboleval.matches,
    "fortran-humaneval": compare_fortran.matches,
}
