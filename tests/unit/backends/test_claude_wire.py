import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.backend import BackendError
from backends.claude.wire import MessageReader, openai_body, status_error
from backends.usage import Usage


def event(kind: str, **fields: Any) -> bytes:
    return json.dumps({"type": kind, **fields}).encode()


def start(**usage: Any) -> bytes:
    message = {"type": "message", "id": "msg_1", "model": "claude-x", "content": [], "stop_reason": None}
    return event("message_start", message={**message, "usage": {"output_tokens": 1, **usage}})


def test_a_streams_counts_are_merged_as_they_come() -> None:
    reader = MessageReader()
    written = {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40}
    counts = {"input_tokens": 10, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 100}
    assert reader.read_event(start(**counts, cache_creation=written)) == "message_start"
    assert reader.usage == Usage(1110, 1, 1000, 100, 40) and reader.usage_source == "last_seen"
    for _ in range(3):
        reader.read_event(event("content_block_delta", index=0, delta={"type": "text_delta", "text": "hi"}))
    assert reader.usage == Usage(1110, 3, 1000, 100, 40)
    assert reader.stop_reason is None
    final = {"output_tokens": 2, "output_tokens_details": {"thinking_tokens": 1}, "input_tokens": None}
    reader.read_event(event("message_delta", delta={"stop_reason": "end_turn"}, usage=final))
    assert reader.usage == Usage(1110, 2, 1000, 100, 40) and reader.usage_source == "provider"
    assert (reader.id, reader.model, reader.stop_reason, reader.thinking_tokens) == ("msg_1", "claude-x", "end_turn", 1)


def test_nothing_is_known_before_it_begins() -> None:
    reader = MessageReader()
    assert reader.read_event(event("ping")) == "ping"
    assert (reader.usage, reader.usage_source, reader.stop_reason) == (None, "unknown", None)


def test_a_later_count_replaces_an_earlier_one() -> None:
    reader = MessageReader()
    reader.read_event(start(input_tokens=10))
    counts = {"input_tokens": 12, "cache_read_input_tokens": 5, "output_tokens": 7}
    reader.read_event(event("message_delta", delta={"stop_reason": "tool_use"}, usage=counts))
    assert reader.usage == Usage(17, 7, 5)


@pytest.mark.parametrize(
    "data", [b"", b"nonsense", b"[]", b"{}", b'{"type":"message_start","message":{"type":"message"}}', b"[" * 100_000]
)
def test_what_is_no_event_is_malformed(data: bytes) -> None:
    with pytest.raises(BackendError) as caught:
        MessageReader().read_event(data)
    assert caught.value.kind == "malformed"


@pytest.mark.parametrize("data", [b"", b"<html>", b'{"type":"error"}', b'{"type":"message","id":"m"}'])
def test_what_is_no_message_is_malformed(data: bytes) -> None:
    with pytest.raises(BackendError) as caught:
        MessageReader().read_whole(data)
    assert caught.value.kind == "malformed"


@given(st.binary(max_size=200))
def test_wild_bytes_raise_nothing_else(data: bytes) -> None:
    for read in (MessageReader().read_event, MessageReader().read_whole):
        with contextlib.suppress(BackendError):
            read(data)


@pytest.mark.parametrize(
    ("kind", "status"),
    [("overloaded_error", 529), ("rate_limit_error", 429), ("invalid_request_error", 400), ("a_new_error", 500)],
)
def test_an_error_event_has_the_status_of_its_type(kind: str, status: int) -> None:
    with pytest.raises(BackendError) as caught:
        MessageReader().read_event(event("error", error={"type": kind, "message": "sorry"}))
    assert (caught.value.kind, caught.value.status) == ("status", status)
    assert json.loads(caught.value.body)["error"] == {"message": "sorry", "type": kind, "param": None, "code": kind}
    assert "sorry" not in str(caught.value)  # it may hold what the client wrote


@pytest.mark.parametrize("body", [b"", b"<html>bad gateway</html>", b"{}", b'{"error": "no"}'])
def test_an_error_without_anthropics_body(body: bytes) -> None:
    error = status_error("api.anthropic.com", 502, body, None)
    assert str(error) == "api.anthropic.com answered 502 (api_error)"
    assert error.body == body
    assert json.loads(openai_body(body, 502))["error"]["message"] == "the provider answered 502"
