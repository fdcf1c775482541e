"""A model server that computes nothing, and a collector that only keeps what it gets.

Its answers are fixed bytes, so that what is measured is the road, not the model. `python -m tests.bench.model_server`
serves and prints its port. Spans go to `/v1/traces`; `/spans` says how many came since it was asked last.
"""

import asyncio
import json
from typing import Any, cast

import click
import msgspec
import uvloop
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.bench.answers import BY_PATH, Answer

PAUSE_S = 0.002


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _whole(status: str, body: bytes, media_type: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _chunk(data: bytes) -> bytes:
    """Of the transfer encoding."""
    return b"%x\r\n%s\r\n" % (len(data), data)


class _Options(msgspec.Struct):
    include_usage: bool = False


class _Asked(msgspec.Struct):
    """Decoded to here and no further: the long histories cost this server little."""

    stream: bool = False
    stream_options: _Options | None = None


class _Said:
    """An answer's bytes on the connection."""

    def __init__(self, answer: Answer) -> None:
        self.whole = _whole("200 OK", answer.whole)
        self.chunks = tuple(map(_chunk, answer.stream))
        self.end = (_chunk(answer.end) if answer.end else b"") + b"0\r\n\r\n"
        self.end_with_usage = (_chunk(answer.usage) if answer.usage else b"") + self.end


_decode = msgspec.json.Decoder(_Asked).decode
_SAID = {path: _Said(answer) for path, answer in BY_PATH.items()}
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
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
        if (said := _SAID.get(path)) is not None:
            asked = _decode(body)
            if asked.stream:
                usage = asked.stream_options is not None and asked.stream_options.include_usage
                self._stream = asyncio.create_task(self._send_stream(said, usage))
            else:
                self._transport.write(said.whole)
        elif path == b"/v1/traces":
            self._batches.append(body)
            self._transport.write(_whole("200 OK", b"", "application/x-protobuf"))
        elif path == b"/spans":
            self._transport.write(_whole("200 OK", b"%d" % _spans(self._batches)))
            self._batches.clear()
        else:
            self._transport.write(_GET.get(path, _NOT_FOUND) if method == b"GET" else _NOT_FOUND)

    async def _send_stream(self, said: _Said, usage: bool) -> None:
        self._transport.write(_STREAM_HEAD)
        for chunk in said.chunks:
            self._transport.write(chunk)
            await asyncio.sleep(PAUSE_S)
        self._transport.write(said.end_with_usage if usage else said.end)


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
