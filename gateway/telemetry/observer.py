"""What operators see of a request: metrics as it happens, a log line and spans when it is over."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from backends.backend import Call, WireName
from backends.route import Route
from gateway.config.config import Telemetry
from gateway.ledger.events import Settled
from gateway.problem import Problem
from gateway.telemetry.client_retries import ClientRetries, own_count
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.otlp_settings import OtlpSettings, otlp_settings
from gateway.telemetry.request_log import RequestLog
from policies.decide import Decision

if TYPE_CHECKING:
    from gateway.telemetry.tracing import Tracing


def make_observer(metrics: Metrics, config: Telemetry, env: Mapping[str, str]) -> "Observer":
    """``env`` may hold OpenTelemetry's variables."""
    settings = otlp_settings(config.otlp_endpoint, env)
    tracing = _tracing(settings, metrics, config.capture_content) if settings is not None else None
    return Observer(metrics, RequestLog() if config.request_log else None, tracing)


def _tracing(settings: OtlpSettings, metrics: Metrics, capture_content: bool) -> "Tracing":
    """The seam behind which OpenTelemetry's SDK is loaded: only where spans are sent somewhere."""
    from gateway.telemetry.tracing import Tracing  # noqa: PLC0415

    return Tracing(settings, metrics.spans, capture_content=capture_content)


class Observer:
    """One a worker. Without ``tracing`` there are no spans, and trace headers go upstream as they came."""

    def __init__(self, metrics: Metrics, request_log: RequestLog | None, tracing: "Tracing | None") -> None:
        self.metrics = metrics
        self.request_log = request_log
        self.client_retries = ClientRetries()
        self._tracing = tracing
        self.tracer = tracing.tracer if tracing is not None else None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Spans are exported meanwhile, the last ones at the end."""
        if self._tracing is None:
            yield
            return
        async with self._tracing.running():
            yield

    def begin(self, headers: Sequence[tuple[bytes, bytes]], wire: WireName) -> "Observation":
        """``headers`` are the client's. ``Observation.ended`` must follow."""
        self.metrics.in_flight.inc()
        return Observation(self, headers, wire)

    def refused(self, problem: Problem, headers: Sequence[tuple[bytes, bytes]], wire: WireName | None = None) -> None:
        """A request that was turned away at the gate; ``wire`` None: it was none for a model."""
        self.metrics.problem(problem.code)
        if wire is not None and own_count(headers):
            self.metrics.client_retried(wire)
        if self.request_log is not None:
            self.request_log.write(None, problem, None)


class Observation:
    """One request. It is reported once: when its last byte has gone out, and its row is known if it is to have one."""

    __slots__ = (
        "_answer",
        "_asked",
        "_ended_ns",
        "_headers",
        "_observer",
        "_opened",
        "_problem",
        "_row",
        "_trace",
        "_wire",
    )

    def __init__(self, observer: Observer, headers: Sequence[tuple[bytes, bytes]], wire: WireName) -> None:
        self._observer = observer
        self._headers = headers
        self._wire = wire
        self._asked: tuple[str, bytes] | None = None
        self._trace = observer.tracer.begin(headers, wire) if observer.tracer is not None else None
        self._problem: Problem | None = None
        self._answer: tuple[Call, list[bytes]] | None = None
        self._row: Settled | None = None
        self._opened = False
        self._ended_ns: int | None = None

    def received(self, tenant: str, body: bytes) -> None:
        """All of it is here."""
        retries = self._observer.client_retries
        self._asked = (tenant, body)
        counted = own_count(self._headers)
        if counted if counted is not None else retries.repeats(tenant, body):
            self._observer.metrics.client_retried(self._wire)

    def decided(self, decision: Decision | None) -> None:
        """None: the client named its route."""
        if self._trace is not None:
            self._trace.decision = decision

    def opened(self) -> None:
        """It goes upstream, so ``settled`` will follow: after ``ended`` where others read the flight to its end."""
        self._opened = True

    def onward(self, call: Call, route: Route) -> Call:
        """What the next attempt, at ``route``, sends: ``call`` in the trace's context."""
        return call if self._trace is None else self._trace.onward(call, route)

    def answered(self, call: Call, pieces: list[bytes]) -> None:
        self._answer = (call, pieces)

    def settled(self, row: Settled) -> None:
        self._row = row
        self._observer.metrics.settled(row)
        if self._ended_ns is not None:
            self._report(self._ended_ns)

    def failed(self, problem: Problem) -> None:
        """The client is told of it."""
        self._problem = problem
        self._observer.metrics.problem(problem.code)
        if self._asked is not None:
            self._observer.client_retries.failed(*self._asked)

    def ended(self) -> None:
        """The client has everything, or is gone."""
        self._observer.metrics.in_flight.dec()
        self._ended_ns = time.time_ns()
        if self._row is not None or not self._opened:
            self._report(self._ended_ns)

    def _report(self, ended_ns: int) -> None:
        trace, row, problem = self._trace, self._row, self._problem
        if self._observer.request_log is not None:
            self._observer.request_log.write(row, problem, trace.id if trace is not None else None)
        if trace is not None and self._observer.tracer is not None:
            self._observer.tracer.end(trace, ended_ns, row, problem, self._answer)
        self._answer = None
