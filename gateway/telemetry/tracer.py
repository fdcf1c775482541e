"""Spans by hand: one for the request as the server, one for each attempt as a client.

OpenTelemetry's SDK says what is sampled, which ids there are and what the resource is. Its span objects and encoder
take a third of a millisecond of CPU a request, so a span here is written once, when it is over, straight into the OTLP
message that is sent: first a part that many spans have in common and that was encoded before, then what is its own.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import SpanContext, SpanKind, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from backends.backend import TRACE_HEADERS, Call, WireName
from backends.route import Route
from backends.wires import WIRES
from gateway.ledger.events import AttemptDetail, Settled
from gateway.problem import Problem
from gateway.telemetry import chat_content, names
from policies.decide import Decision as RouteDecision

_TRACE_HEADERS = {name.encode(): name for name in TRACE_HEADERS}
_METHOD = "POST"
_SAMPLED = 0x01
_REMOTE_KNOWN, _REMOTE = 0x100, 0x200
_MOST_SHARED_PARTS = 4096

Attribute = str | int | float | bool
Attributes = Mapping[str, Attribute | None]
"""None: there is no such attribute on this span."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    span_id: int
    started_ns: int
    route: Route


class Trace:
    """One request's place in its trace, from its beginning on. Times are Unix nanoseconds."""

    __slots__ = (
        "_new_span_id",
        "attempts",
        "decision",
        "id",
        "parent",
        "sampled",
        "span_id",
        "started_ns",
        "state",
        "wire",
    )

    def __init__(
        self,
        wire: WireName,
        trace_id: int,
        parent: SpanContext | None,
        sampled: bool,
        state: str,
        new_span_id: Callable[[], int],
    ) -> None:
        self.wire = wire
        self._new_span_id = new_span_id
        self.started_ns = time.time_ns()
        self.id = f"{trace_id:032x}"
        self.span_id = new_span_id()
        self.parent = parent
        self.sampled = sampled
        self.state = state
        self.attempts: list[_Attempt] = []
        self.decision: RouteDecision | None = None

    def onward(self, call: Call, route: Route) -> Call:
        """An attempt at ``route`` begins: the call says that it comes from the attempt's span."""
        span_id = self._new_span_id()
        self.attempts.append(_Attempt(span_id, time.time_ns(), route))
        headers = {name: value for name, value in call.headers.items() if name not in TRACE_HEADERS}
        headers["traceparent"] = f"00-{self.id}-{span_id:016x}-{_SAMPLED if self.sampled else 0:02x}"
        if self.state:
            headers["tracestate"] = self.state
        return replace(call, headers=headers)


