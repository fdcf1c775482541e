import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.backend import BackendError, Call
from backends.claude.request import chat_arguments
from backends.price import Price
from backends.route import Route

ROUTE = Route("c", "claude", "claude-x", Price(), max_output_tokens=64_000)
HI = [{"role": "user", "content": "hi"}]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


def call(**fields: Any) -> Call:
    return Call("chat", {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()}, False)


def refusal(**fields: Any) -> tuple[str | None, str]:
    """The field that is blamed, and what is said."""
    with pytest.raises(BackendError) as caught:
        chat_arguments(call(messages=HI, **fields) if "messages" not in fields else call(**fields), ROUTE)
    assert caught.value.status == 400
    error = json.loads(caught.value.body)["error"]
    return error["param"], error["message"]


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({}, 64_000),
        ({"max_tokens": None}, 64_000),
        ({"max_tokens": 10}, 10),
        ({"max_completion_tokens": 20}, 20),
        ({"max_tokens": 10, "max_completion_tokens": 20}, 20),
    ],
)
def test_there_is_always_a_limit(fields: dict[str, Any], limit: int) -> None:
    assert chat_arguments(call(messages=HI, **fields), ROUTE) == {"messages": HI, "max_tokens": limit}


def test_a_model_of_unknown_length_gets_a_limit_too() -> None:
    assert chat_arguments(call(messages=HI), Route("c", "claude", "m", Price()))["max_tokens"] == 4096


def test_a_conversation_that_an_assistant_begins_is_begun_by_a_user() -> None:
    head, said = {"role": "system", "content": "Be brief."}, {"role": "assistant", "content": "Four."}
    asked = chat_arguments(call(messages=[head, said, *HI]), ROUTE)["messages"]
    assert [message["role"] for message in asked] == ["system", "user", "assistant", "user"]
    assert chat_arguments(call(messages=[head, *HI, said]), ROUTE)["messages"] == [head, *HI, said]
    assert chat_arguments(call(messages=[head]), ROUTE)["messages"] == [head]


def test_temperature_goes_before_top_p() -> None:
    both = chat_arguments(call(messages=HI, temperature=0.2, top_p=0.95), ROUTE)
    assert both["temperature"] == 0.2 and "top_p" not in both
    assert chat_arguments(call(messages=HI, top_p=0.95, temperature=None), ROUTE)["top_p"] == 0.95


def test_what_is_harmless_is_not_refused() -> None:
    harmless = {"n": 1, "logprobs": False, "modalities": ["text"], "functions": [], "audio": None, "tools": None}
    assert chat_arguments(call(messages=HI, **harmless), ROUTE) == {"messages": HI, "max_tokens": 64_000}


def test_one_answer_a_request() -> None:
    assert refusal(n=3) == ("n", "Claude gives one answer a request: leave `n` out, or ask several times")


@pytest.mark.parametrize("kind", ["image", "document", "input_audio", "video_url", "tool_result", None])
def test_parts_that_may_point_somewhere_are_refused(kind: str | None) -> None:
    param, message = refusal(messages=[{"role": "user", "content": [{"type": kind, "source": {}}]}])
    assert param == "messages" and repr(str(kind)) in message


@given(st.dictionaries(st.text(max_size=10), json_values, max_size=5), json_values, json_values)
def test_wild_requests_raise_nothing_else(fields: dict[str, Any], messages: Any, tools: Any) -> None:
    try:
        arguments = chat_arguments(call(**{**fields, "messages": messages, "tools": tools}), ROUTE)
    except BackendError as error:
        assert error.status == 400
    else:
        assert arguments.keys() <= {"messages", "tools", "max_tokens", *fields}
