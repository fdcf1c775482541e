"""The stream that a sandboxed program sends back: framed records, read under a deadline. The bytes are hostile."""

import asyncio
import struct
from dataclasses import dataclass
from enum import IntEnum

from evaluator.sandbox import Run, SandboxError


class Kind(IntEnum):
    """A record's first byte; a 32-bit little-endian length and the payload follow."""

    READY = ord("R")
    """The program's own frame runs, and no judged code yet."""
    COMPILE_ERROR = ord("C")
    """The solution does not compile; payload: a line of text. Ends the stream."""
    STARTED = ord("S")
    """A part's code has been executed; its calls follow."""
    SECONDS = ord("T")
    """How long the next value's call took (when asked for)."""
    VALUE = ord("V")
    """A call's result, as ``evaluator.judging.serialise`` reads it."""
    ERROR = ord("E")
    """The part's code or a call raised; payload: a line of text. No value of this part follows."""
    END = ord("Z")
    """The part is over, whatever became of it."""


class MalformedStream(Exception):
    """What came is no record, or a larger one than is allowed."""


@dataclass(frozen=True, slots=True)
class Record:
    kind: Kind
    payload: bytes


_HEADER = struct.Struct("<BI")
_KINDS = {int(kind): kind for kind in Kind}
_MAX_TEXT = 4096
_START_SECONDS = 30.0


class Records:
    """Reads one run's records in order."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._buffer = b""
        self._at = 0

    async def ready(self) -> None:
        """Waits for the program's own frame. Raises SandboxError where it does not come: no judged code has run yet."""
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        try:
            record = await self.next(deadline)
        except (TimeoutError, MalformedStream) as error:
            raise SandboxError(f"nothing runs in the sandbox: {self._run.stderr() or error}") from error
        if record is None or record.kind is not Kind.READY:
            raise SandboxError(f"nothing runs in the sandbox: {self._run.stderr() or 'it ended at once'}")

    async def next(self, deadline: float, max_value: int = 0) -> Record | None:
        """The next record; None at the stream's end, be it inside a record.

        Raises TimeoutError when it is not there at ``deadline`` (the event loop's clock), and MalformedStream.
        """
        if not await self._have(_HEADER.size, deadline):
            return None
        code, size = _HEADER.unpack_from(self._buffer, self._at)
        kind = _KINDS.get(code)
        if kind is None:
            raise MalformedStream(f"unknown record {code}")
        if size > (max_value if kind is Kind.VALUE else _MAX_TEXT):
            raise MalformedStream(f"a record of {size} bytes")
        if not await self._have(_HEADER.size + size, deadline):
            return None
        start = self._at + _HEADER.size
        self._at = start + size
        return Record(kind, self._buffer[start : self._at])

    async def _have(self, size: int, deadline: float) -> bool:
        """Reads until ``size`` bytes are there; False where the stream ends before."""
        if len(self._buffer) - self._at >= size:
            return True
        chunks = [self._buffer[self._at :]]
        missing = size - len(chunks[0])
        try:
            while missing > 0:
                async with asyncio.timeout_at(deadline):
                    chunk = await self._run.read()
                if not chunk:
                    return False
                chunks.append(chunk)
                missing -= len(chunk)
        finally:
            self._buffer, self._at = b"".join(chunks), 0
        return True
