"""What providers say was used, on each wire, and what it costs: nothing twice, and never less than nothing."""

import json
import math
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.claude.wire import MessageReader
from backends.price import NANO, Price, nano
from backends.usage import Usage
from backends.wires import WIRES
from tests.fixtures.upstream import chunk, event, usage_chunk

PRICE = Price(nano("3"), nano("15"), nano("0.3"), nano("3.75"), nano("6"))
"""3,000 nano-dollars a token in, 15,000 out, 300 cached, 3,750 written, 6,000 written for an hour."""

counts = st.integers(0, 200_000)


def whole(wire: Any, usage: dict[str, Any]) -> Usage:
    head = {"id": "x", "type": "message", "model": "m"} if wire == "messages" else {}
    found = WIRES[wire].whole_usage(json.dumps({**head, "usage": usage}).encode())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("wire", "usage", "cost"),
    [
        ("chat", {"prompt_tokens": 100, "completion_tokens": 10}, 100 * 3000 + 10 * 15_000),
        (
            "chat",
            {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 64}},
            36 * 3000 + 64 * 300 + 10 * 15_000,
        ),
        (  # reasoning is part of what came out
            "chat",
            {"prompt_tokens": 0, "completion_tokens": 10, "completion_tokens_details": {"reasoning_tokens": 9}},
            10 * 15_000,
        ),
        (  # a router with Claude behind it
            "chat",
            {
                "prompt_tokens": 110, "completion_tokens": 0,
                "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 40},
            },
            10 * 3000 + 60 * 300 + 40 * 3750,
        ),
        ("completions", {"prompt_tokens": 100, "completion_tokens": 10}, 450_000),
        ("embeddings", {"prompt_tokens": 100, "total_tokens": 100}, 300_000),
        (
            "responses",
            {
                "input_tokens": 100, "output_tokens": 10, "input_tokens_details": {"cached_tokens": 64},
                "output_tokens_details": {"reasoning_tokens": 9},
            },
            36 * 3000 + 64 * 300 + 10 * 15_000,
        ),
        (  # these are the fresh ones only; thinking is part of what came out
            "messages",
            {
                "input_tokens": 10, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 40,
                "cache_creation": {"ephemeral_1h_input_tokens": 15, "ephemeral_5m_input_tokens": 25},
                "output_tokens": 10, "output_tokens_details": {"thinking_tokens": 9},
            },
            10 * 3000 + 60 * 300 + 25 * 3750 + 15 * 6000 + 10 * 15_000,
        ),
        ("count_tokens", {}, 0),
    ],
)  # fmt: skip
def test_a_whole_answer_costs_what_its_tokens_cost(wire: str, usage: dict[str, Any], cost: int) -> None:
    assert PRICE.cost(whole(wire, usage)) == cost


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"prompt_tokens": -5, "completion_tokens": -7}, 0),
        ({"prompt_tokens": 10, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 999}}, 10 * 300),
        ({"prompt_tokens": 10, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": -999}}, 30_000),
        ({"prompt_tokens": None, "completion_tokens": 2, "prompt_tokens_details": None}, 30_000),
    ],
)
def test_a_provider_that_is_wrong_earns_nobody_anything(usage: dict[str, Any], cost: int) -> None:
    assert PRICE.cost(whole("chat", usage)) == cost


@given(*[st.integers(-(10**40), 10**40)] * 4)
def test_whatever_is_said_to_be_used_the_ledger_can_hold(fed: int, out: int, cached: int, written: int) -> None:
    details = {"cached_tokens": cached, "cache_write_tokens": written}
    used = whole("chat", {"prompt_tokens": fed, "completion_tokens": out, "prompt_tokens_details": details})
    dearest = nano(1_000_000)
    assert 0 <= Price(dearest, dearest, dearest, dearest).cost(used) < 2**63
    said = {"input_tokens": fed, "output_tokens": out, "cache_read_input_tokens": cached}
    used = whole("messages", {**said, "cache_creation_input_tokens": written})
    assert 0 <= Price(dearest, dearest, dearest, dearest).cost(used) < 2**63


def test_a_stream_that_breaks_costs_what_was_seen_of_it() -> None:
    chat = WIRES["chat"].stream(False)
    for frame in (event(chunk("a")), event(chunk("b")), event(chunk(reasoning="c"))):
        chat.read(frame)
    assert (chat.usage_source, PRICE.cost(chat.usage or Usage())) == ("estimated", 3 * 15_000)
    counted = WIRES["chat"].stream(False)
    details = {"prompt_tokens_details": {"cached_tokens": 4}}
    counted.read(event({**chunk("a"), "usage": {"prompt_tokens": 5, "completion_tokens": 3, **details}}))
    counted.read(event(chunk("b")))
    assert (counted.usage_source, PRICE.cost(counted.usage or Usage())) == ("last_seen", 3000 + 4 * 300 + 3 * 15_000)


