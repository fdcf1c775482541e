import pytest

from backends.backend import BackendError, Piece
from backends.usage import Usage
from backends.wires.chat import ChatStream, whole_usage
from tests.fixtures.upstream import chunk, event, usage_chunk


def read(stream: ChatStream, *events: bytes) -> list[Piece]:
    return [stream.read(one) for one in events]


def test_content_is_what_the_model_made() -> None:
    stream = ChatStream(include_usage=False)
    role, text, tool, reasoning, empty = read(
        stream,
        event(chunk(role="assistant", content="")),
        event(chunk("x")),
        event(chunk(tool_calls=[{"index": 0}])),
        event(chunk(reasoning="hm")),
        b": keep-alive\n\n",
    )
    assert [p.content for p in (role, text, tool, reasoning, empty)] == [False, True, True, True, False]
    assert not stream.finished


def test_every_choice_must_finish() -> None:
    stream = ChatStream(include_usage=False)
    read(stream, event(chunk("a", index=0)), event(chunk("b", index=1)), event(chunk(finish="stop", index=0)))
    assert not stream.finished
    read(stream, event(chunk(finish="length", index=1)))
    assert stream.finished


def test_the_usage_chunk_is_dropped_unless_asked_for_and_counts_either_way() -> None:
    for asked in (False, True):
        stream = ChatStream(include_usage=asked)
        pieces = read(stream, event(chunk("a", finish="stop")), event(usage_chunk(5, 1)))
        assert (pieces[1].data != b"") is asked
        assert (stream.usage, stream.usage_source) == (Usage(5, 1), "provider")


def test_a_count_in_the_middle_is_the_last_seen_and_without_any_it_is_the_chunks() -> None:
    counted = ChatStream(include_usage=False)
    read(counted, event({**chunk("a"), "usage": {"prompt_tokens": 5, "completion_tokens": 3}}))
    assert (counted.usage, counted.usage_source) == (Usage(5, 3), "last_seen")
    uncounted = ChatStream(include_usage=False)
    assert (uncounted.usage, uncounted.usage_source) == (None, "unknown")
    read(uncounted, event(chunk("a")), event(chunk("b")))
    assert (uncounted.usage, uncounted.usage_source) == (Usage(0, 2), "estimated")


def test_text_that_looks_like_a_finish_is_only_text() -> None:
    stream = ChatStream(include_usage=False)
    read(stream, event(chunk('"finish_reason":"stop"')))
    assert not stream.finished


@pytest.mark.parametrize("bad", [b"data: {\n\n", b"data: [1]\n\n", b'data: {"choices": 3}\n\n', b"data: \xff\n\n"])
def test_what_is_no_chunk_is_malformed(bad: bytes) -> None:
    with pytest.raises(BackendError) as raised:
        ChatStream(include_usage=False).read(bad)
    assert raised.value.kind == "malformed"


def test_usage_of_a_whole_answer() -> None:
    body = b'{"usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}}'
    assert whole_usage(body) == Usage(9, 2, 4)
    assert whole_usage(b"{}") is None
    with pytest.raises(BackendError):
        whole_usage(b'{"usage"')
