"""The Responses wire as it is read, in any fragments."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.usage import Usage
from evaluator.replaying.answer import Answer, BrokenAnswer
from evaluator.replaying.answer_responses import read_response, read_response_stream


def _read(stream: bytes, cuts: list[int] | None = None) -> Answer:
    async def chunks() -> AsyncIterator[bytes]:
        places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts or []), len(stream)]
        for start, end in itertools.pairwise(places):
            yield stream[start:end]

    return asyncio.run(read_response_stream(chunks(), {"a": "b"}, time.perf_counter()))


def _events(*events: Mapping[str, object]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def _delta(text: str) -> dict[str, object]:
    return {"type": "response.output_text.delta", "item_id": "m", "delta": text}


_USAGE = {"input_tokens": 10, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 8}}
_CREATED = {"type": "response.created", "response": {"status": "in_progress", "output": []}}


def _end(status: str = "completed") -> dict[str, object]:
    return {"type": f"response.{status}", "response": {"status": status, "usage": _USAGE}}


@given(st.text(), st.lists(st.integers(0, 10_000)))
def test_text_survives_any_fragmentation(text: str, cuts: list[int]) -> None:
    half = len(text) // 2
    answer = _read(_events(_CREATED, _delta(text[:half]), _delta(text[half:]), _end()), cuts)
    assert (answer.text, answer.finish_reason, answer.usage) == (text, "stop", Usage(10, 4, 8))
    assert answer.headers == {"a": "b"}


def test_what_ran_out_of_tokens_says_so_in_the_words_of_chat() -> None:
    assert _read(_events(_delta("x"), _end("incomplete"))).finish_reason == "length"


def test_the_first_token_is_any_delta_and_no_earlier_event() -> None:
    assert _read(_events(_CREATED, _end())).ttft_ms is None
    thought = {"type": "response.reasoning_text.delta", "delta": "hm"}
    assert _read(_events(_CREATED, thought, _end())).ttft_ms is not None


@pytest.mark.parametrize(
    ("stream", "told"),
    [
        (_events(_CREATED, _delta("x")), "ended before the response was complete"),
        (_events({"type": "error", "message": "overloaded"}), "broke off: overloaded"),
        (_events({"type": "error", "error": {"message": "ours"}}), "broke off: ours"),
        (_events({"type": "response.failed", "response": {"error": {"message": "no"}}}), "broke off: no"),
        (b"data: {\n\n", "not an event of a response"),
        (b"", "ended before"),
    ],
)
def test_a_stream_that_breaks_is_no_answer(stream: bytes, told: str) -> None:
    with pytest.raises(BrokenAnswer, match=told):
        _read(stream)


def test_a_whole_response_is_its_messages_text() -> None:
    output = [
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "no"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "b"}]},
    ]
    body = json.dumps({"status": "completed", "output": output, "usage": _USAGE}).encode()
    answer = read_response(body, {}, time.perf_counter())
    assert (answer.text, answer.ttft_ms, answer.usage) == ("ab", None, Usage(10, 4, 8))
    for broken in (b"[]", b'{"status": "failed", "error": {"message": "x"}}', b"{}"):
        with pytest.raises(BrokenAnswer):
            read_response(broken, {}, time.perf_counter())
