"""A model server that computes nothing, and a collector that only keeps what it gets.

Its answers are fixed bytes, so that what is measured is the road, not the model. `python -m tests.bench.model_server`
serves and prints its port. Spans go to `/v1/traces`; `/spans` says how many came since it was asked last.
"""

import asyncio
import json
from typing import Any, cast

import click
import uvloop
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TEXT = "x" * 600
TOKEN = " tok"
CHUNKS = 66
"""Chunks of a stream as the client gets them: the role, 64 tokens, the finish; `[DONE]` comes on top."""
PAUSE_S = 0.002

_USAGE = {"prompt_tokens": 500, "completion_tokens": 120, "total_tokens": 620}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _whole(status: str, body: bytes, media_type: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _event(content: bytes) -> bytes:
    event = b"data: " + content + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(event), event)


def _chunk(choices: list[dict[str, Any]], **more: Any) -> bytes:
    return _event(
        _json({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **more})
    )


def _delta(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    return _chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}])


_MESSAGE = {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}
_ANSWER = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [_MESSAGE], "usage": _USAGE}
_CHAT = _whole("200 OK", _json(_ANSWER))
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_FIRST, _NEXT, _LAST = _delta({"role": "assistant", "content": ""}), _delta({"content": TOKEN}), _delta({}, "stop")
_STREAM_USAGE = _chunk([], usage=_USAGE)
_STREAM_END = _event(b"[DONE]") + b"0\r\n\r\n"
_GET = {
    b"/health": _whole("200 OK", b""),
    b"/version": _whole("200 OK", _json({"version": "0.32.0"})),
    b"/v1/models": _whole("200 OK", _json({"object": "list", "data": [{"id": "m", "object": "model"}]})),
}
_NOT_FOUND = _whole("404 Not Found", _json({"error": {"message": "not found"}}))


class Connection(asyncio.Protocol):
    """One client at a time on a connection, without pipelining: what all the proxies do."""

    def __init__(self, batches: list[bytes]) -> None:
        self._batches = batches
        self._buffer = b""
        self._stream: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own, no subclass

    def connection_lost(self, error: Exception | None) -> None:
        if self._stream is not None:
            self._stream.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        _, _, length = head.lower().partition(b"content-length:")
        size = int(length.split(b"\r\n", 1)[0]) if length else 0
        if len(rest) < size:
            return
        self._buffer = rest[size:]
        method, path, _ = head.split(b" ", 2)
        self._answer(method, path, rest[:size])

    def _answer(self, method: bytes, path: bytes, body: bytes) -> None:
        if path == b"/v1/chat/completions":
            if (asked := json.loads(body)).get("stream"):
                usage = (asked.get("stream_options") or {}).get("include_usage", False)
                self._stream = asyncio.create_task(self._send_stream(usage))
            else:
                self._transport.write(_CHAT)
        elif path == b"/v1/traces":
            self._batches.append(body)
            self._transport.write(_whole("200 OK", b"", "application/x-protobuf"))
        elif path == b"/spans":
            self._transport.write(_whole("200 OK", b"%d" % _spans(self._batches)))
            self._batches.clear()
        else:
            self._transport.write(_GET.get(path, _NOT_FOUND) if method == b"GET" else _NOT_FOUND)

    async def _send_stream(self, usage: bool) -> None:
        self._transport.write(_STREAM_HEAD)
        for chunk in (_FIRST, *[_NEXT] * (CHUNKS - 2), _LAST):
            self._transport.write(chunk)
            await asyncio.sleep(PAUSE_S)
        self._transport.write(_STREAM_USAGE + _STREAM_END if usage else _STREAM_END)


def _spans(batches: list[bytes]) -> int:
    resources = (of for body in batches for of in ExportTraceServiceRequest.FromString(body).resource_spans)
    return sum(len(scope.spans) for of in resources for scope in of.scope_spans)


async def _serve() -> None:
    batches: list[bytes] = []
    server = await asyncio.get_running_loop().create_server(lambda: Connection(batches), "127.0.0.1", 0)
    click.echo(server.sockets[0].getsockname()[1])
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
