"""Prices from LiteLLM's map, and our arithmetic beside LiteLLM's own on the provider's own counts."""

import subprocess
import sys
from importlib import import_module
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.claude.prices import known_models
from backends.claude.wire import MessageReader
from backends.price import NANO, Price

counts = st.integers(0, 300_000)


@pytest.fixture(scope="module")
def litellm() -> Any:
    import_module("backends.claude.translator")  # with its settings
    return import_module("litellm")


def test_a_models_price_is_exact_and_per_million() -> None:
    assert known_models()["claude-haiku-4-5"].price == Price(
        input=1_000_000_000,
        output=5_000_000_000,
        cached_input=100_000_000,
        cache_write=1_250_000_000,
        cache_write_1h=2_000_000_000,
    )


def test_a_model_that_costs_more_for_long_requests() -> None:
    price = known_models()["claude-haiku-5-5"].price
    assert price.long_from == 100_000 and price.long is not None
    assert (price.input, price.long.input) == (100_000_000, 500_000_000)
    assert (price.cache_write_1h, price.long.cache_write_1h) == (200_000_000, 1_000_000_000)


def test_every_model_of_the_map_has_a_whole_price_and_its_lengths() -> None:
    assert len(known_models()) > 10
    for facts in known_models().values():
        price = facts.price
        assert price.input and price.output and price.cached_input and price.cache_write and price.cache_write_1h
        assert facts.context_window and facts.max_output_tokens


def test_the_map_is_read_without_importing_litellm() -> None:
    code = "import sys, backends.claude.prices as c; assert c.known_models() and 'litellm' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@given(st.sampled_from(sorted(known_models())), counts, counts, counts, counts, counts)
def test_litellms_own_arithmetic_comes_to_the_same(
    litellm: Any, model: str, fresh: int, read: int, write_5m: int, write_1h: int, output: int
) -> None:
    counted = {
        "input_tokens": fresh,
        "output_tokens": output,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": write_5m + write_1h,
        "cache_creation": {"ephemeral_5m_input_tokens": write_5m, "ephemeral_1h_input_tokens": write_1h},
    }
    reader = MessageReader()
    reader.read_whole(msgspec.json.encode({"type": "message", "id": "m", "model": model, "usage": counted}))
    assert reader.usage is not None
    ours = known_models()[model].price.cost(reader.usage)
    theirs = litellm.AnthropicConfig().calculate_usage(counted, reasoning_content=None)
    prompt, completion = litellm.cost_per_token(model=model, custom_llm_provider="anthropic", usage_object=theirs)
    assert ours == pytest.approx((prompt + completion) * NANO, abs=1)
