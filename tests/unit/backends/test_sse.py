from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.sse import Framer, FrameTooLong, data_of

line_ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
texts = st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b""))


@st.composite
def events(draw: st.DrawFn) -> tuple[bytes, bytes | None]:
    """An event's bytes, and the data that a client must read from it."""
    end = draw(line_ends)
    fields = draw(st.lists(st.tuples(st.sampled_from([b"data", b"event", b"id", b""]), texts), min_size=1, max_size=4))
    frame = b"".join(name + b": " + text + end for name, text in fields) + end
    values = [text for name, text in fields if name == b"data"]
    return frame, b"\n".join(values) if values else None


def cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(c % (len(stream) + 1) for c in cuts)})
    return [stream[a:b] for a, b in pairwise(places)]


@given(st.lists(events(), max_size=6), texts, st.lists(st.integers(0, 10_000), max_size=30))
def test_however_a_stream_is_cut_every_byte_comes_out_once_and_events_keep_their_data(
    sent: list[tuple[bytes, bytes | None]], tail: bytes, cuts: list[int]
) -> None:
    stream = b"".join(frame for frame, _ in sent) + tail
    framer = Framer()
    frames = [frame for part in cut(stream, cuts) for frame in framer.feed(part)]
    assert b"".join(frames) + framer.rest() == stream
    assert [data_of(frame) for frame in frames if frame.strip()] == [data for _, data in sent]


@pytest.mark.parametrize("part", [b"x", b"\n", b"\r", b"x\n", b"\nx"])
def test_a_part_of_an_event_is_none(part: bytes) -> None:
    framer = Framer()
    assert (framer.feed(part), framer.rest()) == ([], part)


def test_an_event_without_end_is_refused() -> None:
    framer = Framer(max_frame_bytes=100)
    framer.feed(b"data: " + b"x" * 90)
    with pytest.raises(FrameTooLong):
        framer.feed(b"x" * 90)


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        (b"data: [DONE]\n\n", b"[DONE]"),
        (b"data:tight\n\n", b"tight"),
        (b": comment\n\n", None),
        (b"database: no\n\n", None),
        (b"data\n\n", b""),
        (b"event: x\ndata: 1\ndata: 2\n\n", b"1\n2"),
        (b"event: x\ndata: 1\n\n", b"1"),
        (b"event: x\rdata: 1\ndata: 2\n\n", b"1\n2"),
        (b"event: data: 1\n\n", None),
        (b"data: with \\n inside\r\n\r\n", b"with \\n inside"),
    ],
)
def test_data(frame: bytes, data: bytes | None) -> None:
    assert data_of(frame) == data
