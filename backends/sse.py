"""Server-sent events, framed without changing a byte.

The gateway forwards what it received, so a frame keeps its raw bytes; only its data is looked at.
"""

import re
from itertools import pairwise

_BLANK_LINE = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_LINE_END = re.compile(rb"\r\n|\n|\r")


class FrameTooLong(ValueError):
    """One event is longer than the limit: the upstream is broken or hostile."""


class Framer:
    """Cuts a byte stream into whole events, however the network fragmented it.

    Every byte fed comes out exactly once, in order: an event with its closing blank line, the rest from ``rest()``.
    """

    def __init__(self, max_frame_bytes: int = 8 * 1024 * 1024) -> None:
        self._buffer = b""
        self._max = max_frame_bytes

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that ``chunk`` completes, each as raw bytes."""
        if not self._buffer and b"\r" not in chunk and 0 <= chunk.find(b"\n\n") == len(chunk) - 2:
            return [chunk]  # one whole event, as most servers write them
        buffer = self._buffer + chunk if self._buffer else chunk
        frames, self._buffer = _cut(buffer) if b"\r" in buffer else _cut_plain(buffer)
        if len(self._buffer) > self._max:
            raise FrameTooLong(f"an event of more than {self._max} bytes")
        return frames

    def rest(self) -> bytes:
        """What came after the last whole event: not empty when the stream was cut inside one."""
        rest, self._buffer = self._buffer, b""
        return rest


def _cut(buffer: bytes) -> tuple[list[bytes], bytes]:
    """Whole events and the rest, whichever line ends they have."""
    ends = [0, *(match.end() for match in _BLANK_LINE.finditer(buffer))]
    return [buffer[start:end] for start, end in pairwise(ends)], buffer[ends[-1] :]


def _cut_plain(buffer: bytes) -> tuple[list[bytes], bytes]:
    """The same where every line ends with a newline alone, as nearly always: the pattern takes ten times as long."""
    frames = []
    start = 0
    while (end := buffer.find(b"\n\n", start)) >= 0:
        frames.append(buffer[start : end + 2])
        start = end + 2
    return frames, buffer[start:]


def data_of(frame: bytes) -> bytes | None:
    """The event's data, its lines joined by newlines; None for comments and events without data."""
    if frame.startswith(b"data: ") and frame.endswith(b"\n\n") and frame.find(b"\n") == len(frame) - 2:
        return frame[6:-2].rstrip(b"\r")  # nearly every frame that a model server sends
    if frame.startswith(b"event: ") and frame.endswith(b"\n\n") and b"\r" not in frame:
        data = frame.find(b"\n") + 1
        if frame.startswith(b"data: ", data) and frame.find(b"\n", data) == len(frame) - 2:
            return frame[data + 6 : -2]  # and nearly every other, on the wires that name their events
    lines = [_value(line) for line in _LINE_END.split(frame) if line.startswith(b"data")]
    values = [line for line in lines if line is not None]
    return b"\n".join(values) if values else None


def _value(line: bytes) -> bytes | None:
    field, _, value = line.partition(b":")
    if field != b"data":
        return None
    return value[1:] if value.startswith(b" ") else value
