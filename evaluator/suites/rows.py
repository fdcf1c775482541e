"""Typed reading of one task's row, for formats."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TypeVar

from evaluator.suites.suite import Row, SuiteError

T = TypeVar("T")

_TYPE_WORDS = {
    str: "a string",
    int: "a whole number",
    list: "a list",
    dict: "an object",
    float: "a number",
    object: "a value",
}


def required(row: Row, key: str, kind: type[T]) -> T:
    """``row[key]``, which must be there and be of ``kind``."""
    if key not in row:
        near = get_close_matches(key, row, n=1)
        raise SuiteError(f"the task has no {key!r}", f"rename {near[0]!r}" if near else f"add {_TYPE_WORDS[kind]}")
    value = row[key]
    if not isinstance(value, kind):
        raise SuiteError(f"{key!r} is {_word(value)}", f"write {_TYPE_WORDS[kind]}")
    return value


def number(row: Row, key: str) -> float:
    """``row[key]``, an int or a float."""
    value = required(row, key, object)
    if not isinstance(value, int | float):
        raise SuiteError(f"{key!r} is {_word(value)}", "write a number")
    return float(value)


def strings(row: Row, key: str) -> tuple[str, ...]:
    """``row[key]``, a list of strings; empty where the key is absent."""
    values = required(row, key, list) if key in row else []
    if not all(isinstance(value, str) for value in values):
        raise SuiteError(f"{key!r} holds something that is no string", "write a list of strings")
    return tuple(values)


def only(row: Row, known: Iterable[str]) -> None:
    """No key but these."""
    known = tuple(known)
    for key in row:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
            raise SuiteError(f"unknown key {key!r}", fix)


def _word(value: object) -> str:
    return "null" if value is None else _TYPE_WORDS.get(type(value), type(value).__name__)
