"""The unchanged Anthropic client asks Claude through the real gateway: its own wire, so nothing is translated."""

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from tests.fixtures.gateway import Gateway
from tests.fixtures.messages_server import DATED, Fails, MessagesServer, Says, text, tool_use, usage

TOOL: Any = {
    "name": "weather",
    "description": "the weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CALLS = Says(
    (text("I shall look."), tool_use("weather", 1, city="Bern")),
    "tool_use",
    usage(10, 42, read=1000, write_5m=60, write_1h=40),
)
COST = 10 * 1_000 + 1000 * 100 + 60 * 1_250 + 40 * 2_000 + 42 * 5_000
"""By hand: nano-dollars a token at 1, 0.10, 1.25, 2 and 5 dollars a million."""


@pytest.fixture
def client(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway.url, api_key="any", max_retries=0) as client:
        yield client


def asked(gateway: Gateway) -> Any:
    messages = [{"role": "user", "content": gateway.topic + "the weather in Bern?"}]
    return {"model": "claude", "max_tokens": 100, "messages": messages, "tools": [TOOL]}


def test_a_streamed_tool_call_arrives_as_it_was_sent_and_is_billed(
    client: anthropic.Anthropic, gateway: Gateway, messages: MessagesServer
) -> None:
    messages.answers = [CALLS]
    with client.messages.stream(**asked(gateway), extra_headers={"anthropic-beta": "one-2026"}) as stream:
        message = stream.get_final_message()
        request_id = stream.response.headers["x-weighbridge-request-id"]
    assert [block.type for block in message.content] == ["text", "tool_use"]
    assert message.content[1].input == {"city": "Bern"}  # type: ignore[union-attr]
    assert (message.stop_reason, message.model) == ("tool_use", DATED)
    row = gateway.ledger(request_id)
    assert (row["outcome"], row["usage_source"], row["cost_nanousd"]) == ("ok", "provider", COST)
    (received,) = messages.received
    assert received.body["tools"] == [TOOL]
    assert "one-2026" in received.headers["anthropic-beta"]
    assert received.headers["x-team"] == "a"


def test_anthropics_own_attribution_reaches_anthropic(
    client: anthropic.Anthropic, gateway: Gateway, messages: MessagesServer
) -> None:
    system: Any = [
        {"type": "text", "text": "x-anthropic-billing-header: cch=1;"},
        {"type": "text", "text": "Be brief."},
    ]
    client.messages.create(**asked(gateway), system=system)
    assert messages.received[0].body["system"] == system


def test_a_whole_answer(client: anthropic.Anthropic, gateway: Gateway, messages: MessagesServer) -> None:
    messages.answers = [CALLS]
    message = client.messages.create(**asked(gateway))
    assert message.usage.cache_read_input_tokens == 1000
    assert message.content[0].text == "I shall look."  # type: ignore[union-attr]


def test_the_providers_error_comes_as_it_is(
    client: anthropic.Anthropic, gateway: Gateway, messages: MessagesServer
) -> None:
    messages.answers = [Fails("invalid_request_error", "max_tokens: too many")]
    with pytest.raises(anthropic.BadRequestError, match="max_tokens: too many") as raised:
        client.messages.create(**asked(gateway))
    assert raised.value.body["type"] == "error"  # type: ignore[index]


def test_a_wire_that_claude_does_not_speak_is_declined_with_what_to_use(gateway: Gateway) -> None:
    answer = gateway.http.post("/v1/embeddings", json={"model": "claude", "input": "hi"})
    assert answer.status_code == 400
    said = answer.json()["error"]["message"]
    assert "use /v1/chat/completions or /v1/completions or /v1/responses or /v1/messages" in said
