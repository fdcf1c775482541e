"""The unchanged OpenAI client asks Claude through the real gateway; the provider is a local Messages server."""

import base64
import json
from typing import Any

import openai
import pytest

from tests.fixtures.gateway import Gateway
from tests.fixtures.messages_server import DATED, MessagesServer, Says, redacted, text, thinking, tool_use, usage

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n and so on").decode()
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"the {name}",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    for name in ("weather", "time")
]
CITY = 'Zürich "old" town'
CALLS = Says(
    (text("I shall look."), tool_use("weather", 1, city=CITY), tool_use("time", 2, city="Bern")),
    "tool_use",
    usage(10, 42, read=1000, write_5m=60, write_1h=40),
)
COST = 10 * 1_000 + 1000 * 100 + 60 * 1_250 + 40 * 2_000 + 42 * 5_000
"""Of ``CALLS``, by hand: nano-dollars a token at 1, 0.10, 1.25, 2 and 5 dollars a million."""
TOKENS = {
    "input_tokens": 1110,
    "output_tokens": 42,
    "cached_input_tokens": 1000,
    "cache_write_tokens": 100,
    "cache_write_1h_tokens": 40,
}


@pytest.mark.parametrize("fragment", [None, 7])
def test_streamed_parallel_tool_calls_and_exact_usage(
    client: openai.OpenAI, gateway: Gateway, messages: MessagesServer, fragment: int | None
) -> None:
    messages.answers = [Says(CALLS.blocks, CALLS.stop_reason, CALLS.usage, fragment=fragment)]
    raw = client.chat.completions.with_raw_response.create(
        **_asked(gateway, tools=TOOLS, stream=True, stream_options={"include_usage": True})
    )
    chunks = list(raw.parse())
    assert [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    names, arguments = ["", ""], ["", ""]
    for chunk in chunks:
        for call in chunk.choices[0].delta.tool_calls or () if chunk.choices else ():
            names[call.index] += call.function.name or ""
            arguments[call.index] += call.function.arguments or ""
    assert names == ["weather", "time"]
    assert [json.loads(given) for given in arguments] == [{"city": CITY}, {"city": "Bern"}]
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["tool_calls"]
    assert {chunk.model for chunk in chunks} == {DATED}
    last = chunks[-1]
    assert last.choices == [] and last.usage is not None and last.usage.prompt_tokens_details is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (1110, 42, 1152)
    assert last.usage.prompt_tokens_details.cached_tokens == 1000
    assert last.usage.prompt_tokens_details.cache_write_tokens == 100
    row = gateway.ledger(raw.headers["x-weighbridge-request-id"])
    assert row["usage"] == TOKENS and row["usage_source"] == "provider"
    assert row["cost_nanousd"] == COST == 475_000


def test_a_whole_answer_with_the_same_calls_usage_and_cost(
    client: openai.OpenAI, gateway: Gateway, messages: MessagesServer
) -> None:
    messages.answers = [CALLS]
    raw = client.chat.completions.with_raw_response.create(**_asked(gateway, tools=TOOLS))
    answer = raw.parse()
    message = answer.choices[0].message
    assert message.content == "I shall look." and answer.choices[0].finish_reason == "tool_calls"
    assert [(c.id, c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls or ()] == [
        ("toolu_01", "weather", {"city": CITY}),
        ("toolu_02", "time", {"city": "Bern"}),
    ]
    assert answer.usage is not None and (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (1110, 42)
    assert raw.headers["x-weighbridge-cost-nanousd"] == str(COST)
    assert gateway.ledger(raw.headers["x-weighbridge-request-id"])["usage"] == TOKENS


def test_tool_results_go_back_as_claude_wants_them(
    client: openai.OpenAI, gateway: Gateway, messages: MessagesServer
) -> None:
    messages.answers = [CALLS, Says((text("Rain."),))]
    first = client.chat.completions.create(**_asked(gateway, tools=TOOLS))
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"result {number}"}
        for number, call in enumerate(first.choices[0].message.tool_calls or ())
    ]
    conversation = [*gateway.messages("hi"), first.choices[0].message.model_dump(exclude_none=True), *results]
    second = client.chat.completions.create(model="claude", messages=conversation, tools=TOOLS)  # type: ignore[arg-type]
    assert second.choices[0].message.content == "Rain." and second.choices[0].finish_reason == "stop"
    _, assistant, user = messages.received[1].body["messages"]
    assert [block["type"] for block in assistant["content"]] == ["text", "tool_use", "tool_use"]
    assert [(block["type"], block["tool_use_id"]) for block in user["content"]] == [
        ("tool_result", "toolu_01"),
        ("tool_result", "toolu_02"),
    ]


def test_the_request_that_claude_gets(client: openai.OpenAI, gateway: Gateway, messages: MessagesServer) -> None:
    asked = _asked(
        gateway,
        tools=TOOLS,
        tool_choice={"type": "function", "function": {"name": "time"}},
        parallel_tool_calls=False,
        temperature=0.2,
        top_p=0.95,
        stop=["END"],
        max_completion_tokens=512,
        user="u-1",
        extra_body={"top_k": 40},
    )
    asked["messages"] = [{"role": "system", "content": "Be brief."}, *asked["messages"]]
    client.chat.completions.create(**asked)
    body = messages.received[0].body
    assert body["system"] == [{"type": "text", "text": "Be brief."}]
    assert [message["role"] for message in body["messages"]] == ["user"]
    assert body["tool_choice"] == {"type": "tool", "name": "time", "disable_parallel_tool_use": True}
    assert [tool["name"] for tool in body["tools"]] == ["weather", "time"]
    assert (body["temperature"], body["top_k"], body["stop_sequences"]) == (0.2, 40, ["END"])
    assert "top_p" not in body  # Claude takes one of the two
    assert (body["max_tokens"], body["metadata"]) == (512, {"user_id": "u-1"})


def test_the_newest_models_take_no_temperature_and_think_by_effort(gateway: Gateway, messages: MessagesServer) -> None:
    assert gateway.chat(model="newest", temperature=0.2, top_p=0.9, reasoning_effort="high").status_code == 200
    body = messages.received[0].body
    assert body.keys() == {"model", "messages", "max_tokens", "thinking", "output_config"}
    assert (body["max_tokens"], body["thinking"]["type"], body["output_config"]) == (
        128_000,
        "adaptive",
        {"effort": "high"},
    )


def test_a_request_without_a_limit_gets_the_models_own(gateway: Gateway, messages: MessagesServer) -> None:
    assert gateway.chat(model="claude", max_tokens=None).status_code == 200
    assert messages.received[0].body["max_tokens"] == 64_000


def test_what_openai_has_and_claude_lacks_is_left_out(gateway: Gateway, messages: MessagesServer) -> None:
    fields = {
        "seed": 1,
        "frequency_penalty": 0.5,
        "logit_bias": {"1": 1},
        "store": True,
        "service_tier": "flex",
        "n": 1,
    }
    assert gateway.chat(model="claude", **fields).status_code == 200
    assert messages.received[0].body.keys() == {"model", "messages", "max_tokens"}


@pytest.mark.parametrize("stream", [False, True])
def test_thinking_is_shown_counted_and_can_be_sent_back(
    client: openai.OpenAI, gateway: Gateway, messages: MessagesServer, stream: bool
) -> None:
    blocks = (thinking("Is it raining? I must look."), redacted(), tool_use("weather", city="Bern"))
    messages.answers = [Says(blocks, "tool_use", usage(10, 90, thought=60)), Says()]
    asked = _asked(gateway, tools=TOOLS, reasoning_effort="low", stream=stream)
    if stream:
        asked["stream_options"] = {"include_usage": True}
        deltas = list(client.chat.completions.create(**asked))
        thought = "".join(getattr(c.choices[0].delta, "reasoning_content", "") for c in deltas if c.choices)
        counted = deltas[-1].usage
        blocks_back = [
            block for c in deltas if c.choices for block in getattr(c.choices[0].delta, "thinking_blocks", [])
        ]
        assert blocks_back[-2]["signature"] == "sig-27" and blocks_back[-1]["type"] == "redacted_thinking"
    else:
        answer = client.chat.completions.create(**asked)
        message = answer.choices[0].message.model_dump(exclude_none=True)
        thought, counted = message["reasoning_content"], answer.usage
        result = {"role": "tool", "tool_call_id": "toolu_01", "content": "dry"}
        back = [*asked["messages"], message, result]
        client.chat.completions.create(**{**asked, "messages": back})
        kinds = [block["type"] for block in messages.received[1].body["messages"][1]["content"]]
        assert kinds == ["thinking", "redacted_thinking", "tool_use"]
    assert thought == "Is it raining? I must look."
    assert counted is not None and counted.completion_tokens_details is not None
    assert counted.completion_tokens_details.reasoning_tokens == 60
    assert messages.received[0].body["thinking"] == {"type": "enabled", "budget_tokens": 1024}


def test_images_go_as_data_or_as_the_address_that_the_provider_fetches(
    gateway: Gateway, messages: MessagesServer
) -> None:
    images = [f"data:image/png;base64,{PNG}", "https://example.org/cat.png"]
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in images]
    content = [{"type": "text", "text": "Compare."}, *parts]
    answer = gateway.http.post(
        "/v1/chat/completions", json={"model": "claude", "messages": [{"role": "user", "content": content}]}
    )
    assert answer.status_code == 200, answer.text
    _, given, pointed = messages.received[0].body["messages"][0]["content"]
    assert given["source"] == {"type": "base64", "media_type": "image/png", "data": PNG}
    assert pointed["source"] == {"type": "url", "url": "https://example.org/cat.png"}


