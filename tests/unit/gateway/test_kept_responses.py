"""The memory of who keeps which response: its bound, and what is left out of it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.backend import Call, Piece
from backends.price import Price
from backends.route import Route
from gateway.fleet.fleet import Fleet
from gateway.fleet.kept_responses import KeptResponses, continued

ROUTE = Route("small", "recorded", "m", Price(), replicas=("http://a", "http://b"))
PIECE = Piece(b'data: {"response":{"id":"resp_1","output":[]},"type":"response.created"}\n\n', False)


def call(**fields: Any) -> Call:
    return Call("responses", {k: msgspec.Raw(json.dumps(v).encode()) for k, v in fields.items()}, stream=False)


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        ("resp_1", "resp_1"),
        (None, None),
        ("", None),
        (7, None),
        ("../../metrics", None),
        ("a b", None),
        ("x" * 257, None),
    ],
)
def test_only_an_id_is_looked_for(said: Any, understood: str | None) -> None:
    assert continued(call(previous_response_id=said)) == understood


def test_other_requests_go_on_from_nothing() -> None:
    assert continued(call(input="hi")) is None
    assert continued(Call("chat", {"previous_response_id": msgspec.Raw(b'"resp_1"')}, stream=False)) is None


@pytest.mark.parametrize(
    ("asked", "first", "remembered"),
    [
        (call(), [PIECE], 1),
        (call(store=True), [PIECE], 1),
        (call(store=False), [PIECE], 0),
        (call(), [Piece(b": keep-alive\n\n", False), PIECE], 1),
        (call(), [Piece(b'{"id": "resp_1", "object": "response"}', True)], 1),
        (call(), [Piece(b'{"instructions":"' + b"x" * 2000 + b'","id":"resp_1"}', True)], 0),
        (call(), [], 0),
    ],
)
def test_what_is_not_kept_is_not_remembered(asked: Call, first: list[Piece], remembered: int) -> None:
    kept = KeptResponses(Fleet({}, {}))
    kept.sent(asked, "http://a", first)
    assert len(kept) == remembered


@given(st.lists(st.text("ab", min_size=1, max_size=3), max_size=30), st.integers(1, 5))
def test_the_memory_never_outgrows_its_bound(ids: list[str], most: int) -> None:
    kept = KeptResponses(Fleet({}, {}), most)
    for response_id in ids:
        kept.sent(call(), "http://a", [Piece(f'{{"id":"{response_id}"}}'.encode(), True)])
        assert len(kept) <= most


async def test_a_keeper_that_is_no_server_of_the_route_any_more_is_none() -> None:
    kept = KeptResponses(Fleet({}, {}))
    kept.sent(call(), "http://gone", [PIECE])
    assert await kept.keeper(call(previous_response_id="resp_1"), {"http://a": ROUTE}) is None
    assert await kept.keeper(call(), {"http://a": ROUTE}) is None