class Tracer:
    def __init__(self, provider: TracerProvider, new_span: Callable[[], Span | None], *, capture_content: bool) -> None:
        """``new_span`` gives an empty span of the message that is sent next, or None where none can be sent."""
        self._sampler = provider.sampler
        self._ids = provider.id_generator
        self._new_span = new_span
        self._capture_content = capture_content
        self._propagator = TraceContextTextMapPropagator()
        self._shared_parts: dict[tuple[object, ...], bytes] = {}

    def begin(self, headers: Sequence[tuple[bytes, bytes]], wire: WireName) -> Trace:
        """The client's headers may say which trace this request belongs to."""
        carrier = {_TRACE_HEADERS[name]: value.decode("latin-1") for name, value in headers if name in _TRACE_HEADERS}
        context = self._propagator.extract(carrier) if carrier else None
        found = get_current_span(context).get_span_context() if context is not None else None
        parent = found if found is not None and found.is_valid else None
        trace_id = parent.trace_id if parent is not None else self._ids.generate_trace_id()
        sampling = self._sampler.should_sample(context, trace_id, _server_span(wire), SpanKind.SERVER)
        sampled = sampling.decision is Decision.RECORD_AND_SAMPLE
        state = sampling.trace_state.to_header() if sampling.trace_state else ""
        return Trace(wire, trace_id, parent, sampled, state, self._ids.generate_span_id)

    def end(
        self,
        trace: Trace,
        ended_ns: int,
        row: Settled | None,
        problem: Problem | None,
        answer: tuple[Call, list[bytes]] | None,
    ) -> None:
        if not trace.sampled:
            return
        for number, (attempt, detail) in enumerate(zip(trace.attempts, row.attempts if row else (), strict=False)):
            last = row if number + 1 == len(trace.attempts) else None
            self._client_span(trace, attempt, detail, number, last, answer)
        self._server_span(trace, ended_ns, row, problem)

    def _server_span(self, trace: Trace, ended_ns: int, row: Settled | None, problem: Problem | None) -> None:
        span = self._new_span()
        if span is None:
            return
        status = row.status if row is not None else problem.status if problem is not None else None
        code = problem.code if problem is not None else None
        place = (row.route, row.revision, row.policy, row.asked, row.cache, row.outcome) if row is not None else None
        key = ("server", trace.wire, status, code, place)
        span.MergeFromString(self._shared(key, lambda: _server_part(trace.wire, status, code, row)))
        _place(span, trace, trace.span_id, trace.started_ns, max(ended_ns, trace.started_ns))
        span.flags = _SAMPLED | _REMOTE_KNOWN
        if trace.parent is not None:
            span.parent_span_id = trace.parent.span_id.to_bytes(8)
            span.flags |= _REMOTE
        if trace.decision is not None:
            _add(span, _decided(trace.decision))
        if row is not None:
            _add(span, {
                names.WEIGHBRIDGE_REQUEST_ID: row.id,
                names.WEIGHBRIDGE_COST_NANOUSD: row.cost_nanousd,
                names.SESSION_ID: row.session,
            })  # fmt: skip

    def _client_span(
        self,
        trace: Trace,
        attempt: _Attempt,
        detail: AttemptDetail,
        number: int,
        row: Settled | None,
        answer: tuple[Call, list[bytes]] | None,
    ) -> None:
        """``row`` is the request's where this attempt is its last, so that its answer and usage are the request's."""
        span = self._new_span()
        if span is None:
            return
        asked, pieces = answer if answer is not None else (None, [])
        streamed = asked.stream if asked is not None else None
        served = (chat_content.served_model(pieces), row.usage_source) if row is not None and pieces else (None, None)
        place = (trace.wire, detail.route, detail.revision, detail.replica)
        key = (*place, detail.outcome, detail.status, number, streamed, *served)
        part = self._shared(key, lambda: _client_part(trace.wire, attempt.route, detail, number, streamed, *served))
        span.MergeFromString(part)
        _place(span, trace, attempt.span_id, attempt.started_ns, attempt.started_ns + int(detail.ms * 1_000_000))
        span.parent_span_id = trace.span_id.to_bytes(8)
        span.flags = _SAMPLED | _REMOTE_KNOWN
        _add(span, {names.WEIGHBRIDGE_COST_NANOUSD: detail.cost_nanousd})
        if row is not None and row.ttft_ms is not None:
            _add(span, _answered(row, attempt))
        if row is not None and self._capture_content and answer is not None:
            _add(span, chat_content.messages(*answer))

    def _shared(self, key: tuple[object, ...], make: Callable[[], Span]) -> bytes:
        part = self._shared_parts.get(key)
        if part is None:
            if len(self._shared_parts) >= _MOST_SHARED_PARTS:  # revisions come and go
                self._shared_parts.clear()
            part = self._shared_parts[key] = make().SerializeToString()
        return part


def _server_span(wire: WireName) -> str:
    return f"{_METHOD} {WIRES[wire].path}"


def _server_part(wire: WireName, status: int | None, code: str | None, row: Settled | None) -> Span:
    span = Span(name=_server_span(wire), kind=Span.SPAN_KIND_SERVER)
    error = code or (row.outcome if row is not None else None)
    failed = status is not None and (status >= 500 or (row is not None and row.outcome == "broken_stream"))
    _add(span, {
        names.HTTP_REQUEST_METHOD: _METHOD,
        names.HTTP_ROUTE: WIRES[wire].path,
        names.URL_PATH: WIRES[wire].path,
        names.URL_SCHEME: "http",
        names.HTTP_RESPONSE_STATUS_CODE: None if status == 499 else status,
        names.ERROR_TYPE: error if status is not None and (failed or 400 <= status != 499) else None,
    })  # fmt: skip
    if row is not None:
        _add(span, {
            names.WEIGHBRIDGE_ROUTE: row.route or None,
            names.WEIGHBRIDGE_REVISION: row.revision or None,
            names.WEIGHBRIDGE_POLICY: row.policy,
            names.WEIGHBRIDGE_ASKED: row.asked,
            names.WEIGHBRIDGE_CACHE: row.cache,
            names.WEIGHBRIDGE_OUTCOME: row.outcome,
        })  # fmt: skip
    if failed:
        span.status.code = Status.STATUS_CODE_ERROR
    return span


