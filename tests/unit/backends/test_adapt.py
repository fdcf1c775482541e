"""What is left out of a request for the sake of the server that gets it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.adapt import adapted
from backends.backend import Call, WireName
from backends.price import Price
from backends.route import Route

VLLM = Route("small", "vllm", "m", Price())
CLAUDE = Route("claude", "claude", "claude-haiku-4-5", Price())
BILL = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.37.0d9; cc_entrypoint=cli; cch=00000;"}
PROMPT = {"type": "text", "text": "You are Claude Code.", "cache_control": {"type": "ephemeral"}}
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))


def call(wire: WireName, **fields: Any) -> Call:
    return Call(wire, {name: msgspec.Raw(json.dumps(value).encode()) for name, value in fields.items()}, stream=False)


def sent(call: Call) -> dict[str, Any]:
    return {name: json.loads(bytes(raw)) for name, raw in call.fields.items()}


@pytest.mark.parametrize("wire", ["messages", "count_tokens"])
def test_vllm_is_not_sent_the_attribution(wire: WireName) -> None:
    asked = call(wire, system=[BILL, PROMPT], messages=[])
    assert sent(adapted(asked, VLLM)) == {"system": [PROMPT], "messages": []}
    assert adapted(asked, CLAUDE) is asked


def test_a_system_prompt_that_was_nothing_else_is_none() -> None:
    assert sent(adapted(call("messages", system=[BILL], messages=[]), VLLM)) == {"messages": []}


@pytest.mark.parametrize(
    "system",
    [
        [PROMPT, BILL],
        [{"type": "text", "text": f"What does {BILL['text']} mean?"}],
        BILL["text"],
        [BILL["text"]],
        {"text": BILL["text"]},
        [{"type": "text", "text": ["x-anthropic-billing-header:"]}],
        [],
    ],
)
def test_anything_else_stays(system: Any) -> None:
    asked = call("messages", system=system)
    assert adapted(asked, VLLM) is asked


def test_chats_stay() -> None:
    asked = call("chat", system=[BILL])
    assert adapted(asked, VLLM) is asked


@given(system=JSON, first=st.sampled_from([None, BILL]))
def test_whatever_is_sent_nothing_but_the_attribution_is_lost(system: Any, first: Any) -> None:
    blocks = [first, *system] if first is not None and isinstance(system, list) else system
    found = sent(adapted(call("messages", system=blocks), VLLM)).get("system", [])
    assert found == (blocks[1:] if isinstance(blocks, list) and blocks and blocks[0] == BILL else blocks)
