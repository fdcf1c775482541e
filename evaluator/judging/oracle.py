"""What is right for each task: the canonical solution's results and times, made in the sandbox and kept on disk.

A suite without canonical solutions says itself what is right, and all calls have the same limit.

Expected values are large (250 MB for HumanEval+), so memory holds their digests: a result with the same encoding needs
no value. Only another encoding is rebuilt and compared with the value, which is then read from disk.
"""

import asyncio
import hashlib
import marshal
import os
import platform
import reprlib
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

import msgspec

from evaluator.judging import compare, serialise
from evaluator.judging.records import Kind, MalformedStream, Record, Records
from evaluator.languages import CallsFunctions
from evaluator.sandbox import Limits, Sandbox
from evaluator.suites import Part, Suite, Task

MIN_CALL_SECONDS, CALL_FACTOR, MAX_PART_SECONDS = 1.0, 4.0, 60.0
"""EvalPlus's limits: a call may take max(1 s, 4 x the canonical solution's time), a part min(60 s, the sum of that).

A part may also take 4 x the canonical solution's whole time: on a slow machine that one may need more than 60 s itself.
"""

_UNKNOWN_SECONDS = 1.25
"""Stands for the canonical solution's time where there is none: a call may take 5 s."""

_CANONICAL_CALL_SECONDS, _CANONICAL_SECONDS = 60.0, 600.0
_MAX_VALUE_BYTES = 256 << 20
_COMPRESSED_BYTES, _APART_BYTES = 512, 1 << 16
"""Larger values are compressed, and much larger ones in another thread."""

_OF_UNEQUALS = (b"\x7f", b"\xff", b".")
"""Bytes of which every encoded NaN or ``Opaque`` has one: either equals nothing, but Python's lists do not ask."""


class OracleError(Exception):
    """The canonical solution itself does not run: the task cannot be scored."""


class Call(msgspec.Struct, array_like=True, frozen=True):
    """What the canonical solution gave for one input."""

    digest: bytes
    size: int
    """Bytes of the encoded value."""
    settled: bool
    """The oracle's word on this very encoding, so that an equal digest decides."""
    atol: float
    seconds: float
    offset: int
    """Where the value lies in the file."""
    stored: int
    """Bytes of it there; where they are fewer than ``size``, it is compressed."""

    @property
    def limit(self) -> float:
        """Seconds that a solution may take for it."""
        return max(MIN_CALL_SECONDS, CALL_FACTOR * self.seconds)

    @property
    def max_size(self) -> int:
        """Bytes of the largest result worth reading: an equal one cannot be much larger."""
        return 8 * self.size + 4096


@dataclass(frozen=True, slots=True)
class PartOracle:
    task: Task
    part: Part
    calls: tuple[Call, ...]
    path: Path

    @property
    def seconds(self) -> float:
        """What all calls together may take."""
        longest = max(MAX_PART_SECONDS, CALL_FACTOR * sum(call.seconds for call in self.calls))
        return min(longest, sum(call.limit for call in self.calls)) + 1.0

    def packed(self, language: CallsFunctions, *, each: bool = False) -> bytes:
        """The part's calls for a program; ``each``: every result is to be sent before the next call."""
        return language.pack(self.part.inputs, [each or call.limit > MIN_CALL_SECONDS for call in self.calls])

    def accepts(self, index: int, encoded: bytes) -> bool:
        """Whether an encoded result of call ``index`` is right."""
        call = self.calls[index]
        if _digest(encoded) == call.digest:
            return call.settled
        try:
            actual = serialise.decode(encoded)
        except serialise.MalformedValue:
            return False
        return compare.matches(self.task, self.part.inputs[index], actual, self._expected(index), call.atol)

    def show(self, index: int) -> str:
        """Call ``index`` as a person would write it, in short."""
        args = reprlib.repr(list(self.part.inputs[index]))[1:-1]
        return f"{self.task.entry_point}({args})"

    def _expected(self, index: int) -> object:
        if self.part.expected is not None:
            return self.part.expected[index]
        call = self.calls[index]
        with self.path.open("rb") as file:
            file.seek(call.offset)
            stored = file.read(call.stored)
        return serialise.decode(zlib.decompress(stored) if call.stored < call.size else stored)


class Oracles:
    """The oracles of one suite in one sandbox, each made when it is first asked for: its times are that sandbox's."""

    def __init__(self, suite: Suite, cache: Path, sandbox: Sandbox) -> None:
        self._version = f"{suite.hash[:32]}-{compare.VERSION}-python{platform.python_version()}"
        self._cache = cache
        self._sandbox = sandbox

    async def load(self, task: Task, language: CallsFunctions, limits: Limits) -> tuple[PartOracle, ...]:
        """Raises OracleError, SandboxError, and OSError where the cache cannot be written."""
        path = self._path(task)
        parts = _read(task, path)
        if parts is None:
            await _make(task, language, self._sandbox, limits, path)
            parts = _read(task, path)
            assert parts is not None
        return parts

    def has(self, task: Task) -> bool:
        return self._path(task).exists()

    def _path(self, task: Task) -> Path:
        where = self._sandbox.name.replace(" ", "-")
        return self._cache / "oracles" / f"{self._version}-{where}" / quote(task.task_id, safe="")


