"""ASGI without ceremony, for the hot path: a body read within bounds, an answer written as it comes."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateway.problem import ClientLeft, Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of that lower-case name."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return None


async def read_body(scope: Scope, receive: Receive, max_bytes: int, within_s: float) -> bytes:
    """The whole body. Raises ``Problem`` 413 as soon as it is too long, 408 when it comes too slowly."""
    announced = header(scope, b"content-length")
    if announced is not None and announced.isdigit() and int(announced) > max_bytes:
        raise _too_long(max_bytes)
    try:
        async with asyncio.timeout(within_s):
            return await _read(receive, max_bytes)
    except TimeoutError as error:
        raise Problem(408, "request_timeout", f"the request's body did not arrive within {within_s:g} s") from error


async def _read(receive: Receive, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        part = message.get("body", b"")
        parts.append(part)
        length += len(part)
        if length > max_bytes:
            raise _too_long(max_bytes)
        if not message.get("more_body"):
            return part if len(parts) == 1 else b"".join(parts)


def _too_long(max_bytes: int) -> Problem:
    return Problem(413, "request_too_large", f"the request's body is longer than {max_bytes:,} bytes")


async def respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [*headers, _length(body)]})
    await send({"type": "http.response.body", "body": body})


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", str(len(body)).encode()