def test_a_large_image_is_not_taken_for_a_prompt_too_long(gateway: Gateway, messages: MessagesServer) -> None:
    """As text it would be a quarter of a million tokens, and a policy passes over a route that takes 200,000."""
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}{'A' * 1_000_000}"}}
    body = {"model": "auto", "messages": [{"role": "user", "content": [image]}]}
    assert gateway.http.post("/v1/chat/completions", json=body).status_code == 200
    assert len(messages.received) == 1


def test_a_json_schema_is_asked_for_as_structured_output(
    client: openai.OpenAI, gateway: Gateway, messages: MessagesServer
) -> None:
    messages.answers = [Says((text('{"city": "Bern"}'),))]
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema, "strict": True}}
    answer = client.chat.completions.create(**_asked(gateway, response_format=wanted))
    assert json.loads(answer.choices[0].message.content or "") == {"city": "Bern"}
    assert messages.received[0].body["output_format"]["type"] == "json_schema"
    headers = messages.received[0].headers
    assert "structured-outputs" in headers["anthropic-beta"] and headers["anthropic-beta"].endswith(",ours-2026")
    assert headers["x-team"] == "a"


@pytest.mark.parametrize(
    ("stop_reason", "finish_reason"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_stop_reasons(
    gateway: Gateway, messages: MessagesServer, stop_reason: Any, finish_reason: str, stream: bool
) -> None:
    messages.answers = [Says(stop_reason=stop_reason)]
    answer = gateway.chat(model="claude", stream=stream)
    assert f'"finish_reason":"{finish_reason}"' in answer.text
    assert not stream or answer.text.endswith("data: [DONE]\n\n")


def test_the_same_request_again_is_a_hit_and_costs_nothing(gateway: Gateway, messages: MessagesServer) -> None:
    for stream in (False, True):
        first, again = (gateway.chat(model="claude", stream=stream) for _ in range(2))
        assert (first.headers["x-weighbridge-cache"], again.headers["x-weighbridge-cache"]) == ("miss", "hit")
        assert again.text == first.text
    assert len(messages.received) == 2


def test_the_revision_is_what_the_provider_lists_and_what_translates(gateway: Gateway) -> None:
    route = gateway.http.get("/v1/models/claude").json()["weighbridge"]
    assert route["observed"]["id"] == DATED
    assert route["observed"]["translator"].startswith("litellm 1.")
    assert route["price"]["input_nanousd_per_million"] == 1_000_000_000
    assert route["price"]["cache_write_1h_nanousd_per_million"] == 2_000_000_000


def test_nothing_in_a_request_chooses_an_address_a_key_or_a_mock(gateway: Gateway, messages: MessagesServer) -> None:
    for name in ("api_base", "base_url"):
        assert gateway.http.post("/v1/chat/completions", json=_asked(gateway, **{name: "http://a"})).status_code == 400
    hostile = {
        "proxy_url": "http://127.0.0.1:9",
        "api_key": "sk-other",
        "extra_headers": {"x-api-key": "sk-other", "x-evil": "1"},
        "headers": {"x-evil": "1"},
        "mock_response": "mocked",
        "fallbacks": ["gpt-4o"],
        "custom_llm_provider": "openai",
        "model_list": [{"model_name": "claude"}],
        "metadata": {"user_id": "other"},
        "extra_body": {"speed": "fast"},
        "drop_params": False,
        "num_retries": 5,
    }
    answer = gateway.chat(model="claude", **hostile)
    assert answer.json()["choices"][0]["message"]["content"] == "hello there"
    assert messages.received[0].body.keys() == {"model", "messages", "max_tokens"}
    assert "x-evil" not in messages.received[0].headers


def _asked(gateway: Gateway, **fields: Any) -> dict[str, Any]:
    return {"model": "claude", "messages": gateway.messages("hi"), **fields}
