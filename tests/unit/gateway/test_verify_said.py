"""What a request asks and what an answer says, on every wire, as far as verifying goes by it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.backend import Call, Piece, WireName
from gateway.verify.confidence import ConfidenceVerifier, asks, with_logprobs, without_logprobs
from gateway.verify.question import question_of
from gateway.verify.said import said_by
from policies.verify import Found, Question, Said, Verification

USER = {"role": "user", "content": "do it"}


def call(wire: WireName, **fields: Any) -> Call:
    return Call(wire, {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items()}, False)


def events(*bodies: Any) -> list[bytes]:
    return [b"data: " + json.dumps(body).encode() + b"\n\n" for body in bodies]


@pytest.mark.parametrize(
    ("wire", "fields", "text"),
    [
        ("chat", {"messages": [{"role": "system", "content": "no"}, USER]}, "do it"),
        (
            "chat",
            {"messages": [{**USER, "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]},
            "a\nb",
        ),
        ("chat", {"messages": [USER], "n": 1}, "do it"),
        ("messages", {"messages": [{**USER, "content": [{"type": "text", "text": "do it"}]}]}, "do it"),
        ("responses", {"input": "do it"}, "do it"),
        ("responses", {"input": [{**USER, "content": [{"type": "input_text", "text": "do it"}]}]}, "do it"),
        ("completions", {"prompt": "do it"}, "do it"),
    ],
)
def test_the_question_is_the_users_last_word(wire: WireName, fields: dict[str, Any], text: str) -> None:
    question = question_of(call(wire, **fields))
    assert question is not None
    assert (question.text, question.continues) == (text, wire == "completions")


@pytest.mark.parametrize(
    ("wire", "fields"),
    [
        ("chat", {}),
        ("chat", {"messages": []}),
        ("chat", {"messages": "do it"}),
        ("chat", {"messages": [USER, {"role": "assistant", "content": "so"}]}),
        ("chat", {"messages": [USER, {"role": "tool", "content": "4"}]}),
        ("chat", {"messages": [{**USER, "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}),
        ("chat", {"messages": [USER], "n": 2}),
        ("messages", {"messages": [{**USER, "content": [{"type": "tool_result", "content": "4"}]}]}),
        ("responses", {"input": "do it", "previous_response_id": "resp_1"}),
        ("responses", {"input": [{"type": "function_call_output", "output": "4"}]}),
        ("completions", {"prompt": ["a", "b"]}),
        ("completions", {"prompt": "a", "suffix": "b"}),
        ("completions", {"prompt": "a", "best_of": 3}),
        ("embeddings", {"input": "do it"}),
    ],
)
def test_what_cannot_be_checked_is_no_question(wire: WireName, fields: dict[str, Any]) -> None:
    assert question_of(call(wire, **fields)) is None


CHAT = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "a b"}}]}
CHAT_CHUNKS = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in ("", "a", " b")]
TEXT = {"choices": [{"index": 0, "text": "a b"}]}
MESSAGE = {"type": "message", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a b"}]}
MESSAGE_EVENTS = [
    {"type": "message_start", "message": {"content": []}},
    {"type": "content_block_start", "content_block": {"type": "text", "text": ""}},
    *({"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}} for text in ("a", " b")),
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
]
OUTPUT = {"type": "message", "content": [{"type": "output_text", "text": "a b"}]}
RESPONSE = {"object": "response", "output": [{"type": "reasoning", "content": []}, OUTPUT]}
RESPONSE_EVENTS = [
    {"type": "response.created", "response": {"object": "response", "output": []}},
    *({"type": "response.output_text.delta", "delta": text} for text in ("a", " b")),
    {"type": "response.output_text.done", "text": "a b"},
    {"type": "response.output_item.done", "item": OUTPUT},
    {"type": "response.completed", "response": RESPONSE},
]


@pytest.mark.parametrize(
    ("wire", "pieces"),
    [
        ("chat", [json.dumps(CHAT).encode()]),
        ("chat", [*events(*CHAT_CHUNKS, {"choices": [], "usage": {}}), b"data: [DONE]\n\n"]),
        ("completions", [json.dumps(TEXT).encode()]),
        ("completions", events({"choices": [{"index": 0, "text": "a"}]}, {"choices": [{"index": 0, "text": " b"}]})),
        ("messages", [json.dumps(MESSAGE).encode()]),
        ("messages", [b"event: ping\ndata: {}\n\n", *events(*MESSAGE_EVENTS)]),
        ("responses", [json.dumps(RESPONSE).encode()]),
        ("responses", events(*RESPONSE_EVENTS)),
    ],
)
def test_an_answers_text_is_the_same_on_every_wire_streamed_or_whole(wire: WireName, pieces: list[bytes]) -> None:
    assert said_by(wire, pieces) == Said("a b")


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        ("chat", {"choices": [{"index": 0, "message": {"content": None, "tool_calls": [{"id": "1"}]}}]}),
        ("chat", {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0}]}}]}),
        ("chat", {"choices": [{"index": 1, "delta": {"content": "b"}}]}),
        ("messages", {"content": [{"type": "text", "text": "a"}, {"type": "tool_use", "name": "f"}]}),
        ("messages", {"type": "content_block_start", "content_block": {"type": "tool_use"}}),
        ("responses", {"object": "response", "output": [OUTPUT, {"type": "function_call"}]}),
        ("responses", {"type": "response.output_item.added", "item": {"type": "custom_tool_call"}}),
    ],
)
def test_an_answer_that_calls_a_tool_says_nothing(wire: WireName, body: Any) -> None:
    assert said_by(wire, [json.dumps(body).encode()]) is None
    assert said_by(wire, events(body)) is None


json_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda v: (
        st.lists(v, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "content",
                    "text",
                    "output",
                    "item",
                    "index",
                    "type",
                    "logprobs",
                    "message",
                    "tool_calls",
                ]
            ),
            v,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(["chat", "completions", "messages", "responses"]), json_values, st.binary(max_size=20))
def test_nothing_that_a_server_says_is_too_wild(wire: WireName, body: Any, rest: bytes) -> None:
    said_by(wire, [json.dumps(body).encode(), *events(body), rest])
    question_of(call(wire, messages=body, input=body, prompt=body, n=body))


def logprob_chunks(*values: float) -> list[bytes]:
    one = [{"content": [{"token": "x", "logprob": value}]} for value in values]
    return events(*({"choices": [{"index": 0, "delta": {"content": "x"}, "logprobs": given}]} for given in one))


async def test_the_mean_of_all_tokens_is_compared() -> None:
    check = await ConfidenceVerifier().check(Question("hi"), Verification("confidence", at_least=-0.3))
    assert check is not None
    said = said_by("chat", logprob_chunks(-0.1, -0.4))
    assert said is not None and said.mean_logprob == pytest.approx(-0.25)
    assert await check.look(said) == Found("passed")
    assert await check.look(Said("x", -0.31)) == Found("failed")
    assert await check.look(Said("x")) == Found("unavailable")
    completion = {"choices": [{"index": 0, "text": "ab", "logprobs": {"token_logprobs": [None, -0.5, -0.7]}}]}
    said = said_by("completions", [json.dumps(completion).encode()])
    assert said is not None and said.mean_logprob == pytest.approx(-0.6)


def test_probabilities_are_asked_for_and_taken_out_again() -> None:
    assert bytes(with_logprobs(call("chat", messages=[USER])).fields["logprobs"]) == b"true"
    assert bytes(with_logprobs(call("completions", prompt="a")).fields["logprobs"]) == b"1"
    own = call("chat", messages=[USER], logprobs=True)
    assert with_logprobs(own) is own and asks(own) and not asks(call("chat", logprobs=False))
    usage = b'data: {"choices":[],"usage":{"completion_tokens":2}}\n\n'
    pieces = [Piece(data, True) for data in [*logprob_chunks(-0.1), usage, b"data: [DONE]\n\n"]]
    first, *rest = without_logprobs(pieces)
    assert json.loads(first.data.removeprefix(b"data: "))["choices"][0] == {
        "index": 0, "delta": {"content": "x"}, "logprobs": None,
    }  # fmt: skip
    assert [piece.data for piece in rest] == [usage, b"data: [DONE]\n\n"]
    whole = json.dumps({"id": "1", "choices": [{"text": "x", "logprobs": {"token_logprobs": [-1.0]}}]}).encode()
    [plain] = without_logprobs([Piece(whole, True)])
    assert json.loads(plain.data) == {"id": "1", "choices": [{"text": "x", "logprobs": None}]}
