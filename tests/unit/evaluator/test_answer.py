import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.usage import Usage
from evaluator.replaying.answer import Answer, BrokenAnswer, read_stream, read_whole


def _read(stream: bytes, cuts: list[int] | None = None) -> Answer:
    """Reads ``stream`` as it arrives in pieces cut at the given places."""

    async def chunks() -> AsyncIterator[bytes]:
        places = [0, *sorted(cut % (len(stream) + 1) for cut in cuts or []), len(stream)]
        for start, end in itertools.pairwise(places):
            yield stream[start:end]

    return asyncio.run(read_stream(chunks(), {}, time.perf_counter()))


def _events(*chunks: object) -> bytes:
    return b"".join(b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n" for chunk in chunks)


def _delta(**delta: object) -> dict[str, object]:
    return {"choices": [{"delta": delta, "finish_reason": None}]}


_END = {"choices": [{"delta": {}, "finish_reason": "stop"}]}


@given(st.text(), st.lists(st.integers(0, 10_000)))
def test_text_survives_any_fragmentation(text: str, cuts: list[int]) -> None:
    half = len(text) // 2
    stream = b": hello\n\n" + _events(
        _delta(role="assistant"), _delta(content=text[:half]), _delta(content=text[half:]), _END
    )
    assert _read(stream + b"data: [DONE]\n\n", cuts).text == text


def test_line_separators_inside_json_are_no_line_ends() -> None:
    assert _read(_events(_delta(content="a\u2028b\x85c"), _END)).text == "a\u2028b\x85c"


def test_usage_and_finish_reason_are_the_last_reported() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 8}}
    end = {"choices": [{"delta": {}, "finish_reason": "length"}]}
    answer = _read(_events(_delta(content="x"), end, {"choices": [], "usage": usage}))
    assert (answer.finish_reason, answer.usage) == ("length", Usage(10, 4, 8))


def test_the_first_token_is_neither_a_comment_nor_a_role() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b": waiting\n\n"
        yield _events(_delta(role="assistant", content=""))
        await asyncio.sleep(0.05)
        yield _events(_delta(content="x"))
        await asyncio.sleep(0.05)
        yield _events(_END)

    answer = asyncio.run(read_stream(chunks(), {}, time.perf_counter()))
    assert answer.ttft_ms is not None
    assert 40 <= answer.ttft_ms <= answer.total_ms - 40


def test_an_answer_without_content_has_no_first_token() -> None:
    answer = _read(_events(_delta(role="assistant"), _END))
    assert (answer.text, answer.ttft_ms) == ("", None)


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (_events(_delta(content="x")), "without a finish reason"),
        (_events(_delta(content="x"), {"error": {"message": "upstream broke"}}), "upstream broke"),
        (_events({"error": "plain"}), "plain"),
        (b"data: {broken\n\n", "not a chat completion"),
        (b"data: [1]\n\n", "not a chat completion"),
        (b"data: \xff\n\n", "not a chat completion"),
        (b"", "without a finish reason"),
    ],
)
def test_what_is_no_whole_answer_is_never_taken_for_one(stream: bytes, reason: str) -> None:
    with pytest.raises(BrokenAnswer, match=reason):
        _read(stream)


def test_a_whole_answer_has_no_first_token_to_time() -> None:
    choice = {"message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    body = json.dumps({"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}).encode()
    answer = read_whole(body, {"x": "y"}, time.perf_counter())
    assert (answer.text, answer.ttft_ms, answer.usage, answer.headers) == ("hi", None, Usage(1, 2), {"x": "y"})


@pytest.mark.parametrize(
    "body", [b"{}", b'{"choices": []}', b"<html>", b'{"error": {"message": "no"}}', b'{"choices": [7]}']
)
def test_a_whole_answer_must_hold_a_choice(body: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        read_whole(body, {}, time.perf_counter())


@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_crash_the_reader(noise: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        _read(noise)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["choices", "delta", "content", "usage", "error", "finish_reason"]), inner
            )
        ),
    )
)
def test_json_of_any_shape_is_an_answer_or_broken(chunk: object) -> None:
    try:
        assert isinstance(_read(_events(chunk, _END)).text, str)
    except BrokenAnswer as error:
        assert str(error)
