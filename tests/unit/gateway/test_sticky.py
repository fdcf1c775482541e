"""Which place a session has, and what a worker remembers of it."""

import json
from typing import Any

import msgspec
import pytest

from backends.backend import Call, WireName
from gateway.pipeline.session import conversation_of, opening_of
from gateway.routing.sticky import Sessions, draw_of, place_of, place_of_session


def call(wire: WireName = "chat", session: str | None = None, **fields: Any) -> Call:
    raw = msgspec.json.decode(json.dumps(fields), type=dict[str, msgspec.Raw])
    return Call(wire, raw, stream=False, session=session)


ASKED = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
WENT_ON = [*ASKED, {"role": "assistant", "content": "hello"}, {"role": "user", "content": "and now?"}]


def test_a_conversation_keeps_its_place_and_another_has_another() -> None:
    place = place_of(call(messages=ASKED))
    assert place_of(call(messages=WENT_ON)) == place
    assert place_of(call(messages=ASKED, temperature=1)) == place
    assert place_of(call(messages=[{"role": "user", "content": "hi"}])) != place
    assert 0 <= draw_of(place) < 2**64


def test_a_named_session_has_one_place_whatever_is_said_on_whatever_wire() -> None:
    place = place_of_session("s")
    assert place_of(call(messages=ASKED, session="s")) == place
    assert place_of(call("count_tokens", messages=WENT_ON, session="s")) == place
    assert place_of(call(messages=ASKED, session="t")) != place


@pytest.mark.parametrize(
    "asked",
    [
        call(messages=ASKED),
        call(messages=WENT_ON, tools=[{"type": "function"}]),
        call("messages", system="x", messages=WENT_ON),
        call("responses", input="a long text " * 300),
        call("completions", prompt="def f():\n" * 1000),
        call(messages=WENT_ON, session="s"),
    ],
)
def test_the_opening_is_the_conversations(asked: Call) -> None:
    conversation = conversation_of(asked)
    assert conversation is not None and opening_of(asked) == conversation.opening


@pytest.mark.parametrize(
    "asked", [call("embeddings", input="x"), call("completions", prompt="short"), call(messages=3), call()]
)
def test_a_request_without_a_conversation_has_a_place_of_its_own(asked: Call) -> None:
    assert opening_of(asked) is None
    assert place_of(asked) == place_of(asked) != place_of(call("embeddings", input="y"))


def test_the_sessions_used_longest_ago_are_forgotten() -> None:
    sessions = Sessions(most=2)
    for place, route in ((b"1", "a"), (b"2", "a"), (b"1", "b"), (b"3", "c")):
        sessions.answered("p", place, route)
    assert len(sessions) == 2
    assert [sessions.route("p", place) for place in (b"1", b"2", b"3")] == ["b", None, "c"]
    assert sessions.route("q", b"1") is None
