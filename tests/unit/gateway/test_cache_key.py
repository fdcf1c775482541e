import json
from dataclasses import replace
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.pipeline.cache import CacheScope, key

SCOPE = CacheScope("tenant", "route", "rev", "chat", (), "whole")
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
bodies = st.dictionaries(st.sampled_from(["messages", "temperature", "seed", "x", "tools"]), json_values, max_size=5)


def of(body: dict[str, Any], scope: CacheScope = SCOPE, **dumps: Any) -> str:
    return key(scope, msgspec.json.decode(json.dumps(body, **dumps).encode(), type=dict[str, msgspec.Raw]))


@given(bodies, st.randoms())
def test_spelling_does_not_matter(body: dict[str, Any], random: Any) -> None:
    items = list(body.items())
    random.shuffle(items)
    assert of(body) == of(dict(items), indent=3) == of(body, sort_keys=True, ensure_ascii=False)


@given(bodies, bodies)
def test_different_questions_have_different_keys(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (of(one) == of(other)) is same


@given(bodies, json_values)
def test_who_asks_and_how_it_is_sent_is_not_the_question(body: dict[str, Any], value: Any) -> None:
    extra = dict.fromkeys(("model", "stream", "stream_options", "user", "metadata", "prompt_cache_key"), value)
    assert of({**body, **extra}) == of(body)


def test_every_part_of_the_scope_counts() -> None:
    names = ("tenant", "route", "revision", "wire", "headers", "form")
    keys = {of({}, SCOPE), *(of({}, replace(SCOPE, **{name: "other"})) for name in names)}
    assert len(keys) == 7


@given(bodies, st.integers(0, 19_999))
def test_a_long_history_counts_to_its_last_letter(body: dict[str, Any], place: int) -> None:
    text = "x" * 20_000
    long = {**body, "messages": [{"content": text, "role": "user"}]}
    other = {**body, "messages": [{"content": f"{text[:place]}y{text[place + 1 :]}", "role": "user"}]}
    assert of(long) == of(dict(reversed(long.items())))
    assert of(long) != of(other)


tenants = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    [
        "",
        "\0",
        '"',
        '","',
        "[",
        "a\0b",
        "key:a",
        "team:a",
        "customer:a",
        'customer:a","small',
        "\u0430",
        "a\u0301",
        "\u00e1",
    ]
)
headers = st.lists(st.tuples(tenants, tenants), max_size=2).map(tuple)
scopes = st.builds(CacheScope, tenants, tenants, tenants, tenants, headers, tenants, st.none() | tenants)


@given(scopes, scopes, bodies, bodies)
def test_no_boundary_can_be_moved(
    one: CacheScope, other: CacheScope, first: dict[str, Any], last: dict[str, Any]
) -> None:
    """Two requests share a key only where each part is the same: nothing of one part can pass for another's."""
    same = one == other and json.dumps(first, sort_keys=True) == json.dumps(last, sort_keys=True)
    assert (of(first, one) == of(last, other)) is same


@given(tenants, tenants, st.text(max_size=30), st.integers(0, 30))
def test_no_body_reaches_into_another_tenants_scope(one: str, other: str, text: str, place: int) -> None:
    """Whatever is written into a field, of whatever length: short ones are read, long ones count as they came."""
    scope = [replace(SCOPE, tenant=tenant) for tenant in (one, other)]
    for size in (1, 2000):
        forged = text[:place] + json.dumps([other, *("route", "rev", "chat", [], "whole", None)]) * size + text[place:]
        for body in ({"messages": forged}, {forged: 1}, {"messages": [forged]}):
            assert (of(body, scope[0]) == of(body, scope[1])) is (one == other)


@given(st.binary(max_size=40))
def test_what_is_no_json_never_gets_as_far_as_a_key(tail: bytes) -> None:
    """A long field counts as its own bytes, so those must be JSON, and nothing behind it."""
    long = b'{"messages": "' + b"x" * 20_000 + b'"' + tail + b"}"
    try:
        fields = msgspec.json.decode(long, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeError):
        return
    assert {name: json.loads(bytes(raw)) for name, raw in fields.items()} == json.loads(long)
