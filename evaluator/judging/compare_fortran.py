"""When a Fortran-HumanEval result is right: ``evaluate.py`` of https://github.com/GiuLeo01/Fortran-HumanEval, mended.

The output's words are compared with the expected elements one by one: numbers to 0.01, bools in Fortran's spellings,
strings exactly. Mended: a missing result (None) is not whatever the program writes; strings of digits are no numbers;
pairs within a list, dictionaries, and lists in brackets as one example shows them, are compared without punctuation.
"""

import json
import math
import re

_ABSOLUTE, _RELATIVE = 1e-2, 1e-6
_BOOLS = {".true.": True, "true": True, "t": True, "1": True, ".false.": False, "false": False, "f": False, "0": False}
_PUNCTUATION = re.compile(r"[\[\](){},:;\"']")


def matches(actual: str, expected: str) -> bool:
    """``expected`` is JSON."""
    value = json.loads(expected)
    if isinstance(value, str) and _lines(actual) == _lines(value):
        return True
    if isinstance(value, dict):
        words = _PUNCTUATION.sub(" ", actual).split()
        return sorted(zip(words[::2], words[1::2], strict=False)) == sorted(_pairs(value)) and len(words) % 2 == 0
    words, elements = actual.split(), _elements(value)
    if _same(words, elements) or (value is None and not words):
        return True
    if not isinstance(value, list) or any(_PUNCTUATION.search(str(element)) for element in elements):
        return False
    return _same(_PUNCTUATION.sub(" ", actual).split(), elements)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().split("\n")]


def _pairs(value: dict[str, object]) -> list[tuple[str, str]]:
    return [(key, str(item)) for key, item in value.items()]


def _elements(value: object) -> list[object]:
    """The value's scalars in order, but for empty strings, which no word shows."""
    if isinstance(value, list):
        return [element for item in value for element in _elements(item)]
    return [] if value == "" else [value]


def _same(words: list[str], elements: list[object]) -> bool:
    return len(words) == len(elements) and all(map(_same_scalar, words, elements))


def _same_scalar(word: str, element: object) -> bool:
    if element is None:
        return word.lower() == "none"
    if isinstance(element, bool):
        return _BOOLS.get(word.lower()) is element
    if isinstance(element, str):
        return word.replace("[s]", " ") == element
    assert isinstance(element, int | float)
    try:
        if isinstance(element, int) and word.lstrip("+-").isdecimal():
            return int(word) == element
        return math.isclose(float(word), element, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)
    except ValueError:
        return False
