"""What is left out of a request for the sake of the server that gets it."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.backend import Call, WireName
from backends.price import Price
from backends.route import Route
from gateway.pipeline.adapt import adapted, dropped_tools
from gateway.problem import Problem

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


FUNCTION = {"type": "function", "name": "shell"}
SEARCH = {"type": "web_search"}
CUSTOM = {"type": "custom", "name": "patch"}
PLAIN = {"name": "shell", "input_schema": {}}
DROPPING = replace(VLLM, unsupported_tools="drop")


@pytest.mark.parametrize(
    ("wire", "tools", "kept", "dropped"),
    [
        ("responses", [FUNCTION, SEARCH, CUSTOM, SEARCH], [FUNCTION], ("web_search", "custom")),
        ("chat", [FUNCTION, {"type": "custom", "custom": {"name": "patch"}}], [FUNCTION], ("custom",)),
        ("messages", [PLAIN, {"type": "web_search_20250305", "name": "web_search"}], [PLAIN], ("web_search_20250305",)),
        ("messages", [PLAIN, {"type": "custom", **PLAIN}], [PLAIN, {"type": "custom", **PLAIN}], ()),
        ("responses", [SEARCH], None, ("web_search",)),
        ("responses", [7, {}], [7, {}], ()),
        ("responses", "all", "all", ()),
        ("responses", None, None, ()),
    ],
)
def test_tools_that_the_server_does_not_take_are_dropped(
    wire: WireName, tools: Any, kept: Any, dropped: tuple[str, ...]
) -> None:
    asked = call(wire, tools=tools, parallel_tool_calls=True)
    assert sent(adapted(asked, DROPPING)).get("tools") == kept
    assert dropped_tools(asked, DROPPING) == dropped
    assert ("parallel_tool_calls" in sent(adapted(asked, DROPPING))) == (kept is not None or tools is None)
    assert (adapted(asked, VLLM), dropped_tools(asked, VLLM)) == (asked, ())


@pytest.mark.parametrize(
    ("choice", "stays"),
    [
        ("auto", True),
        ({"type": "function", "name": "shell"}, True),
        ({"type": "custom", "name": "patch"}, False),
        ({"type": "custom", "custom": {"name": "patch"}}, False),
        ({"type": "web_search"}, False),
        ({"type": "tool", "name": "patch"}, False),
        ({"type": "tool", "name": "shell"}, True),
    ],
)
def test_a_choice_of_a_dropped_tool_goes_with_it(choice: Any, stays: bool) -> None:
    asked = call("responses", tools=[FUNCTION, SEARCH, CUSTOM], tool_choice=choice)
    assert ("tool_choice" in sent(adapted(asked, DROPPING))) == stays


def test_a_route_may_take_more_or_decline() -> None:
    asked = call("responses", tools=[FUNCTION, SEARCH, CUSTOM])
    more = replace(DROPPING, tool_types=frozenset(("function", "custom")))
    assert dropped_tools(asked, more) == ("web_search",)
    with pytest.raises(Problem, match="takes no tools of type web_search, custom") as declined:
        adapted(asked, replace(VLLM, unsupported_tools="decline"))
    assert (declined.value.status, declined.value.param) == (400, "tools")


USER = {"type": "message", "role": "user", "content": "hi additional_tools"}


def adding(*tools: Any) -> dict[str, Any]:
    return {"type": "additional_tools", "role": "developer", "tools": list(tools)}


@pytest.mark.parametrize(
    ("tools", "items", "kept_tools", "kept_items", "dropped"),
    [
        ([FUNCTION], [adding(FUNCTION, SEARCH), USER], [FUNCTION], [adding(FUNCTION), USER], ("web_search",)),
        ([SEARCH], [USER, adding(FUNCTION, CUSTOM)], None, [USER, adding(FUNCTION)], ("web_search", "custom")),
        ([FUNCTION, CUSTOM], [adding(SEARCH), USER], [FUNCTION], [USER], ("custom", "web_search")),
        (None, [adding(SEARCH), adding(), USER], None, [USER], ("web_search",)),
        ([FUNCTION], [adding(FUNCTION), USER], [FUNCTION], [adding(FUNCTION), USER], ()),
        ([FUNCTION], [{"type": "additional_tools", "tools": "all"}], [FUNCTION], ..., ()),
        ([FUNCTION], "additional_tools", [FUNCTION], ..., ()),
        ([FUNCTION], [["additional_tools"], 7, None], [FUNCTION], ..., ()),
    ],
)
def test_tools_that_an_item_adds_are_as_those_of_the_request(
    tools: Any, items: Any, kept_tools: Any, kept_items: Any, dropped: tuple[str, ...]
) -> None:
    asked = call("responses", input=items, **({} if tools is None else {"tools": tools}))
    found = sent(adapted(asked, DROPPING))
    assert found.get("tools") == kept_tools
    assert found["input"] == (items if kept_items is ... else kept_items)
    assert dropped_tools(asked, DROPPING) == dropped
    assert adapted(asked, VLLM) is asked
    if dropped:
        with pytest.raises(Problem, match=", ".join(dropped)):
            adapted(asked, replace(VLLM, unsupported_tools="decline"))


def test_a_choice_lasts_while_an_item_adds_its_tool() -> None:
    items = [adding(FUNCTION, CUSTOM)]
    for choice, stays in (({"type": "function", "name": "shell"}, True), ({"type": "custom", "name": "patch"}, False)):
        asked = call("responses", input=items, tools=[SEARCH], tool_choice=choice, parallel_tool_calls=True)
        found = sent(adapted(asked, DROPPING))
        assert ("tool_choice" in found, "tools" in found) == (stays, False)
        assert found["parallel_tool_calls"] is True


@given(items=JSON | st.lists(st.fixed_dictionaries({"type": st.just("additional_tools"), "tools": JSON})))
def test_whatever_the_input_is_it_is_no_error_here(items: Any) -> None:
    asked = call("responses", input=items)
    found = sent(adapted(asked, DROPPING))
    if not dropped_tools(asked, DROPPING):
        assert found == {"input": items}


def test_claude_takes_what_is_translated_for_it_and_on_its_own_wire_everything() -> None:
    dropping = replace(CLAUDE, unsupported_tools="drop")
    tools = [FUNCTION, SEARCH, CUSTOM, {"type": "namespace", "name": "n", "tools": []}]
    assert dropped_tools(call("responses", tools=tools), dropping) == ("web_search",)
    assert dropped_tools(call("chat", tools=tools), dropping) == ("web_search", "custom", "namespace")
    assert dropped_tools(call("messages", tools=tools), dropping) == ()


@given(kind=st.text())
def test_what_is_said_of_a_tool_is_safe_in_a_header(kind: str) -> None:
    asked = call("responses", tools=[{"type": kind}, {"type": f"x{kind}"}])
    for said in dropped_tools(asked, DROPPING):
        assert said.isascii() and said.isprintable() and len(said) <= 64
