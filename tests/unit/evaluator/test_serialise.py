"""The sandbox's encoding and the host's decoding: what goes in comes out, and hostile bytes do no harm."""

import contextlib
import marshal
import math
from collections import Counter, OrderedDict, defaultdict, namedtuple
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from random import Random
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.judging.compare import typed
from evaluator.judging.serialise import Large, MalformedValue, NumpyScalar, Opaque, decode
from evaluator.languages.python_runner import encode

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers(allow_nan=False)
    | st.text(st.characters(codec=None))
    | st.binary()
)
hashables = st.recursive(
    scalars, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=6
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(hashables, inner, max_size=4)
        | st.sets(hashables, max_size=4)
    ),
    max_leaves=12,
)


@given(values)
def test_plain_values_come_back_as_they_were(value: object) -> None:
    assert typed(decode(encode(value))) == typed(value)


@given(st.lists(st.integers(-(2**33), 2**33), min_size=9) | st.lists(st.floats(allow_nan=False), min_size=9))
def test_long_runs_of_numbers(value: list[float]) -> None:
    assert typed(decode(encode(value))) == typed(value)


@pytest.mark.parametrize(
    "value",
    [[1] * 20, [1.5] * 20, [*[1] * 20, 1.5], [*[1.5] * 20, 1], [*[1] * 10, 2**40], -(2**100_000), 10**5000, -0.0,
     math.inf, {1: "a", "1": "b", (1,): "c", None: "d"}, {1, "1"}, (), (..., 1)[1:], "\ud800", b"\0"],
    ids=lambda value: str(type(value)) if isinstance(value, int) else repr(value)[:20],
)  # fmt: skip
def test_corner_cases(value: object) -> None:
    assert typed(decode(encode(value))) == typed(value)


class Colour(IntEnum):
    RED = 1


class LyingList(list[int]):
    def __iter__(self) -> Any:
        return iter([4])

    def __eq__(self, other: object) -> bool:
        return True


class LyingInt(int):
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __int__(self) -> int:
        return 4


class LyingStr(str):
    def __str__(self) -> str:
        return "4"


Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "base"),
    [
        (Colour.RED, 1),
        (LyingList([1, 2]), [1, 2]),
        (LyingInt(7), 7),
        ([LyingInt(7)], [7]),
        (LyingStr("7"), "7"),
        (Point(1, [2]), (1, [2])),
        (Counter("aab"), {"a": 2, "b": 1}),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(list, {1: [2]}), {1: [2]}),
        (bytearray(b"x"), bytearray(b"x")),
        (range(1, 9, 2), range(1, 9, 2)),
        (Decimal("1.50"), Decimal("1.50")),
        (Fraction(-1, 3), Fraction(-1, 3)),
    ],
    ids=repr,
)
def test_other_types_are_rebuilt_from_their_own_value(value: object, base: object) -> None:
    rebuilt = decode(encode(value))
    assert rebuilt == base
    assert type(rebuilt) is type(base)


def test_views_compare_as_in_python() -> None:
    assert decode(encode({"a": 1}.keys())) == {"a"}
    assert decode(encode({"a": 1}.items())) == {("a", 1)}
    assert decode(encode({"a": 1}.keys())) != ["a"]


@pytest.mark.parametrize("value", [numpy.float64(1.5), numpy.float32(1.5), numpy.int64(3), numpy.bool_(True)], ids=repr)
def test_numpy_scalars_equal_their_value_and_keep_their_type(value: Any) -> None:
    rebuilt = decode(encode([value]))
    assert rebuilt == [value.item()]
    assert isinstance(rebuilt, list)
    assert isinstance(rebuilt[0], NumpyScalar)
    assert type(rebuilt[0]) is not type(value.item())
    assert rebuilt[0] == decode(encode(value))
    assert len({rebuilt[0], value.item()}) == 1


@pytest.mark.parametrize(
    "value", [object(), print, (x for x in "a"), numpy.array([1]), memoryview(b"a"), {}.values(), ..., type], ids=repr
)
def test_the_rest_is_opaque_and_equals_nothing(value: object) -> None:
    rebuilt = decode(encode([value]))
    assert isinstance(rebuilt, list)
    assert isinstance(rebuilt[0], Opaque)
    assert rebuilt != [value]
    assert rebuilt != decode(encode([value]))
    assert rebuilt[0] is not None


@given(st.lists(st.tuples(st.sampled_from([1, -7, 2.5, None, 1 << 70]), st.sampled_from([1, 7, 8, 9, 511, 512, 513]))))
def test_lists_that_change_their_type_in_the_middle(stretches: list[tuple[object, int]]) -> None:
    items = [item for item, count in stretches for _ in range(count)]
    found = decode(marshal.dumps(items, 2))
    assert found == items
    assert isinstance(found, list) and list(map(type, found)) == list(map(type, items))


@given(st.integers(0, 3000), st.randoms(use_true_random=False), st.sampled_from([1, -1]))
def test_integers_of_any_length(bits: int, random: Random, sign: int) -> None:
    value = sign * random.getrandbits(bits)
    assert decode(marshal.dumps(value, 2)) == value


def test_what_contains_itself_ends() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    twins: list[Any] = []
    for _ in range(80):
        twins = [twins, twins]
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (cycle, deep, twins):
        assert isinstance(decode(encode(value)), Opaque)


def test_what_is_too_long_to_send_is_known_by_its_digest() -> None:
    many: list[object] = [()] * 1_100_000
    found = decode(encode(many))
    assert isinstance(found, Large)
    assert found == decode(encode(list(many)))
    assert found != many
    for other in (tuple(many), many[:-1], [*many[:-1], ("a",)], [(1,), *many[1:]]):
        assert isinstance(other_found := decode(encode(other)), Large)
        assert found != other_found
    assert isinstance(decode(encode([many])), Opaque)
    assert isinstance(decode(encode(dict(enumerate(many)))), Opaque)


@given(st.binary())
def test_any_bytes_give_a_value_or_an_error(data: bytes) -> None:
    with contextlib.suppress(MalformedValue):
        decode(data)


@given(values, st.data())
def test_damaged_bytes_give_a_value_or_an_error(value: object, draw: st.DataObject) -> None:
    data = bytearray(encode(value))
    data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    test_any_bytes_give_a_value_or_an_error.hypothesis.inner_test(bytes(data))  # type: ignore[attr-defined]


def described(kind: str, *fields: Any) -> bytes:
    return marshal.dumps((..., kind, *fields), 2)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"i\0\0",
        b"NN",
        b"[\xff\xff\xff\xff",
        b"(\xff\xff\xff\x7f" + b"N" * 100,
        b"u\xff\xff\xff\xff",
        b"l\xff\xff\xff\x7f",
        b"l\x01\0\0\0\xff\xff",
        b"l\0\0\0\x80",
        b"{NN",
        b"<\x01\0\0\0[\0\0\0\0",
        b"[\x01\0\0\0" * 1000 + b"N",
        b"c" + b"\0" * 64,
        b"R\0\0\0\0",
        marshal.dumps(compile("1", "", "eval"), 2),
        described("opaque"),
        described("nothing we know", 1),
        marshal.dumps((...,), 2),
        described("bytearray", 10**12),
        described("fraction", "1e999999999", 1),
        described("fraction", 1, 0),
        described("decimal", 10**6),
        described("decimal", "no number"),
        described("keys", 3),
        described("range", "a"),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_malformed(data: bytes) -> None:
    with pytest.raises(MalformedValue):
        decode(data)