def test_messages_break_with_what_went_in_and_the_deltas() -> None:
    reader = MessageReader()
    begun = {"input_tokens": 10, "cache_read_input_tokens": 60, "output_tokens": 1}
    reader.read_event(json.dumps({"type": "message_start", "message": _message(begun)}).encode())
    for _ in range(3):
        reader.read_event(b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}')
    assert reader.usage_source == "last_seen"
    assert PRICE.cost(reader.usage or Usage()) == 10 * 3000 + 60 * 300 + 3 * 15_000
    reader.read_event(b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}')
    assert reader.usage_source == "provider"
    assert PRICE.cost(reader.usage or Usage()) == 10 * 3000 + 60 * 300 + 2 * 15_000  # its own count, though less


def test_responses_break_with_the_deltas() -> None:
    stream = WIRES["responses"].stream(False)
    for kind in ("response.created", "response.output_text.delta", "response.function_call_arguments.delta"):
        stream.read(event({"type": kind}))
    assert (stream.usage_source, PRICE.cost(stream.usage or Usage())) == ("estimated", 2 * 15_000)


def test_a_usage_chunk_counts_once_however_often_it_comes() -> None:
    stream = WIRES["chat"].stream(True)
    for frame in (event(chunk("a", finish="stop")), event(usage_chunk(5, 1)), event(usage_chunk(5, 1))):
        stream.read(frame)
    assert (stream.usage, stream.usage_source) == (Usage(5, 1), "provider")


@pytest.fixture(scope="module")
def litellm() -> Any:
    import_module("backends.claude.translator")  # with its settings
    return import_module("litellm")


@given(st.sampled_from(["gpt-4o", "gpt-4.1-mini", "o3", "gpt-5"]), counts, counts, counts, counts)
def test_litellm_comes_to_the_same_for_openais_wires(
    litellm: Any, model: str, fed: int, out: int, cached: int, reasoning: int
) -> None:
    cached, reasoning = min(cached, fed), min(reasoning, out)
    usage = {
        "prompt_tokens": fed, "completion_tokens": out, "total_tokens": fed + out,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }  # fmt: skip
    ours = _price(litellm, model).cost(whole("chat", usage))
    sides = litellm.cost_per_token(model=model, custom_llm_provider="openai", usage_object=litellm.Usage(**usage))
    assert math.isclose(ours, sum(sides) * NANO, abs_tol=1)
    response = {
        "input_tokens": fed, "output_tokens": out, "input_tokens_details": {"cached_tokens": cached},
        "output_tokens_details": {"reasoning_tokens": reasoning},
    }  # fmt: skip
    assert _price(litellm, model).cost(whole("responses", response)) == ours


def test_where_prices_are_declared_litellm_bills_claudes_cache_twice_and_we_do_not(litellm: Any) -> None:
    """With prices of its own map it does not: `test_claude_prices.py`."""
    said = {"input_tokens": 10, "output_tokens": 42, "cache_read_input_tokens": 1000}
    said["cache_creation_input_tokens"] = 100
    declared = {
        "input_cost_per_token": 3e-6, "output_cost_per_token": 15e-6,
        "cache_read_input_token_cost": 0.3e-6, "cache_creation_input_token_cost": 3.75e-6,
    }  # fmt: skip
    theirs = litellm.AnthropicConfig().calculate_usage(said, reasoning_content=None)
    asked = {"model": "m", "custom_llm_provider": "anthropic", "usage_object": theirs}
    counted = {"prompt_tokens": theirs.prompt_tokens, "completion_tokens": theirs.completion_tokens}
    prompt, completion = litellm.cost_per_token(**asked, **counted, custom_cost_per_token=declared)
    ours = PRICE.cost(whole("messages", said))
    assert ours == 10 * 3000 + 1000 * 300 + 100 * 3750 + 42 * 15_000
    assert math.isclose((prompt + completion) * NANO - ours, (1000 + 100) * 3000, abs_tol=1)


def _price(litellm: Any, model: str) -> Price:
    known = litellm.model_cost[model]
    names = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost")
    return Price(*(nano(str(known[name] * 1e6)) for name in names))


def _message(usage: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "id": "m", "model": "m", "usage": usage}
