"""The unchanged OpenAI client speaks the Responses wire to Claude through the real gateway."""

import json
from typing import Any

import openai
import pytest

from tests.fixtures.gateway import Gateway
from tests.fixtures.messages_server import DATED, MessagesServer, Says, redacted, text, thinking, tool_use, usage

FUNCTION: Any = {
    "type": "function",
    "name": "weather",
    "description": "the weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}
CUSTOM: Any = {"type": "custom", "name": "apply_patch", "description": "changes files"}
NAMESPACE: Any = {"type": "namespace", "name": "desk", "description": "a desk", "tools": [{**FUNCTION, "name": "lamp"}]}
TOOLS = [FUNCTION, CUSTOM, NAMESPACE]
PATCH = "*** Begin Patch\n+ né\n"
CALLS = Says(
    (
        thinking("let me see"),
        text("I shall look."),
        tool_use("weather", 1, city="Bern"),
        tool_use("apply_patch", 2, content=PATCH),
        tool_use("desk__lamp", 3, city="here"),
    ),
    "tool_use",
    usage(10, 42, read=1000, thought=9),
)


def asked(gateway: Gateway, **fields: Any) -> dict[str, Any]:
    said = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": gateway.topic + "hi"}]}]
    return {"model": "claude", "instructions": "Be brief.", "input": said, "tools": TOOLS, "store": False} | fields


def check_calls(output: Any) -> None:
    reasoning, message, function, custom, lamp = output
    assert [part.text for part in reasoning.summary] == ["let me see"]
    assert json.loads(reasoning.encrypted_content)[0]["signature"] == "sig-10"
    assert message.content[0].text == "I shall look."
    assert (function.type, function.name, function.call_id) == ("function_call", "weather", "toolu_01")
    assert json.loads(function.arguments) == {"city": "Bern"}
    assert (custom.type, custom.name, custom.input) == ("custom_tool_call", "apply_patch", PATCH)
    assert (lamp.type, lamp.name, lamp.namespace) == ("function_call", "lamp", "desk")


def test_a_whole_answer_with_every_kind_of_call(
    client: openai.OpenAI, gateway: Gateway, messages: MessagesServer
) -> None:
    messages.answers = [CALLS]
    raw = client.responses.with_raw_response.create(**asked(gateway, reasoning={"effort": "low"}))
    response = raw.parse()
    assert (response.status, response.model, response.output_text) == ("completed", DATED, "I shall look.")
    check_calls(response.output)
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (1010, 42)
    assert response.usage.input_tokens_details.cached_tokens == 1000
    assert response.usage.output_tokens_details.reasoning_tokens == 9
    (received,) = messages.received
    assert received.body["system"][0]["text"] == "Be brief."
    assert [tool["name"] for tool in received.body["tools"]] == ["weather", "apply_patch", "desk__lamp"]
    assert "thinking" in received.body
    row = gateway.ledger(raw.headers["x-weighbridge-request-id"])
    assert (row["outcome"], row["usage_source"], row["usage"]["input_tokens"]) == ("ok", "provider", 1010)


@pytest.mark.parametrize("fragment", [None, 7])
def test_a_stream_tells_of_each_item_from_its_beginning_to_its_end(
    client: openai.OpenAI, gateway: Gateway, messages: MessagesServer, fragment: int | None
) -> None:
    messages.answers = [Says(CALLS.blocks, CALLS.stop_reason, CALLS.usage, fragment=fragment)]
    events: list[Any] = list(client.responses.create(**asked(gateway), stream=True))
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    done = [event for event in events if event.type == "response.output_item.done"]
    assert [event.output_index for event in done] == list(range(5))
    check_calls([event.item for event in done])
    last = events[-1]
    assert (last.type, last.response.status) == ("response.completed", "completed")
    check_calls(last.response.output)
    assert {event.response.id for event in events if hasattr(event, "response")} == {last.response.id}
    assert last.response.usage.total_tokens == 1052
    for kind, whole in (("output_text", "I shall look."), ("reasoning_summary_text", "let me see")):
        deltas = [event.delta for event in events if event.type == f"response.{kind}.delta"]
        assert "".join(deltas) == whole
    custom = [event.delta for event in events if event.type == "response.custom_tool_call_input.delta"]
    assert "".join(custom) == PATCH


def test_the_sdks_own_stream_helper_reads_it(client: openai.OpenAI, gateway: Gateway, messages: MessagesServer) -> None:
    messages.answers = [Says((text("hello there"),))]
    with client.responses.stream(**asked(gateway, tools=[FUNCTION])) as stream:
        assert stream.get_final_response().output_text == "hello there"


def test_a_conversation_goes_on_with_what_was_answered(
    client: openai.OpenAI, gateway: Gateway, messages: MessagesServer
) -> None:
    messages.answers = [
        Says((thinking("let me see"), redacted(), tool_use("apply_patch", 2, content=PATCH)), "tool_use"),
        Says((text("Done."),)),
    ]
    first = asked(gateway, reasoning={"effort": "low"}, include=["reasoning.encrypted_content"])
    answer = client.responses.create(**first)
    items = [item.model_dump(exclude_none=True) for item in answer.output]
    result = {"type": "custom_tool_call_output", "call_id": "toolu_02", "output": "applied"}
    second = client.responses.create(**{**first, "input": [*first["input"], *items, result]})
    assert second.output_text == "Done."
    user, assistant, tool = messages.received[1].body["messages"]
    assert user["role"] == "user"
    kinds = [block["type"] for block in assistant["content"]]
    assert kinds == ["thinking", "redacted_thinking", "tool_use"]
    assert assistant["content"][0]["signature"] == "sig-10"
    assert assistant["content"][2]["input"] == {"content": PATCH}
    assert tool["content"][0]["tool_use_id"] == "toolu_02"


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_that_reached_its_limit_is_incomplete(
    client: openai.OpenAI, gateway: Gateway, messages: MessagesServer, stream: bool
) -> None:
    messages.answers = [Says((text("one two"),), "max_tokens")]
    answer: Any = client.responses.create(**asked(gateway, max_output_tokens=64), stream=stream)
    response = list(answer)[-1].response if stream else answer
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert messages.received[0].body["max_tokens"] == 64


def test_a_response_says_what_was_asked_and_what_had_no_effect(gateway: Gateway, messages: MessagesServer) -> None:
    plain = {"type": "function", "name": "lamp", "parameters": {"type": "object", "properties": {}}}
    given = {"tools": [plain], "temperature": 0.3, "frequency_penalty": 0.5, "reasoning": {"summary": "auto"}}
    response = gateway.http.post("/v1/responses", json=asked(gateway, **given)).json()
    assert (response["temperature"], response["top_p"], response["frequency_penalty"]) == (0.3, 1.0, 0.0)
    assert response["reasoning"] == {"effort": None, "summary": "auto"}
    assert response["tools"] == [{**plain, "description": None, "strict": None}]
    assert response["completed_at"] >= response["created_at"]


def test_a_stream_that_breaks_never_completes(gateway: Gateway, messages: MessagesServer) -> None:
    messages.answers = [Says((text("one two three four"),), events=4, ending="cut")]
    answer = gateway.http.post("/v1/responses", json=asked(gateway, stream=True))
    assert "response.output_text.delta" in answer.text
    assert "response.completed" not in answer.text
    assert answer.text.rstrip("\n").rpartition("\n\n")[2].startswith("event: error\n")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"previous_response_id": "resp_1"}, "whole conversation"),
        ({"tools": [FUNCTION, {"type": "web_search"}]}, "'web_search'"),
        ({"input": [{"type": "additional_tools", "tools": [{"type": "mcp"}]}]}, "'mcp'"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "items themselves"),
        ({"input": 7}, "`input`"),
        ({"input": [7]}, "`input`"),
        ({"tools": [7]}, "tools of type"),
        ({"tools": "all"}, "list"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://example.org/b"}]}]},
            "https://",
        ),
    ],
)
def test_what_claude_cannot_be_asked_is_declined(
    gateway: Gateway, messages: MessagesServer, fields: dict[str, Any], said: str
) -> None:
    answer = gateway.http.post("/v1/responses", json=asked(gateway, **fields))
    assert (answer.status_code, messages.received) == (400, [])
    assert said in answer.json()["error"]["message"]


def test_a_malformed_request_is_the_clients_mistake(gateway: Gateway, messages: MessagesServer) -> None:
    for fields in ({"input": [{}]}, {"input": []}, {"tool_choice": 7}, {"text": 7}, {"reasoning": []}, {"tools": [{}]}):
        answer = gateway.http.post("/v1/responses", json=asked(gateway, **fields))
        assert answer.status_code in (200, 400), (fields, answer.text)
