"""aiohttp towards Anthropic: through the proxy that the environment names, and its errors translated once."""

import asyncio

import aiohttp

from backends.backend import BackendError


def open_session(connect_s: float) -> aiohttp.ClientSession:
    """Belongs to the running event loop. ``connect_s`` bounds the connect; no other deadline is set here.

    HTTPS_PROXY and NO_PROXY hold.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=30),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_s),
        read_bufsize=256 * 1024,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=True,
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
