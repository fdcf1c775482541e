"""What a conversation began with: the same on every wire, the same while it goes on, read in bounded time."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.backend import Call, WireName
from gateway.routing.opening import opening_of, prompt_of, prompt_of_text
from policies.features import features
from policies.request import RequestTraits

ASK = 'Complete this.\n\n```python\ndef f(x):\n    """Return \\x, "quoted" \u00e9\U0001f600."""\n```'


def call(wire: WireName, **fields: Any) -> Call:
    return Call(wire, {name: msgspec.Raw(json.dumps(value).encode()) for name, value in fields.items()}, stream=False)


def turn(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


def text_of(asked: Call) -> str | None:
    found = opening_of(asked)
    return None if found is None else found[0]


WIRES = [
    call("chat", messages=[turn("user", ASK)]),
    call("chat", messages=[turn("system", "Be brief."), turn("user", [{"type": "text", "text": ASK}])]),
    call("messages", system="Be brief.", messages=[turn("user", [{"type": "text", "text": ASK}])]),
    call("responses", input=ASK),
    call("responses", instructions="Be brief.", input=[turn("user", [{"type": "input_text", "text": ASK}])]),
    call("completions", prompt=ASK),
]


@pytest.mark.parametrize("asked", WIRES, ids=lambda asked: asked.wire)
def test_the_same_request_has_the_same_features_on_every_wire(asked: Call) -> None:
    prompt = prompt_of(asked, RequestTraits())
    assert prompt.features == features(ASK, "python")
    assert prompt == prompt_of_text(ASK, RequestTraits())


def test_unescaped_text_is_the_same_text() -> None:
    raw = json.dumps([turn("user", ASK)], ensure_ascii=False, indent=1).encode()
    assert text_of(Call("chat", {"messages": msgspec.Raw(raw)}, stream=False)) == ASK


def test_a_conversation_is_decided_by_what_it_began_with() -> None:
    begun = [turn("system", "s"), turn("user", "Hello"), turn("user", ASK)]
    first = prompt_of(call("chat", messages=begun), RequestTraits())
    for length in (1, 2, 50):
        said = [
            turn("assistant", "Sure: fn main() {}"),
            turn("user", "Now in ```rust"),
            turn("tool", "x" * 5000),
        ] * length
        assert prompt_of(call("chat", messages=[*begun, *said]), RequestTraits()) == first
    items = [{"type": "function_call", "name": "f"}, turn("user", "Now in ```rust")]
    assert text_of(call("responses", input=[*begun, *items])) == ASK


def test_what_the_client_says_of_the_language_goes_before_what_is_seen() -> None:
    prompt = prompt_of(WIRES[0], RequestTraits(language="rust"))
    assert (prompt.language, prompt.features) == ("rust", features(ASK, "rust"))


def test_a_request_for_more_than_text_is_not_read() -> None:
    prompt = prompt_of(WIRES[0], RequestTraits(needs=frozenset({"tools"})))
    assert (prompt.features, prompt.unread) == (None, "more_than_text")


@pytest.mark.parametrize(
    "asked",
    [
        call("chat", messages=[]),
        call("chat"),
        call("chat", messages=[turn("assistant", "hi"), turn("user", ASK)]),
        call("chat", messages=[turn("user", [{"type": "image_url", "image_url": {"url": "x"}}])]),
        call("chat", messages=[turn("user", None)]),
        call("chat", messages=["x", 1, None]),
        call("chat", messages={"role": "user"}),
        call("chat", messages=[turn("system", "s" * 70_000), turn("user", ASK)]),
        call("completions", prompt=["a", "b"]),
        call("completions", prompt="x" * 70_000),
        call("completions", prompt=ASK, suffix="return"),
        call("responses", input=ASK, previous_response_id="resp_1"),
        call("embeddings", input=ASK),
    ],
)
def test_what_is_no_text_or_too_long_is_unreadable(asked: Call) -> None:
    prompt = prompt_of(asked, RequestTraits())
    assert (prompt.features, prompt.unread) == (None, "unreadable")


def test_nesting_and_numbers_without_end_are_unreadable() -> None:
    for raw in (
        b"[" * 60_000,
        b'[{"role": ' + b"9" * 60_000 + b"}]",
        b'[{"role":"user","content":"\\ud800"}',
        b"[,,",
        b'"',
    ):
        prompt = prompt_of(Call("chat", {"messages": msgspec.Raw(raw)}, stream=False), RequestTraits())
        assert prompt.features is None or raw.startswith(b'[{"role":"user"')


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: json.dumps([turn("user", text)]).encode()))
def test_no_bytes_break_it(raw: bytes) -> None:
    for wire in ("chat", "completions", "responses", "messages"):
        name = {"completions": "prompt", "responses": "input"}.get(wire, "messages")
        prompt_of(Call(wire, {name: msgspec.Raw(raw)}, stream=False), RequestTraits())  # type: ignore[arg-type]


@given(st.text(max_size=2000))
def test_any_text_comes_back_whole(text: str) -> None:
    assert text_of(call("chat", messages=[turn("user", text), turn("assistant", "x")])) == text
