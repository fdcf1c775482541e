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
class Large:
    """A list or tuple that was too long to be sent: equal to one of the same type, length and encoding."""

    type_name: str
    length: int
    digest: bytes


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
_RUNS = {b"i": struct.Struct("<xi"), b"g": struct.Struct("<xd")}
_FEW, _MANY = 8, 512
"""Fewer items are read one by one, more in several steps: looking for them must not cost more than reading them."""


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
        digits = self.data[self.at : self.at + 2 * abs(count)]
        if len(digits) != 2 * abs(count):
            raise MalformedValue("truncated")
        self.at += len(digits)
        magnitude = _from_digits(digits)
        return -magnitude if count < 0 else magnitude

    def _sequence(self, tag: int, depth: int) -> object:
        count = self.number(_U32)
        if count > len(self.data) - self.at:
            raise MalformedValue("truncated")
        items: list[object] = []
        while len(items) < count:
            items += self._run(count - len(items)) or [self.value(depth - 1)]
        if tag == ord("(") and items and items[0] is ...:
            return _describe(items)
        return _SEQUENCES[tag](items)

    def _run(self, count: int) -> tuple[object, ...]:
        """The next items, read in one step, where they are several int32 or several floats; else none."""
        tag = self.data[self.at : self.at + 1]
        form = _RUNS.get(tag)
        if form is None or count < _FEW:
            return ()
        tags = self.data[self.at : self.at + min(count, _MANY) * form.size : form.size]
        same = len(tags) - len(tags.lstrip(tag))
        same = min(same, (len(self.data) - self.at) // form.size)
        if same < _FEW:
            return ()
        items = struct.unpack_from("<" + same * form.format[1:], self.data, self.at)
        self.at += same * form.size
        return items

    def _dict(self, depth: int) -> dict[object, object]:
        items = {}
        while self.data[self.at] != ord("0"):
            key = self.value(depth - 1)
            items[key] = self.value(depth - 1)
        self.at += 1
        return items


def _from_digits(digits: bytes) -> int:
    """The number of little-endian 15-bit digits, 2 bytes each: halves of ever longer blocks are pushed together."""
    number = int.from_bytes(digits, "little")
    if number & int.from_bytes(b"\0\x80" * (len(digits) // 2), "little"):
        raise MalformedValue("a digit of more than 15 bits")
    size = 2
    while size < len(digits):
        lower = int.from_bytes((b"\xff" * size + bytes(size)) * (len(digits) // (2 * size) + 1), "little")
        low = number & lower
        number = low | (number ^ low) >> size // 2  # a block of `size` bytes holds size // 2 bits less than it could
        size *= 2
    return number


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
    "large": Large,
    "numpy": NumpyScalar,
    "range": range,
    "bytearray": lambda data: bytearray(memoryview(data)),  # bytearray(10**12) is a size
    "decimal": _decimal,
    "fraction": _fraction,
    "keys": lambda keys: dict.fromkeys(keys).keys(),
    "items": lambda items: dict(items).items(),
}
