"""Rebuilds values from the plain serialisation that sandboxed code sends. The bytes are hostile.

The format is CPython's marshal, version 2, restricted to plain values, because it can be *written* at C speed and has
one encoding for a value (sets and dicts apart, whose order is free). It must not be read by ``marshal.loads``, which
trusts its input. One tag byte, then:

    N T F .         None, True, False, Ellipsis
    i               int32                       l   count (negative for a negative int), 15-bit digits as uint16
    g               float64                     y   two float64: complex
    s u             uint32 length, bytes / UTF-8 (surrogates pass)
    ( [ < >         uint32 count, items: tuple, list, set, frozenset
    {               key, value, ..., 0          dict

All numbers are little-endian. Integers have no digit limit. A tuple that begins with Ellipsis describes what is no
plain value: ``(..., kind, *fields)`` (see ``_KINDS``). What fits no kind is ``Opaque`` and equals nothing.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

MAX_DEPTH = 120
"""Nesting; more than the runner's own limit, and far below the interpreter's."""


class MalformedValue(ValueError):
    """The bytes are no value of this format."""


@dataclass(frozen=True, slots=True, eq=False)
class Opaque:
    """A result that is no plain value: equal to nothing but itself, and not None."""

    type_name: str


@dataclass(frozen=True, slots=True)
class NumpyScalar:
    """A numpy scalar. Equal to what its value equals, but of another type than a builtin."""

    type_name: str
    value: object

    def __eq__(self, other: object) -> bool:
        return bool(self.value == (other.value if isinstance(other, NumpyScalar) else other))

    def __hash__(self) -> int:
        return hash(self.value)


def decode(data: bytes | memoryview) -> object:
    """The value that ``data`` holds. Raises MalformedValue on anything but exactly one value."""
    reader = _Reader(bytes(data))
    try:
        value = reader.value(MAX_DEPTH)
    except (struct.error, IndexError) as error:
        raise MalformedValue("truncated") from error
    except (TypeError, ValueError, ArithmeticError) as error:
        raise MalformedValue(str(error)[:200]) from error
    if reader.at != len(reader.data):
        raise MalformedValue("bytes after the value")
    return value


_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")
_F64 = struct.Struct("<d")
_CONSTANTS = {ord("N"): None, ord("T"): True, ord("F"): False, ord("."): ...}
_SEQUENCES: dict[int, Callable[[list[object]], object]] = {
    ord("("): tuple,
    ord("["): list,
    ord("<"): set,
    ord(">"): frozenset,
}
_RUNS = {ord("i"): struct.Struct("<xi"), ord("g"): struct.Struct("<xd")}


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def value(self, depth: int) -> object:
        tag = self.data[self.at]
        self.at += 1
        if tag in _CONSTANTS:
            return _CONSTANTS[tag]
        if tag in _SCALARS:
            return _SCALARS[tag](self)
        if depth == 0:
            raise MalformedValue("too deep")
        if tag in _SEQUENCES:
            return self._sequence(tag, depth)
        if tag == ord("{"):
            return self._dict(depth)
        raise MalformedValue(f"unknown tag {tag}")

    def number(self, form: struct.Struct) -> Any:
        (number,) = form.unpack_from(self.data, self.at)
        self.at += form.size
        return number

    def bytes(self) -> bytes:
        size = self.number(_U32)
        chunk = self.data[self.at : self.at + size]
        if len(chunk) != size:
            raise MalformedValue("truncated")
        self.at += size
        return chunk

    def long(self) -> int:
        count = self.number(_I32)
        size = 2 * abs(count)
        digits = struct.unpack_from(f"<{abs(count)}H", self.data, self.at)
        self.at += size
        if any(digit >= 1 << 15 for digit in digits):
            raise MalformedValue("a digit of more than 15 bits")
        magnitude = int("".join([format(digit, "015b") for digit in reversed(digits)]) or "0", 2)
        return -magnitude if count < 0 else magnitude

    def _sequence(self, tag: int, depth: int) -> object:
        count = self.number(_U32)
        if count > len(self.data) - self.at:
            raise MalformedValue("truncated")
        items = self._run(count) or [self.value(depth - 1) for _ in range(count)]
        if tag == ord("(") and items and items[0] is ...:
            return _describe(items)
        return _SEQUENCES[tag](items)

    def _run(self, count: int) -> list[object] | None:
        """``count`` items that are all int32 or all floats, read in one step; None where they are not."""
        form = _RUNS.get(self.data[self.at]) if count > 8 else None
        if form is None:
            return None
        end = self.at + count * form.size
        if end > len(self.data) or self.data[self.at : end : form.size].strip(self.data[self.at : self.at + 1]):
            return None
        items: list[object] = [number for (number,) in form.iter_unpack(self.data[self.at : end])]
        self.at = end
        return items

    def _dict(self, depth: int) -> dict[object, object]:
        items = {}
        while self.data[self.at] != ord("0"):
            key = self.value(depth - 1)
            items[key] = self.value(depth - 1)
        self.at += 1
        return items


_SCALARS: dict[int, Callable[[_Reader], object]] = {
    ord("i"): lambda reader: reader.number(_I32),
    ord("l"): _Reader.long,
    ord("g"): lambda reader: reader.number(_F64),
    ord("y"): lambda reader: complex(reader.number(_F64), reader.number(_F64)),
    ord("s"): _Reader.bytes,
    ord("u"): lambda reader: reader.bytes().decode("utf-8", "surrogatepass"),
}


def _describe(items: list[object]) -> object:
    if len(items) < 2 or not isinstance(items[1], str) or items[1] not in _KINDS:
        raise MalformedValue("unknown description")
    return _KINDS[items[1]](*items[2:])


def _fraction(numerator: object, denominator: object) -> Fraction:
    if type(numerator) is not int or type(denominator) is not int:  # from a string or a Decimal it may cost hours
        raise MalformedValue("a fraction of two ints is needed")
    return Fraction(numerator, denominator)


def _decimal(text: object) -> Decimal:
    if not isinstance(text, str):
        raise MalformedValue("a decimal's digits are needed")
    return Decimal(text)


_KINDS: dict[str, Callable[..., object]] = {
    "opaque": Opaque,
    "numpy": NumpyScalar,
    "range": range,
    "bytearray": lambda data: bytearray(memoryview(data)),  # bytearray(10**12) is a size
    "decimal": _decimal,
    "fraction": _fraction,
    "keys": lambda keys: dict.fromkeys(keys).keys(),
    "items": lambda items: dict(items).items(),
}