_INDEX = struct.Struct("<Q")
_decoder = msgspec.msgpack.Decoder(list[list[Call]])


def _read(task: Task, path: Path) -> tuple[PartOracle, ...] | None:
    """None where there is no file, or none of ours. The index lies at the end; its length is the last 8 bytes."""
    try:
        with path.open("rb") as file:
            end = file.seek(-_INDEX.size, os.SEEK_END)
            (size,) = _INDEX.unpack(file.read())
            file.seek(end - size)
            index = _decoder.decode(file.read(size))
    except (OSError, msgspec.MsgspecError):
        return None
    parts = task.function_check.parts
    if [len(calls) for calls in index] != [len(part.inputs) for part in parts]:
        return None
    return tuple(PartOracle(task, part, tuple(calls), path) for part, calls in zip(parts, index, strict=True))


async def _make(task: Task, language: CallsFunctions, sandbox: Sandbox, limits: Limits, path: Path) -> None:
    with _replacing(path) as file:
        if task.canonical_solution:
            index = await _run_canonical(task, language, sandbox, limits, file)
        else:
            index = [_given(task, part) for part in task.function_check.parts]
        encoded = msgspec.msgpack.encode(index)
        file.write(encoded + _INDEX.pack(len(encoded)))


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A new file that takes the place of ``path`` when all went well, and is gone when not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".making-", delete=False) as file:
        try:
            yield file.file
            file.flush()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _given(task: Task, part: Part) -> list[Call]:
    """The calls of a part whose expected values the suite gives."""
    if part.expected is None:
        raise OracleError(f"{task.task_id} has neither expected values nor a canonical solution")
    sizes = [len(marshal.dumps(value, 2)) for value in part.expected]  # type: ignore[arg-type]  # builtin values only
    atol = task.function_check.atol
    return [Call(b"", size, False, atol, _UNKNOWN_SECONDS, 0, 0) for size in sizes]


async def _run_canonical(
    task: Task, language: CallsFunctions, sandbox: Sandbox, limits: Limits, file: IO[bytes]
) -> list[list[Call]]:
    parts = [language.pack(part.inputs, [False] * len(part.inputs)) for part in task.function_check.parts]
    program = language.calls(task.canonical_solution, task.entry_point, parts, timed=True)
    try:
        async with sandbox.start(program, limits) as run:
            records = Records(run)
            await records.ready()
            canonical = _Canonical(task, records, file)
            return [await canonical.part(part) for part in task.function_check.parts]
    except (MalformedStream, TimeoutError) as error:
        raise OracleError(f"the canonical solution of {task.task_id} failed: {error or 'too slow'}") from error


class _Canonical:
    """Reads the canonical solution's run, and writes its values to the file."""

    def __init__(self, task: Task, records: Records, file: IO[bytes]) -> None:
        self._task = task
        self._records = records
        self._file = file
        self._offset = 0
        self._deadline = asyncio.get_running_loop().time() + _CANONICAL_SECONDS

    async def part(self, part: Part) -> list[Call]:
        await self._next(Kind.STARTED)
        atol = self._task.function_check.atol
        calls = []
        for i, args in enumerate(part.inputs):
            seconds = serialise.decode((await self._next(Kind.SECONDS)).payload)
            encoded = (await self._next(Kind.VALUE)).payload
            value = serialise.decode(encoded)
            expected = _apart(encoded, value) if part.expected is None else part.expected[i]
            atol = compare.tolerance(self._task, atol, expected)
            settled = compare.matches(self._task, args, value, expected, atol)
            assert isinstance(seconds, float)
            calls.append(await self._store(encoded, settled, atol, seconds))
        await self._next(Kind.END)
        return calls

    async def _next(self, kind: Kind) -> Record:
        deadline = min(self._deadline, asyncio.get_running_loop().time() + _CANONICAL_CALL_SECONDS)
        record = await self._records.next(deadline, _MAX_VALUE_BYTES)
        if record is None or record.kind is not kind:
            said = record.payload.decode(errors="replace") if record else "it ended early"
            raise OracleError(f"the canonical solution of {self._task.task_id} failed: {said}")
        return record

    async def _store(self, encoded: bytes, settled: bool, atol: float, seconds: float) -> Call:
        stored = encoded
        if len(encoded) > _COMPRESSED_BYTES:
            large = len(encoded) > _APART_BYTES
            stored = await asyncio.to_thread(zlib.compress, encoded, 1) if large else zlib.compress(encoded, 1)
            stored = min(stored, encoded, key=len)
        offset = self._offset
        self._file.write(stored)
        self._offset += len(stored)
        return Call(_digest(encoded), len(encoded), settled, atol, seconds, offset, len(stored))


def _apart(encoded: bytes, value: object) -> object:
    """An equal value to compare ``value`` with: another object where one that equals only itself may be in it."""
    return serialise.decode(encoded) if any(byte in encoded for byte in _OF_UNEQUALS) else value


def _digest(encoded: bytes) -> bytes:
    return hashlib.blake2b(encoded, digest_size=16).digest()
