"""Thousands of idle streams through one worker: what each costs in memory, and that all descriptors come back."""

import asyncio
import json
import resource
from dataclasses import dataclass
from pathlib import Path

from tests.bench.process import rss_mb
from tests.chaos.quiet import descriptors
from tests.chaos.services import Gateway, until
from tests.chaos.speech import word_event
from tests.soak.steadiness import API_KEY

_KIB = 1024 / 1e6
_A_MOMENT = 100
"""Streams that are begun before the next is waited for."""
_FEW_MORE = 4
_HEALTH = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Streams:
    """``kib_each``: how much larger the worker was with them, by stream. ``descriptors_s``: until they were back."""

    count: int
    kib_each: float
    descriptors: int
    descriptors_s: float


async def idle_streams(folder: Path, count: int) -> Streams:
    """Holds ``count`` streams that have said one word each. Raises ``TimeoutError``."""
    allow_descriptors()
    upstream = _Upstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, backlog=4096)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    config = {"routes": {"small": {"backend": "vllm", "model": "m", "replicas": [url]}}}
    gateway = Gateway("streams", folder / "streams", config, {"WEIGHBRIDGE_API_KEY": API_KEY}, workers=1)
    try:
        await gateway.start()
        await _close(await _open(gateway, _A_MOMENT, "first"))  # what is made once is not theirs
        worker = gateway.workers()
        before_mb, before = rss_mb(worker), descriptors(gateway)
        held = await _open(gateway, count, "held")
        each = (rss_mb(worker) - before_mb) / count / _KIB
        most = descriptors(gateway)
        await _close(held)
        came_back_s = await until(lambda: _is_back(gateway, before), what=f"a return to {before} descriptors")
        return Streams(count, each, most, came_back_s)
    finally:
        gateway.kill()
        server.close()
        await asyncio.gather(*upstream.serving)


def allow_descriptors() -> None:
    """As many as the system lets us have; our children inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def enough_descriptors(count: int) -> bool:
    """Two for each stream, here and in the worker, and some."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 2 * count + 500


async def _is_back(gateway: Gateway, before: int) -> bool:
    return descriptors(gateway) <= before + _FEW_MORE


async def _open(gateway: Gateway, count: int, topic: str) -> list[asyncio.StreamWriter]:
    """Streams that have said their word."""
    held: list[asyncio.StreamWriter] = []
    for start in range(0, count, _A_MOMENT):
        some = range(start, min(count, start + _A_MOMENT))
        held += await asyncio.gather(*(_begin(gateway.port, f"{topic} {number}") for number in some))
    return held


async def _begin(port: int, prompt: str) -> asyncio.StreamWriter:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({"model": "small", "stream": True, "messages": [{"role": "user", "content": prompt}]}).encode()
    lines = ["POST /v1/chat/completions HTTP/1.1", "host: soak", f"authorization: Bearer {API_KEY}"]
    writer.write("\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body)
    async with asyncio.timeout(120):
        await reader.readuntil(b'"word"')
    return writer


async def _close(held: list[asyncio.StreamWriter]) -> None:
    for writer in held:
        writer.transport.abort()
    await asyncio.sleep(0)


class _Upstream:
    """It says one word of each stream, and then nothing until the other side leaves."""

    def __init__(self) -> None:
        self.serving: set[asyncio.Task[None]] = set()

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_say_one_word(reader, writer))
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)


async def _say_one_word(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if head.startswith(b"GET"):
                writer.write(_HEALTH)
                continue
            word = word_event("chat", "word")
            writer.write(_HEAD + b"%x\r\n%s\r\n" % (len(word), word))
            await reader.read(-1)
            return
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # it has left
    finally:
        writer.transport.abort()