def _client_part(
    wire: WireName,
    route: Route,
    detail: AttemptDetail,
    number: int,
    streamed: bool | None,
    served: str | None,
    counted: str | None,
) -> Span:
    operation = names.OPERATIONS.get(wire, names.CHAT)
    span = Span(name=f"{operation} {route.model}", kind=Span.SPAN_KIND_CLIENT)
    where = urlsplit(detail.replica)
    failed = detail.outcome not in ("ok", "client_left", "rejected", "given_up", "hedged_out")
    status = 200 if detail.outcome in ("ok", "rejected") else detail.status
    _add(span, {
        names.GEN_AI_OPERATION_NAME: operation,
        names.GEN_AI_PROVIDER_NAME: names.PROVIDERS.get(route.backend, route.backend),
        names.GEN_AI_REQUEST_MODEL: route.model,
        names.GEN_AI_REQUEST_STREAM: streamed,
        names.GEN_AI_RESPONSE_MODEL: served,
        names.SERVER_ADDRESS: where.hostname,
        names.SERVER_PORT: where.port or {"http": 80, "https": 443}.get(where.scheme),
        names.HTTP_REQUEST_METHOD: _METHOD,
        names.HTTP_RESPONSE_STATUS_CODE: status,
        names.HTTP_REQUEST_RESEND_COUNT: number or None,
        names.ERROR_TYPE: (str(detail.status) if detail.outcome == "status" else detail.outcome) if failed else None,
        names.WEIGHBRIDGE_ROUTE: detail.route,
        names.WEIGHBRIDGE_REVISION: detail.revision,
        names.WEIGHBRIDGE_OUTCOME: detail.outcome,
        names.WEIGHBRIDGE_USAGE_SOURCE: counted,
    })  # fmt: skip
    if failed:
        span.status.code = Status.STATUS_CODE_ERROR
    return span


def _answered(row: Settled, attempt: _Attempt) -> Attributes:
    first_s = row.at - (row.total_ms - (row.ttft_ms or 0.0)) / 1000
    return {
        names.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: max(0.0, first_s - attempt.started_ns / 1e9),
        names.GEN_AI_USAGE_INPUT_TOKENS: row.input_tokens,
        names.GEN_AI_USAGE_OUTPUT_TOKENS: row.output_tokens,
        names.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: row.cached_input_tokens,
        names.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS: row.cache_write_tokens or None,
    }


def _decided(decision: RouteDecision) -> Attributes:
    kept = len(decision.routes)
    return {
        names.WEIGHBRIDGE_DECISION_KEPT: kept,
        names.WEIGHBRIDGE_DECISION_DROPPED: len(decision.compiled.candidates) - kept,
        names.WEIGHBRIDGE_DECISION_REASON: decision.reason,
    }


def _place(span: Span, trace: Trace, span_id: int, started_ns: int, ended_ns: int) -> None:
    span.trace_id = bytes.fromhex(trace.id)
    span.span_id = span_id.to_bytes(8)
    span.start_time_unix_nano = started_ns
    span.end_time_unix_nano = ended_ns
    if trace.state:
        span.trace_state = trace.state


def _add(span: Span, attributes: Attributes) -> None:
    add = span.attributes.add
    for key, value in attributes.items():
        if value is None:
            continue
        target = add(key=key).value
        if isinstance(value, str):
            target.string_value = value
        elif isinstance(value, bool):
            target.bool_value = value
        elif isinstance(value, int):
            target.int_value = value
        else:
            target.double_value = value
