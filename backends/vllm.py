"""vLLM servers, and any other that speaks OpenAI's wire: the client's bytes go through, two fields spliced.

aiohttp is the data path: measured at a seventh of httpx's CPU a request, and it lets go of cancelled streams.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import msgspec

from backends.backend import BackendError, Call, Piece
from backends.chat_wire import DONE, ChatStream, whole_usage
from backends.route import Revision, Route
from backends.sse import Framer, FrameTooLong
from backends.upstream_http import error_body, open_session, read_events, retry_after_s, translate, whole_body
from backends.usage import Usage, UsageSource

_PATHS = {"chat": "/v1/chat/completions"}
_STREAM_OPTIONS_USAGE = msgspec.Raw(b'{"include_usage":true}')
_NOT_IMPLEMENTED = 501  # of a server that is up, but knows no such page


class VllmBackend:
    """``max_answer_bytes`` cuts an endless answer; ``connect_s`` bounds the connect."""

    def __init__(self, *, connect_s: float, max_answer_bytes: int) -> None:
        self._connect_s = connect_s
        self._max_answer_bytes = max_answer_bytes
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Nothing takes time."""

    async def send(self, route: Route, replica: str, call: Call) -> "VllmAnswer":
        body = msgspec.json.encode(_spliced(call, route.model))
        headers = {"content-type": "application/json", **call.headers, **route.headers}
        try:
            response = await self._open().post(replica + _PATHS[call.wire], data=body, headers=headers)
        except (aiohttp.ClientError, OSError) as error:
            raise translate(error, replica) from error
        if response.status >= 400:
            raise await _status_error(response, replica)
        return VllmAnswer(response, call, replica, self._max_answer_bytes)

    async def observe(self, route: Route, replica: str) -> Revision:
        await self._get(replica + "/health", route)
        version = await self._get(replica + "/version", route)
        models = await self._get(replica + "/v1/models", route)
        observed = {}
        if isinstance(version, Mapping) and "version" in version:
            observed["engine"] = f"vllm {version['version']}"
        for key in ("id", "root", "max_model_len"):
            value = _served(models, route.model).get(key)
            if value is not None:
                observed[key] = str(value)
        return Revision(route.revision.declared, observed)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _get(self, url: str, route: Route) -> Any:
        """The JSON behind ``url``; None where the server is up but has no such page."""
        try:
            async with self._open().get(url, headers=route.headers) as response:
                if response.status >= 500 and response.status != _NOT_IMPLEMENTED:
                    raise BackendError("status", f"{url} answered {response.status}", status=response.status)
                if response.status != 200:
                    return None
                return msgspec.json.decode(await response.read() or b"null")
        except msgspec.DecodeError:
            return None
        except (aiohttp.ClientError, OSError) as error:
            raise translate(error, url) from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:  # made on first use: it belongs to the running event loop
            self._session = open_session(self._connect_s)
        return self._session


class VllmAnswer:
    """An answer whose head has arrived: events as they come, or the whole body as one piece."""

    def __init__(self, response: aiohttp.ClientResponse, call: Call, replica: str, max_bytes: int) -> None:
        self._response = response
        self._replica = replica
        self._max_bytes = max_bytes
        self._stream = ChatStream(call.include_usage)
        self._whole_usage: Usage | None = None
        self._whole_here = False
        self.content_type = response.headers.get("content-type", "application/json")
        self.streamed = self.content_type.startswith("text/event-stream")

    @property
    def usage(self) -> Usage | None:
        return self._stream.usage if self.streamed else self._whole_usage

    @property
    def usage_source(self) -> UsageSource:
        if self.streamed:
            return self._stream.usage_source
        return "provider" if self._whole_usage else "unknown"

    @property
    def finished(self) -> bool:
        return self._stream.finished if self.streamed else self._whole_here

    async def __aiter__(self) -> AsyncIterator[list[Piece]]:
        try:
            if self.streamed:
                async for batch in self._events():
                    yield batch
            else:
                yield [await self._whole()]
        except (aiohttp.ClientError, OSError) as error:
            raise translate(error, self._replica, started=True) from error
        except FrameTooLong as error:
            raise BackendError("malformed", f"the upstream sent {error}") from error

    def close(self) -> None:
        self._response.close()

    async def _events(self) -> AsyncIterator[list[Piece]]:
        framer = Framer()
        async for batch in read_events(self._response, framer, self._max_bytes, self._read):
            yield batch
        if (rest := framer.rest()).strip():
            yield self._read(rest + b"\n\n")  # a last event without its blank line
        if self._stream.finished and not self._stream.done:
            yield [Piece(b"data: " + DONE + b"\n\n", False)]  # complete but for the mark that clients wait for

    def _read(self, frame: bytes) -> list[Piece]:
        piece = self._stream.read(frame)
        return [piece] if piece.data else []

    async def _whole(self) -> Piece:
        body = await whole_body(self._response, self._max_bytes)
        self._whole_usage = whole_usage(body)
        self._whole_here = True
        return Piece(body, True)


def _spliced(call: Call, model: str) -> dict[str, msgspec.Raw]:
    fields = dict(call.fields)
    fields["model"] = msgspec.Raw(msgspec.json.encode(model))
    if call.stream and not call.include_usage:
        fields["stream_options"] = _with_usage(fields.get("stream_options"))
    return fields


def _with_usage(options: msgspec.Raw | None) -> msgspec.Raw:
    """The client's stream options with usage asked for; what is not an object is the upstream's to refuse."""
    asked = msgspec.json.decode(options) if options else None
    if asked is None:
        return _STREAM_OPTIONS_USAGE
    if not isinstance(asked, dict):
        return options or _STREAM_OPTIONS_USAGE
    return msgspec.Raw(msgspec.json.encode({**asked, "include_usage": True}))


def _served(models: Any, name: str) -> Mapping[str, Any]:
    """The entry for ``name`` in a ``/v1/models`` answer; empty when it has none."""
    entries = models.get("data") if isinstance(models, Mapping) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping) and entry.get("id") == name:
            return entry
    return {}


async def _status_error(response: aiohttp.ClientResponse, replica: str) -> BackendError:
    return BackendError(
        "status",
        f"{replica} answered {response.status}",
        status=response.status,
        body=await error_body(response),
        content_type=response.headers.get("content-type", "application/json"),
        retry_after=retry_after_s(response),
    )
