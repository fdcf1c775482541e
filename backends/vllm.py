"""vLLM servers, and any other that speaks OpenAI's wire: the client's bytes go through, two fields spliced."""

from collections.abc import Mapping
from typing import Any

import msgspec

from backends import http1
from backends.backend import BackendError, Call, Piece
from backends.chat_wire import DONE, ChatStream, whole_usage
from backends.route import Revision, Route
from backends.sse import FrameTooLong
from backends.upstream_http import EventReader, error_body, retry_after_s, whole_body
from backends.usage import Usage, UsageSource

_PATHS = {"chat": "/v1/chat/completions"}
_STREAM_OPTIONS_USAGE = msgspec.Raw(b'{"include_usage":true}')
_MAX_PAGE_BYTES = 4 * 1024 * 1024
_NOT_IMPLEMENTED = 501  # of a server that is up, but knows no such page


class VllmBackend:
    """``max_answer_bytes`` cuts an endless answer; ``connect_s`` bounds the connect."""

    def __init__(self, *, connect_s: float, max_answer_bytes: int) -> None:
        self._client = http1.Client(connect_s=connect_s)
        self._max_answer_bytes = max_answer_bytes

    async def start(self) -> None:
        """Nothing takes time."""

    async def send(self, route: Route, replica: str, call: Call) -> "VllmAnswer":
        body = msgspec.json.encode(_spliced(call, route.model))
        headers = {"content-type": "application/json", **call.headers, **route.headers}
        try:
            response = await self._client.request("POST", replica, _PATHS[call.wire], headers, body)
        except OSError as error:
            raise _translated(error, replica) from error
        if not 200 <= response.status < 300:
            raise await _status_error(response, replica)
        if response.headers.get("content-encoding", "identity") != "identity":
            response.close()
            raise BackendError("malformed", f"{replica} compressed its answer, which it was not asked to")
        return VllmAnswer(response, call, replica, self._max_answer_bytes)

    async def observe(self, route: Route, replica: str) -> Revision:
        await self._get(route, replica, "/health")
        version = await self._get(route, replica, "/version")
        models = await self._get(route, replica, "/v1/models")
        observed = {}
        if isinstance(version, Mapping) and "version" in version:
            observed["engine"] = f"vllm {version['version']}"
        for key in ("id", "root", "max_model_len"):
            value = _served(models, route.model).get(key)
            if value is not None:
                observed[key] = str(value)
        return Revision(route.revision.declared, observed)

    async def close(self) -> None:
        await self._client.close()

    async def _get(self, route: Route, replica: str, path: str) -> Any:
        """The JSON behind ``path``; None where the server is up but has no such page."""
        try:
            response = await self._client.request("GET", replica, path, route.headers)
            try:
                if response.status >= 500 and response.status != _NOT_IMPLEMENTED:
                    raise BackendError("status", f"{path} answered {response.status}", status=response.status)
                if response.status != 200:
                    return None
                return msgspec.json.decode(await whole_body(response.read, _MAX_PAGE_BYTES) or b"null")
            finally:
                response.close()
        except msgspec.DecodeError:
            return None
        except OSError as error:
            raise _translated(error, replica) from error


class VllmAnswer:
    """An answer whose head has arrived: events as they come, or the whole body as one piece."""

    def __init__(self, response: http1.Response, call: Call, replica: str, max_bytes: int) -> None:
        self._response = response
        self._replica = replica
        self._max_bytes = max_bytes
        self._stream = ChatStream(call.include_usage)
        self._events = EventReader(response.read, max_bytes, self._look)
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

    async def read(self) -> list[Piece]:
        try:
            if self.streamed:
                return await self._events.read() or self._ending()
            return [] if self._whole_here else [await self._whole()]
        except OSError as error:
            raise _translated(error, self._replica) from error
        except FrameTooLong as error:
            raise BackendError("malformed", f"the upstream sent {error}") from error

    def close(self) -> None:
        self._response.close()

    def _look(self, frame: bytes) -> list[Piece]:
        piece = self._stream.read(frame)
        return [piece] if piece.data else []

    def _ending(self) -> list[Piece]:
        """After the last event: one without its blank line, and the mark that clients wait for where it is missing."""
        rest = self._events.rest()
        pieces = self._look(rest + b"\n\n") if rest.strip() else []
        if self._stream.finished and not self._stream.done:
            self._stream.done = True
            pieces.append(Piece(b"data: " + DONE + b"\n\n", False))
        return pieces

    async def _whole(self) -> Piece:
        body = await whole_body(self._response.read, self._max_bytes)
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


async def _status_error(response: http1.Response, replica: str) -> BackendError:
    try:
        return BackendError(
            "status",
            f"{replica} answered {response.status}",
            status=response.status,
            body=await error_body(response.read),
            content_type=response.headers.get("content-type", "application/json"),
            retry_after=retry_after_s(response.headers),
        )
    finally:
        response.close()


def _translated(error: OSError, replica: str) -> BackendError:
    return BackendError("refused" if isinstance(error, http1.ConnectFailed) else "broken", f"{replica}: {error}")
