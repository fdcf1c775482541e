"""Framed records from hostile bytes, however they are cut."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.judging.records import Kind, MalformedStream, Record, Records
from evaluator.sandbox import SandboxError


class Bytes:
    """A run whose output is known; ``forever``: it then hangs instead of ending."""

    def __init__(self, *chunks: bytes, forever: bool = False) -> None:
        self._chunks = list(chunks)
        self._forever = forever

    async def read(self) -> bytes:
        if self._chunks:
            return self._chunks.pop(0)
        if self._forever:
            await asyncio.Event().wait()
        return b""

    def stderr(self) -> str:
        return "bwrap: out of luck"

    def out_of_memory(self) -> bool:
        return False


def frame(kind: Kind, payload: bytes = b"") -> bytes:
    return bytes([kind]) + len(payload).to_bytes(4, "little") + payload


def soon() -> float:
    return asyncio.get_running_loop().time() + 0.05


async def everything(*chunks: bytes, max_value: int = 100) -> list[Record]:
    records = Records(Bytes(*chunks))
    found = []
    while record := await records.next(soon(), max_value):
        found.append(record)
    return found


@given(st.lists(st.tuples(st.sampled_from(Kind), st.binary(max_size=100)), max_size=8), st.data())
def test_records_come_out_however_the_stream_is_cut(sent: list[tuple[Kind, bytes]], draw: st.DataObject) -> None:
    stream = b"".join(frame(kind, payload) for kind, payload in sent)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True) if a < b]
    found = asyncio.run(everything(*chunks))
    assert [(record.kind, record.payload) for record in found] == sent


async def test_a_cut_record_is_the_end() -> None:
    assert await everything(frame(Kind.VALUE, b"abc")[:-1]) == []
    assert await everything(frame(Kind.STARTED) + b"V\0") == [Record(Kind.STARTED, b"")]


@pytest.mark.parametrize(
    "stream", [b"?\0\0\0\0", frame(Kind.VALUE, b"x" * 101), b"V\xff\xff\xff\xff", b"E\xff\xff\0\0"], ids=repr
)
async def test_what_is_no_record_or_too_large_is_refused_at_its_header(stream: bytes) -> None:
    with pytest.raises(MalformedStream):
        await Records(Bytes(stream[:5], forever=True)).next(soon(), 100)


async def test_a_silent_stream_times_out_and_loses_nothing() -> None:
    records = Records(Bytes(frame(Kind.VALUE, b"abc")[:6], forever=True))
    with pytest.raises(TimeoutError):
        await records.next(soon(), 100)
    records._run = Bytes(b"bc")
    assert await records.next(soon(), 100) == Record(Kind.VALUE, b"abc")


async def test_ready() -> None:
    await Records(Bytes(frame(Kind.READY))).ready()
    for chunks in ([], [frame(Kind.STARTED)], [b"garbage"]):
        with pytest.raises(SandboxError, match="nothing runs in the sandbox: bwrap: out of luck"):
            await Records(Bytes(*chunks)).ready()
