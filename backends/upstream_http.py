"""aiohttp towards model servers: one kind of session, bounded bodies, and its errors translated once."""

import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp

from backends.backend import BackendError, Piece
from backends.sse import Framer

_MAX_ERROR_BODY = 64 * 1024


def open_session(connect_s: float, *, proxied: bool = False) -> aiohttp.ClientSession:
    """Belongs to the running event loop. ``connect_s`` bounds the connect; no other deadline is set here.

    ``proxied``: through the proxy that the environment names (HTTPS_PROXY, NO_PROXY), if it names one.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=30),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_s),
        read_bufsize=256 * 1024,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=proxied,
    )


def translate(error: Exception, where: str, started: bool = False) -> BackendError:
    """``started``: the answer had begun."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return BackendError("refused", f"no connection to {where} in time")
    if isinstance(error, asyncio.TimeoutError):
        return BackendError("timeout", f"{where} was too slow")
    if isinstance(error, aiohttp.ClientConnectorError):
        return BackendError("refused", f"cannot connect to {where}: {error.os_error.strerror or 'refused'}")
    what = "the answer broke off" if started else "the connection broke"
    return BackendError("broken", f"{where}: {what} ({type(error).__name__})")


def too_long(limit: int) -> BackendError:
    return BackendError("broken", f"the answer grew beyond {limit} bytes and was cut")


async def whole_body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Raises ``BackendError`` as soon as it is longer than ``limit`` bytes."""
    body = await _capped(response, limit)
    if body is None:
        raise too_long(limit)
    return body


async def read_events(
    response: aiohttp.ClientResponse, framer: Framer, limit: int, read: Callable[[bytes], list[Piece]]
) -> AsyncIterator[list[Piece]]:
    """The pieces that ``read`` makes of a stream's events, a batch for each network read.

    Raises ``BackendError`` beyond ``limit`` bytes, and what ``read`` raises once the pieces before it are handed over.
    """
    seen = 0
    async for chunk in response.content.iter_any():
        seen += len(chunk)
        if seen > limit:
            raise too_long(limit)
        pieces, trouble = _read_all(framer.feed(chunk), read)
        if pieces:
            yield pieces
        if trouble is not None:
            raise trouble


def _read_all(frames: list[bytes], read: Callable[[bytes], list[Piece]]) -> tuple[list[Piece], BackendError | None]:
    pieces: list[Piece] = []
    for frame in frames:
        try:
            pieces += read(frame)
        except BackendError as trouble:
            return pieces, trouble
    return pieces, None


async def error_body(response: aiohttp.ClientResponse) -> bytes:
    """What an error answer says, as far as it comes and is not huge; the answer is closed."""
    try:
        return await _capped(response, _MAX_ERROR_BODY) or b""
    except (aiohttp.ClientError, OSError):
        return b""
    finally:
        response.close()


def retry_after_s(response: aiohttp.ClientResponse) -> float | None:
    """The header's seconds; the date form is rare among model servers and counts as absent."""
    header = response.headers.get("retry-after")
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None


async def _capped(response: aiohttp.ClientResponse, limit: int) -> bytes | None:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)
