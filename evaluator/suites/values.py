"""Values that JSON cannot hold, in our own suite format.

Plain JSON stands for itself: a list is a list, an object is a dict with string keys, ``1`` is an int and ``1.0`` a
float. Anything else is an object with one key:

    {"$tuple": [1, 2]}            {"$set": [1, 2]}            {"$frozenset": [1, 2]}
    {"$dict": [[key, value]]}     (keys that are no strings, or begin with "$")
    {"$float": "nan"}             ("inf", "-inf")
    {"$complex": [1.0, -2.0]}     {"$bytes": "00ff"}          (hexadecimal)
"""

from collections.abc import Callable
from typing import Any

from evaluator.suites.suite import SuiteError


def decode(value: object) -> object:
    """A Python value from parsed JSON. Raises SuiteError."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    tag = next((key for key in value if key.startswith("$")), None)
    if tag is None:
        return {key: decode(item) for key, item in value.items()}
    make = _TAGS.get(tag)
    if make is None or len(value) != 1:
        known = ", ".join(_TAGS)
        raise SuiteError(
            f"{tag!r} is no tagged value", f"use one of {known} as the only key, or {{'$dict': [[key, value]]}}"
        )
    try:
        return make(value[tag])
    except (TypeError, ValueError) as error:
        raise SuiteError(f"{tag!r} cannot hold {str(value[tag])[:60]!r}: {error}") from error


def _items(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("a list is needed")
    return [decode(item) for item in value]


def _pairs(value: object) -> dict[object, object]:
    pairs = _items(value)
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise TypeError("a list of [key, value] pairs is needed")
    return {pair[0]: pair[1] for pair in pairs if isinstance(pair, list)}


def _complex(value: Any) -> complex:
    real, imaginary = value
    return complex(real, imaginary)


_TAGS: dict[str, Callable[[Any], object]] = {
    "$tuple": lambda value: tuple(_items(value)),
    "$set": lambda value: set(_items(value)),
    "$frozenset": lambda value: frozenset(_items(value)),
    "$dict": _pairs,
    "$float": float,
    "$complex": _complex,
    "$bytes": bytes.fromhex,
}
