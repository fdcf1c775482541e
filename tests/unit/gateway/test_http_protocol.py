"""What the server writes when, seen by a client that reads as it comes."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import uvicorn

from gateway.processes.http_protocol import HttpProtocol

Send = Callable[[dict[str, Any]], Awaitable[None]]
_START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]}


async def answered(
    answer: Callable[[Send], Awaitable[None]],
) -> tuple[asyncio.StreamReader, Callable[[], Awaitable[None]]]:
    async def app(scope: Any, receive: Any, send: Send) -> None:
        if scope["type"] == "http":
            await answer(send)

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=HttpProtocol, ws="none", lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")

    async def stop() -> None:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        server.should_exit = True
        await serving

    return reader, stop


async def test_a_head_leaves_with_what_follows_it() -> None:
    async def at_once(send: Send) -> None:
        await send(_START)
        await send({"type": "http.response.body", "body": b"body"})

    reader, stop = await answered(at_once)
    assert (await reader.read(65536)).endswith(b"\r\n\r\nbody")
    await stop()


async def test_a_head_does_not_wait_for_a_body_that_is_late() -> None:
    go = asyncio.Event()

    async def late(send: Send) -> None:
        await send(_START)
        await go.wait()
        await send({"type": "http.response.body", "body": b"body"})

    reader, stop = await answered(late)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
    go.set()
    assert await reader.readexactly(4) == b"body"
    await stop()


async def test_a_body_may_look_like_a_head() -> None:
    async def in_parts(send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in (b"one", b"HTTP/1.1 200 OK\r\n\r\n", b""):
            await send({"type": "http.response.body", "body": part, "more_body": bool(part)})

    reader, stop = await answered(in_parts)
    assert (await reader.readuntil(b"0\r\n\r\n")).endswith(b"3\r\none\r\n13\r\nHTTP/1.1 200 OK\r\n\r\n\r\n0\r\n\r\n")
    await stop()
