"""The unchanged OpenAI client asks Claude for completions."""

from typing import Any

import openai
import pytest

from tests.fixtures.gateway import Gateway
from tests.fixtures.messages_server import DATED, MessagesServer, Says, text


def test_a_whole_completion(client: openai.OpenAI, gateway: Gateway, messages: MessagesServer) -> None:
    prompt = gateway.topic + "def add(a, b):"
    raw = client.completions.with_raw_response.create(model="claude", prompt=[prompt], max_tokens=9, stop="END")
    answer = raw.parse()
    assert (answer.object, answer.model, answer.choices[0].text) == ("text_completion", DATED, "hello there")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None and answer.usage.completion_tokens == 5
    (received,) = messages.received
    assert received.body["messages"] == [{"role": "user", "content": [{"type": "text", "text": prompt}]}]
    assert received.body["max_tokens"] == 9
    row = gateway.ledger(raw.headers["x-weighbridge-request-id"])
    assert (row["outcome"], row["usage_source"]) == ("ok", "provider")


def test_a_streamed_completion(client: openai.OpenAI, gateway: Gateway, messages: MessagesServer) -> None:
    messages.answers = [Says((text("one two three"),), "max_tokens", fragment=7)]
    options: Any = {"stream_options": {"include_usage": True}}
    chunks = list(client.completions.create(model="claude", prompt=gateway.topic + "count", stream=True, **options))
    assert {chunk.object for chunk in chunks} == {"text_completion"}
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "one two three"
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["length"]
    assert chunks[-1].usage is not None


@pytest.mark.parametrize(
    "fields",
    [
        {"suffix": "end"},
        {"echo": True},
        {"logprobs": 1},
        {"best_of": 2},
        {"n": 2},
        {"prompt": [1, 2]},
        {"prompt": None},
    ],
)
def test_what_claude_cannot_be_asked_is_declined(
    gateway: Gateway, messages: MessagesServer, fields: dict[str, Any]
) -> None:
    answer = gateway.http.post("/v1/completions", json={"model": "claude", "prompt": "hi", "best_of": 1, **fields})
    assert (answer.status_code, messages.received) == (400, [])
    assert answer.json()["error"]["param"] in fields
