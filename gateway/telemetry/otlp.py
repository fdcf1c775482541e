"""Spans on their way to a collector: OTLP over HTTP, in batches, by a task of the worker's own event loop.

Nothing waits for the collector. While it cannot be reached spans are neither made nor kept, but for one batch with
which it is tried again; that it is gone is said once, and that it is back once.
"""

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from backends import http1
from backends.backend import BackendError
from backends.upstream_http import whole_body
from gateway.telemetry.otlp_settings import OtlpSettings

log = logging.getLogger("weighbridge.telemetry")

FIRST_REST_S = 1.0
LONGEST_REST_S = 60.0
CLOSE_WITHIN_S = 3.0
_WORTH_RETRYING = frozenset((408, 429, 502, 503, 504))
_LONGEST_ANSWER = 64 * 1024
_SCOPE = "weighbridge"


@dataclass(frozen=True, slots=True)
class _Trouble:
    reason: str
    worth_retrying: bool
    retry_after_s: float | None = None


class OtlpExporter:
    """``count(outcome, spans)`` is told how many spans were ``exported`` or ``dropped``."""

    def __init__(
        self, settings: OtlpSettings, resource: Mapping[str, object], version: str, count: Callable[[str, int], None]
    ) -> None:
        self._settings = settings
        self._resource = resource
        self._version = version
        self._count = count
        url = urlsplit(settings.url)
        self._origin = f"{url.scheme}://{url.netloc}"
        self._path = url._replace(scheme="", netloc="", fragment="").geturl() or "/"
        self._headers = {"content-type": "application/x-protobuf", **settings.headers}
        if settings.gzip:
            self._headers["content-encoding"] = "gzip"
        self._message, self._scope = self._empty()
        self._size = 0
        self._full = asyncio.Event()
        self._closing = asyncio.Event()
        self._down = False
        self._resting = False
        self._dropped = 0

    def new_span(self) -> Span | None:
        """An empty span of the next batch, to be filled at once; None while there is no collector or no room."""
        if self._resting or self._size >= self._settings.queue:
            self._drop(1)
            return None
        self._size += 1
        if self._size == self._settings.batch:
            self._full.set()
        return self._scope.spans.add()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At the end it sends the rest, but does not wait long for it."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._closing.set()
            self._full.set()
            await asyncio.wait({task}, timeout=CLOSE_WITHIN_S)
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        """Sends what is there, every few seconds or sooner when a batch is full."""
        client = http1.Client(connect_s=self._settings.timeout_s, tls=self._settings.tls)
        try:
            while self._size or not self._closing.is_set():
                await _wait(self._full, self._settings.every_s)
                if self._size:
                    await self._deliver(client, *self.take())
        finally:
            await client.close()

    async def _deliver(self, client: http1.Client, body: bytes, spans: int) -> None:
        rest_s = FIRST_REST_S
        while (trouble := await self._post(client, body)) is not None:
            self._tell_down(trouble)
            if self._closing.is_set() or not trouble.worth_retrying:
                self._drop(spans)
                return
            self._resting = True
            await _wait(self._closing, min(max(rest_s, trouble.retry_after_s or 0.0), LONGEST_REST_S))
            self._resting = False
            rest_s *= 2
        self._count("exported", spans)
        self._tell_up()

    async def _post(self, client: http1.Client, body: bytes) -> _Trouble | None:
        data = await asyncio.to_thread(gzip.compress, body) if self._settings.gzip else body
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                answer = await client.request("POST", self._origin, self._path, self._headers, data)
                said = await _said(answer)
        except (OSError, TimeoutError) as error:
            return _Trouble(type(error).__name__, worth_retrying=True)
        if 200 <= answer.status < 300:
            self._note_rejected(said)
            return None
        retry_after = answer.headers.get("retry-after", "")
        return _Trouble(
            f"it answered {answer.status}",
            answer.status in _WORTH_RETRYING,
            float(retry_after) if retry_after.isdecimal() else None,
        )

    def _note_rejected(self, body: bytes) -> None:
        try:
            rejected = ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans
        except DecodeError:
            return  # some receivers answer with words; they took the spans
        if rejected > 0:
            log.warning("the collector rejected spans", extra={"spans": rejected})

    def _tell_down(self, trouble: _Trouble) -> None:
        if not self._down:
            where = {"collector": self._settings.shown, "reason": trouble.reason}
            log.warning("spans cannot be exported; serving goes on without them", extra=where)
        self._down = True

    def _tell_up(self) -> None:
        if self._down:
            log.warning("spans are exported again", extra={"dropped": self._dropped})
        self._down, self._dropped = False, 0

    def _drop(self, spans: int) -> None:
        self._dropped += spans
        self._count("dropped", spans)

    def take(self) -> tuple[bytes, int]:
        """The spans so far: encoded, and how many. The next one begins a new batch."""
        body, spans = self._message.SerializeToString(), self._size
        self._message, self._scope = self._empty()
        self._size = 0
        if not self._closing.is_set():
            self._full.clear()
        return body, spans

    def _empty(self) -> tuple[ExportTraceServiceRequest, ScopeSpans]:
        message = ExportTraceServiceRequest()
        resource_spans = message.resource_spans.add()
        for key, value in self._resource.items():
            resource_spans.resource.attributes.add(key=key).value.string_value = str(value)
        scope = resource_spans.scope_spans.add()
        scope.scope.name, scope.scope.version = _SCOPE, self._version
        return message, scope


async def _said(answer: http1.Response) -> bytes:
    """Nothing where it is longer than a collector's answer is."""
    try:
        return await whole_body(answer.read, _LONGEST_ANSWER)
    except BackendError:
        return b""
    finally:
        answer.close()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
