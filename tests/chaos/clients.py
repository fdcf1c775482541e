"""The clients: they ask what the plan says, at its pace, and keep what they heard. Raw sockets: they cost little."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.chaos.plan import RATE, Ask
from tests.chaos.speech import PATHS, question
from tests.chaos.upstream import USER_SEPARATOR

MAX_TOKENS = 64
PATIENCE_S = 120.0
"""For one answer, and for a gateway to accept connections again."""

End = Literal["complete", "cut", "left", "no answer"]
"""``complete`` is HTTP's word: the body came to its end, whatever is in it. ``no answer``: the head never came."""


@dataclass(slots=True)
class Answer:
    """``began`` and ``ended`` are the clock of ``time.monotonic``."""

    ask: Ask
    began: float
    ended: float = 0.0
    end: End = "no answer"
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def request_id(self) -> str | None:
        return self.headers.get("x-weighbridge-request-id")

    @property
    def streamed(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")


@dataclass(frozen=True, slots=True)
class Crowd:
    """``ports`` of the gateways; ``keys`` by holder. ``on_begin`` is told each ask's number before it is sent."""

    ports: tuple[int, ...]
    keys: Mapping[str, str]
    on_begin: Callable[[int], None]

    async def ask_all(self, asks: tuple[Ask, ...]) -> list[Answer]:
        """Begins ``RATE`` a second, whatever becomes of those before."""
        tasks = []
        start = time.monotonic()
        for number, ask in enumerate(asks):
            await asyncio.sleep(max(0.0, start + number / RATE - time.monotonic()))
            self.on_begin(number)
            tasks.append(asyncio.create_task(self.ask(ask)))
        return list(await asyncio.gather(*tasks))

    async def ask(self, ask: Ask) -> Answer:
        reader, writer = await connected(self.ports[ask.gateway])
        answer = Answer(ask, time.monotonic())
        try:
            writer.write(self._request(ask))
            async with asyncio.timeout(_patience_s(ask)):
                await _hear(answer, reader)
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            answer.end = "left" if _leaves_early(ask) else "cut" if answer.status else "no answer"
        finally:
            writer.transport.abort()
        answer.ended = time.monotonic()
        return answer

    def _request(self, ask: Ask) -> bytes:
        options = {"stream_options": {"include_usage": True}} if ask.include_usage else {}
        limit = "max_output_tokens" if ask.wire == "responses" else "max_tokens"
        fields = {"model": ask.model, "stream": ask.stream, limit: MAX_TOKENS, **question(ask.wire, ask.prompt)}
        body = json.dumps({**fields, **options, "user": f"{ask.id}{USER_SEPARATOR}{ask.tenant}"}).encode()
        lines = [
            f"POST {PATHS[ask.wire]} HTTP/1.1",
            "host: chaos",
            f"authorization: Bearer {self.keys[ask.holder]}",
            f"x-session-affinity: {ask.id}",
            f"content-length: {len(body)}",
        ]
        lines += ["cache-control: no-store"] if ask.no_store else []
        return "\r\n".join((*lines, "", "")).encode() + body


def _leaves_early(ask: Ask) -> bool:
    """A whole answer comes at once: its client leaves while it waits."""
    return ask.leaves_after is not None and not ask.stream


def _patience_s(ask: Ask) -> float:
    return ask.leaves_after / 5000 if ask.leaves_after is not None and not ask.stream else PATIENCE_S


async def connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Waits while nobody listens there. Raises ``ConnectionError`` when that takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        except OSError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


async def _hear(answer: Answer, reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    answer.status = int(head[0].split(" ")[1])
    answer.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    if "content-length" in answer.headers:
        answer.body = await reader.readexactly(int(answer.headers["content-length"]))
        answer.end = "complete"
        return
    while (line := await reader.readline()).strip() != b"0":
        if not line:
            raise ConnectionResetError("it ended in the middle")
        answer.body += (await reader.readexactly(int(line, 16) + 2))[:-2]
        if answer.ask.leaves_after is not None and len(answer.body) > answer.ask.leaves_after:
            answer.end = "left"
            return
    await reader.readline()
    answer.end = "complete"
