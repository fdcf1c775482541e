"""Load: keep-alive connections that send unique chats and look at every answer. Raw asyncio: the client is cheap."""

import asyncio
import itertools
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.bench.model_server import CHUNKS, TEXT, TOKEN

_unique = itertools.count()
_SYSTEM_PROMPT = 'You complete code.\n\n```python\ndef f(x: str) -> str:\n    return "\\n".join(x)\n```\n' * 22
"""With the rest of the request about 2 KB."""


class WrongAnswer(Exception):
    """A system did not answer as it should: it must not be measured failing."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send, as whom; ``expected`` must be in the answer's head, in lower case."""

    name: str
    port: int
    model: str
    headers: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()


@dataclass(slots=True)
class Seen:
    """``pieces``: the parts in which the streams arrived, all together."""

    latencies_s: list[float] = field(default_factory=list)
    pieces: int = 0
    last_head: str = ""

    def add(self, more: "Seen") -> None:
        self.latencies_s += more.latencies_s
        self.pieces += more.pieces
        self.last_head = more.last_head


async def send(target: Target, count: int, at_once: int, *, stream: bool = False) -> Seen:
    """``count`` requests over ``at_once`` connections. Raises ``WrongAnswer``."""
    seen = Seen()
    numbers = iter(range(count))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(_client(target, numbers, stream, seen))
    except ExceptionGroup as failures:
        first = failures.exceptions[0]
        raise WrongAnswer(f"{target.name}: {first!r}; the last answer was {seen.last_head!r}") from first
    return seen


async def _client(target: Target, numbers: Iterator[int], stream: bool, seen: Seen) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=1 << 20)
    for _ in numbers:
        request = _request(target, stream)
        started = time.perf_counter()
        writer.write(request)
        seen.last_head = head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        pieces = await _pieces(reader, head)
        seen.latencies_s.append(time.perf_counter() - started)
        seen.pieces += len(pieces)
        _check(target, head, b"".join(pieces), stream)
    writer.close()
    await writer.wait_closed()


def _request(target: Target, stream: bool) -> bytes:
    unique = f"q{os.getpid()}.{time.time_ns()}.{next(_unique)}"
    messages = [{"role": "system", "content": _SYSTEM_PROMPT}, {"role": "user", "content": unique}]
    chat = {"model": target.model, "messages": messages, "temperature": 0.2, "max_tokens": 512, "stream": stream}
    body = json.dumps(chat).encode()
    head = ["POST /v1/chat/completions HTTP/1.1", "host: bench", "content-type: application/json", *target.headers]
    return "\r\n".join([*head, f"content-length: {len(body)}", "", ""]).encode() + body


async def _pieces(reader: asyncio.StreamReader, head: str) -> list[bytes]:
    """The body, in the chunks of the transfer encoding."""
    if "transfer-encoding: chunked" not in head:
        return [await reader.readexactly(int(_header(head, "content-length")))]
    pieces = []
    while size := int(await reader.readline(), 16):
        pieces.append((await reader.readexactly(size + 2))[:-2])
    await reader.readline()
    return pieces


def _header(head: str, name: str) -> str:
    return next(line.partition(":")[2].strip() for line in head.split("\r\n") if line.startswith(f"{name}:"))


def request_id(seen: Seen) -> str:
    return _header(seen.last_head, "x-weighbridge-request-id")


def _check(target: Target, head: str, body: bytes, stream: bool) -> None:
    if not head.startswith("http/1.1 200 "):
        raise WrongAnswer(f"{head.splitlines()[0]} {body[:300]!r}")
    if missing := [text for text in target.expected if text not in head]:
        raise WrongAnswer(f"{missing} not in {head}")
    if not stream:
        if TEXT.encode() not in body:
            raise WrongAnswer(f"not the answer: {body[:300]!r}")
        return
    tokens = body.count(f'"{TOKEN}"'.encode())
    if (tokens, body.count(b'"stop"'), body[-14:]) != (CHUNKS - 2, 1, b"data: [DONE]\n\n"):
        raise WrongAnswer(f"{tokens} of {CHUNKS - 2} tokens, and the end is {body[-300:]!r}")
