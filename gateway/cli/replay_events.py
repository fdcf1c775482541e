"""Judged samples as OpenTelemetry knows them: an event `gen_ai.evaluation.result` each, on a span of the sample's own.

What the gateway did for the sample hangs below that span, as the request carried its trace context. Both are sent in
batches while the replay goes on; what the collector does not take is counted, and the replay goes on without it.
Importing this loads OpenTelemetry's SDK: it is done where there is a collector.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from importlib.metadata import version

import httpx
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import SEVERITY_NUMBER_INFO, LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource

from evaluator.replaying.plan import Plan
from evaluator.store.records import Outcome, Sample
from evaluator.verdict import Status
from gateway.telemetry import names
from gateway.telemetry.otlp_settings import OtlpSettings

_SERVICE = "weighbridge-replay"
_SCOPE = "weighbridge"
_METRIC = "pass"
_EVERY_S = 2.0
_BATCH = 256
_SAMPLED = 0x01

Attributes = Mapping[str, str | int | float | None]
"""None: it has no such attribute."""


class EvaluationEvents:
    """``spans`` None: only events are sent."""

    def __init__(self, plan: Plan, run_id: str, events: OtlpSettings, spans: OtlpSettings | None) -> None:
        self._plan = plan
        self._run_id = run_id
        self._events = events
        self._spans = spans
        self._waiting: list[tuple[Sample, Outcome]] = []
        self._resource = _resource()
        self.lost = 0
        """Samples whose event no collector took."""
        self.trouble = ""

    def take(self, sample: Sample, outcome: Outcome) -> None:
        """A sample that was judged just now."""
        self._waiting.append((sample, outcome))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sends meanwhile, and the last ones at the end."""
        sending = asyncio.create_task(self._send_now_and_then())
        try:
            yield
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending
            await self._send()

    async def _send_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            await self._send()

    async def _send(self) -> None:
        while batch := self._waiting[:_BATCH]:
            del self._waiting[:_BATCH]
            logs, traces = self._logs(batch), self._traces(batch)
            try:
                if self._spans is not None and traces.resource_spans:
                    await _post(self._spans, traces.SerializeToString())
                await _post(self._events, logs.SerializeToString())
            except httpx.HTTPError as error:
                self.lost += len(batch) + len(self._waiting)  # nothing piles up for a collector that is gone
                self._waiting.clear()
                self.trouble = f"{type(error).__name__}: {error}".removesuffix(": ")

    def _logs(self, batch: list[tuple[Sample, Outcome]]) -> ExportLogsServiceRequest:
        request = ExportLogsServiceRequest()
        resource = request.resource_logs.add()
        resource.resource.attributes.extend(_pairs(self._resource))
        scope = resource.scope_logs.add()
        scope.scope.name = _SCOPE
        scope.log_records.extend(self._record(sample, outcome) for sample, outcome in batch)
        return request

    def _traces(self, batch: list[tuple[Sample, Outcome]]) -> ExportTraceServiceRequest:
        request = ExportTraceServiceRequest()
        resource = request.resource_spans.add()
        resource.resource.attributes.extend(_pairs(self._resource))
        scope = resource.scope_spans.add()
        scope.scope.name = _SCOPE
        scope.spans.extend(self._span(sample, outcome) for sample, outcome in batch if sample.trace)
        return request

    def _record(self, sample: Sample, outcome: Outcome) -> LogRecord:
        record = LogRecord(
            time_unix_nano=_nanoseconds(sample) + int((sample.total_ms or 0) * 1_000_000),
            severity_number=SEVERITY_NUMBER_INFO,
            event_name=names.GEN_AI_EVALUATION_RESULT,
        )
        if sample.trace:
            record.trace_id, record.span_id = _ids(sample.trace)
            record.flags = _SAMPLED
        scored = outcome.status.scored
        result: Attributes = {
            names.GEN_AI_EVALUATION_NAME: _METRIC,
            names.GEN_AI_EVALUATION_SCORE_VALUE: float(outcome.status is Status.PASS) if scored else None,
            names.GEN_AI_EVALUATION_SCORE_LABEL: outcome.status.value,
            names.GEN_AI_EVALUATION_EXPLANATION: outcome.detail or None,
            names.ERROR_TYPE: None if scored else outcome.status.value,
        }
        record.attributes.extend(_pairs({**result, **self._about(sample)}))
        return record

    def _span(self, sample: Sample, outcome: Outcome) -> Span:
        started = _nanoseconds(sample)
        span = Span(
            name=f"replay {self._plan.suite_name}",
            kind=Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=started,
            end_time_unix_nano=started + int((sample.total_ms or 0) * 1_000_000),
            flags=_SAMPLED,
        )
        span.trace_id, span.span_id = _ids(sample.trace)
        span.attributes.extend(_pairs({**self._about(sample), names.WEIGHBRIDGE_OUTCOME: outcome.status.value}))
        return span

    def _about(self, sample: Sample) -> Attributes:
        return {
            names.WEIGHBRIDGE_RUN_ID: self._run_id,
            names.WEIGHBRIDGE_SUITE: self._plan.suite_name,
            names.WEIGHBRIDGE_TASK_ID: sample.task_id,
            names.WEIGHBRIDGE_SAMPLE: sample.sample,
            names.WEIGHBRIDGE_LANGUAGE: sample.language or None,
            names.WEIGHBRIDGE_ROUTE: sample.route,
            names.WEIGHBRIDGE_REVISION: sample.revision,
            names.WEIGHBRIDGE_REQUEST_ID: sample.request_ids[-1] if sample.request_ids else None,
        }


async def _post(settings: OtlpSettings, message: bytes) -> None:
    """Raises httpx.HTTPError."""
    headers = {"content-type": "application/x-protobuf", **settings.headers}
    verify = settings.tls if settings.tls is not None else True
    async with httpx.AsyncClient(timeout=settings.timeout_s, verify=verify) as http:
        (await http.post(settings.url, content=message, headers=headers)).raise_for_status()


def _resource() -> Attributes:
    """What the environment says, and our name where it names no service."""
    found = Resource.create()
    named = {key: value for key, value in found.attributes.items() if isinstance(value, str | int | float)}
    if str(named.get(names.SERVICE_NAME, "")).startswith("unknown_service"):
        named |= {names.SERVICE_NAME: _SERVICE, names.SERVICE_VERSION: version("weighbridge")}
    return named


def _nanoseconds(sample: Sample) -> int:
    return int(datetime.fromisoformat(sample.asked_at).timestamp() * 1_000_000_000)


def _ids(traceparent: str) -> tuple[bytes, bytes]:
    """Of the trace and of the span, from a W3C `traceparent`."""
    _, trace_id, span_id, _ = traceparent.split("-")
    return bytes.fromhex(trace_id), bytes.fromhex(span_id)


def _pairs(attributes: Attributes) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in attributes.items() if value is not None]


def _value(value: str | float) -> AnyValue:
    if isinstance(value, str):
        return AnyValue(string_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(double_value=value)
