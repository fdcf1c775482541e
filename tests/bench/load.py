"""Load: keep-alive connections that send unique requests and look at every answer. Raw asyncio: the client is cheap."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.bench.answers import ANSWERS
from tests.bench.questions import Kind, Question, question

CHAT = Kind("chat")
CHAT_STREAM = Kind("chat", stream=True)


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


async def send(target: Target, count: int, at_once: int, kind: Kind = CHAT) -> Seen:
    """``count`` requests over ``at_once`` connections. Raises ``WrongAnswer``."""
    seen = Seen()
    numbers = iter(range(count))
    asked = question(kind, target.model)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(_client(target, numbers, asked, seen))
    except ExceptionGroup as failures:
        first = failures.exceptions[0]
        raise WrongAnswer(f"{target.name}: {first!r}; the last answer was {seen.last_head!r}") from first
    return seen


async def _client(target: Target, numbers: Iterator[int], asked: Question, seen: Seen) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=1 << 20)
    for _ in numbers:
        request = _request(target, asked)
        started = time.perf_counter()
        writer.write(request)
        seen.last_head = head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        pieces = await _pieces(reader, head)
        seen.latencies_s.append(time.perf_counter() - started)
        seen.pieces += len(pieces)
        _check(target, head, b"".join(pieces), asked.kind)
    writer.close()
    await writer.wait_closed()


def _request(target: Target, asked: Question) -> bytes:
    body = asked.body()
    head = [f"POST {asked.kind.path} HTTP/1.1", "host: bench", "content-type: application/json", *target.headers]
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


def _check(target: Target, head: str, body: bytes, kind: Kind) -> None:
    if not head.startswith("http/1.1 200 "):
        raise WrongAnswer(f"{head.splitlines()[0]} {body[:300]!r}")
    if missing := [text for text in target.expected if text not in head]:
        raise WrongAnswer(f"{missing} not in {head}")
    if (trouble := ANSWERS[kind.wire].trouble(body, stream=kind.stream)) is not None:
        raise WrongAnswer(f"{kind.path}: {trouble}")
