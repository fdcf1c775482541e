"""What `Remote` and sandboxd say to each other on a Unix socket: one connection a run, frames of a kind and a payload.

A frame is a letter, four bytes of length (big-endian), and the payload. The client asks with HELLO, or with RUN, INPUT
frames and INPUT_END; closing its side after that kills the run. The server answers READY or REFUSED; then OUTPUT
frames, STATE now and then, OUTPUT_END, ENDED; or BROKEN at any time. Payloads are bytes (INPUT, OUTPUT), text (REFUSED,
BROKEN) or a JSON object.
"""

import asyncio
import json
import struct
from dataclasses import asdict, dataclass, fields
from typing import Any

from evaluator.sandbox.sandbox import Limits, Program

HELLO, RUN, INPUT, INPUT_END = b"H", b"R", b"I", b"E"
READY, REFUSED, OUTPUT, STATE, OUTPUT_END, ENDED, BROKEN = b"Y", b"N", b"O", b"S", b"Z", b"X", b"B"

CHUNK_BYTES = 1 << 18
_HEAD = struct.Struct(">cL")
_MAX_FRAME_BYTES = 4 << 20
_MAX_INPUT_BYTES = 1 << 29


class WireError(Exception):
    """The other side does not keep to the protocol, or left in mid-frame."""


@dataclass(frozen=True, slots=True)
class State:
    """What a run's owner may ask at any time; ``status`` is there once it has ended."""

    stderr: str = ""
    out_of_memory: bool = False
    cpu_seconds: float | None = None
    status: int | None = None


async def receive(reader: asyncio.StreamReader) -> tuple[bytes, bytes] | None:
    """The next frame's kind and payload; None where the other side has closed. Raises WireError."""
    try:
        kind, size = _HEAD.unpack(await reader.readexactly(_HEAD.size))
        if size > _MAX_FRAME_BYTES:
            raise WireError(f"a frame of {size} bytes")
        return kind, await reader.readexactly(size)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise WireError("it left in mid-frame") from error
        return None
    except ConnectionError:
        return None


async def send(writer: asyncio.StreamWriter, kind: bytes, payload: bytes | dict[str, Any] | str = b"") -> None:
    """Returns when there is room for more. Raises ConnectionError."""
    if isinstance(payload, dict):
        payload = json.dumps(payload)
    if isinstance(payload, str):
        payload = payload.encode(errors="replace")
    writer.write(_HEAD.pack(kind, len(payload)) + payload)
    await writer.drain()


async def send_program(writer: asyncio.StreamWriter, program: Program, limits: Limits) -> None:
    await send(writer, RUN, {"argv": program.argv, "warm": program.warm, "limits": asdict(limits)})
    for at in range(0, len(program.stdin), CHUNK_BYTES):
        await send(writer, INPUT, program.stdin[at : at + CHUNK_BYTES])
    await send(writer, INPUT_END)


async def receive_program(reader: asyncio.StreamReader, head: bytes) -> tuple[Program, Limits]:
    """What ``send_program`` sent, from its first frame's payload on. Raises WireError."""
    asked = _object(head)
    argv, warm, limits = asked.get("argv"), asked.get("warm"), asked.get("limits")
    if not isinstance(argv, list) or not argv or not all(isinstance(word, str) for word in argv):
        raise WireError("argv is no list of words")
    if warm is not None and not isinstance(warm, str):
        raise WireError("warm is no text")
    if not isinstance(limits, dict) or limits.keys() != {field.name for field in fields(Limits)}:
        raise WireError("limits lack a field, or have one too many")
    if not all(type(limit) is int and limit > 0 for limit in limits.values()):
        raise WireError("a limit is no positive number")
    stdin = bytearray()
    while (frame := await receive(reader)) and frame[0] == INPUT:
        stdin += frame[1]
        if len(stdin) > _MAX_INPUT_BYTES:
            raise WireError(f"more than {_MAX_INPUT_BYTES} bytes of input")
    if frame is None or frame[0] != INPUT_END:
        raise WireError("the input has no end")
    return Program(tuple(argv), bytes(stdin), warm), Limits(**limits)


def state(payload: bytes) -> State:
    """Raises WireError."""
    try:
        return State(**_object(payload))
    except TypeError as error:
        raise WireError("no state") from error


def _object(payload: bytes) -> dict[str, Any]:
    try:
        found = json.loads(payload)
    except ValueError as error:
        raise WireError("no JSON") from error
    if not isinstance(found, dict):
        raise WireError("no JSON object")
    return found
