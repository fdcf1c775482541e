"""What spans may say of a chat's content, where it was asked for."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from backends.backend import Call
from gateway.telemetry.chat_content import messages, served_model

WHOLE = {
    "model": "m-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
}


def call(*asked: Any) -> Call:
    return Call("chat", {"messages": msgspec.Raw(json.dumps(asked).encode())}, stream=False)


def said(of: Call, *pieces: bytes) -> tuple[Any, Any]:
    found = [json.loads(text) if text else None for text in messages(of, pieces).values()]
    return found[0], found[1]


def event(**delta: Any) -> bytes:
    finish = delta.pop("finish", None)
    return b"data: %b\n\n" % json.dumps({"choices": [{"delta": delta, "finish_reason": finish}]}).encode()


def test_the_model_is_read_from_a_whole_answer_or_the_first_event_that_has_one() -> None:
    assert served_model([json.dumps(WHOLE).encode()]) == "m-1"
    assert served_model([b": comment\n\n", b'data: {"model":"m-2","choices":[]}\n\n', b"data: [DONE]\n\n"]) == "m-2"
    assert served_model([b"data: [DONE]\n\n"]) is None
    assert served_model([]) is None


def test_messages_become_roles_and_parts() -> None:
    tool = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    asked, answered = said(
        call(
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {}}]},
            {"role": "assistant", "content": None, "tool_calls": [tool]},
            {"role": "tool", "tool_call_id": "c1", "content": "42"},
        ),
        json.dumps(WHOLE).encode(),
    )
    assert asked == [
        {"role": "system", "parts": [{"type": "text", "content": "be brief"}]},
        {"role": "user", "parts": [{"type": "text", "content": "what?"}, {"type": "image_url"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "f", "arguments": "{}"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "42"}]},
    ]
    text = {"type": "text", "content": "yes"}
    assert answered == [{"role": "assistant", "parts": [text], "finish_reason": "stop"}]


def test_a_stream_is_put_together() -> None:
    first = {"index": 0, "id": "c1", "function": {"name": "f", "arguments": '{"a"'}}
    second = {"index": 0, "function": {"arguments": ":1}"}}
    pieces = [event(role="assistant", content="he"), event(content="llo"), event(tool_calls=[first])]
    pieces += [event(tool_calls=[second]), event(finish="tool_calls"), b"data: [DONE]\n\n"]
    _, answered = said(call(), *pieces)
    parts = [
        {"type": "text", "content": "hello"},
        {"type": "tool_call", "id": "c1", "name": "f", "arguments": '{"a":1}'},
    ]
    assert answered == [{"role": "assistant", "parts": parts, "finish_reason": "tool_calls"}]


def test_several_tool_calls_of_a_whole_answer_stay_apart() -> None:
    tools = [{"id": f"c{n}", "function": {"name": f"f{n}", "arguments": "{}"}} for n in range(2)]
    whole = {"choices": [{"message": {"role": "assistant", "content": None, "tool_calls": tools}}]}
    _, answered = said(call(), json.dumps(whole).encode())
    assert [part["id"] for part in answered[0]["parts"]] == ["c0", "c1"]


def test_a_long_text_is_cut() -> None:
    asked, _ = said(call({"role": "user", "content": "x" * 1_000_000}))
    assert len(asked[0]["parts"][0]["content"]) == 64 * 1024 + 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "choices", "delta", "message", "tool_calls", "type"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(json_values, st.lists(json_values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=20)))
def test_wild_content_is_left_out_or_written_as_json(asked: object, pieces: list[bytes]) -> None:
    of = Call("chat", {"messages": msgspec.Raw(json.dumps(asked).encode())}, stream=False)
    for text in messages(of, [*pieces, *(b"data: " + piece + b"\n\n" for piece in pieces)]).values():
        assert text is None or isinstance(json.loads(text), list)
    served_model(pieces)
