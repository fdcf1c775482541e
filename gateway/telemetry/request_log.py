"""A JSON line a request on standard error: what the ledger's row says, and nothing that anybody wrote or keeps secret.

Written past ``logging``, which would cost as much as the rest of a request's telemetry.
"""

import contextlib
import os
from datetime import UTC, datetime

import msgspec
from msgspec import UNSET, UnsetType

from gateway.ledger.events import Settled
from gateway.problem import Problem

_STANDARD_ERROR = 2


class RequestLine(msgspec.Struct, frozen=True):
    """What does not apply is left out. Times are milliseconds; ``status`` is HTTP's, 499 where the client left."""

    at: datetime
    status: int
    outcome: str
    """The ledger's word, or the code of the problem that kept the request out of the ledger."""
    level: str = "info"
    logger: str = "weighbridge.request"
    message: str = "request"
    trace_id: str | UnsetType = UNSET
    request_id: str | UnsetType = UNSET
    session: str | UnsetType = UNSET
    wire: str | UnsetType = UNSET
    asked: str | UnsetType = UNSET
    """A configured name: who asks for another is refused before there is a row."""
    policy: str | UnsetType = UNSET
    route: str | UnsetType = UNSET
    revision: str | UnsetType = UNSET
    cache: str | UnsetType = UNSET
    streamed: bool | UnsetType = UNSET
    input_tokens: int | UnsetType = UNSET
    output_tokens: int | UnsetType = UNSET
    cached_input_tokens: int | UnsetType = UNSET
    cache_write_tokens: int | UnsetType = UNSET
    cost_nanousd: int | UnsetType = UNSET
    ttft_ms: float | UnsetType = UNSET
    total_ms: float | UnsetType = UNSET
    attempts: int | UnsetType = UNSET


def request_line(row: Settled | None, problem: Problem | None, trace_id: str | None) -> RequestLine:
    """``row`` None: the request was refused, or its client gone, before it could cost anything."""
    now, trace = datetime.now(UTC), trace_id or UNSET
    if row is None:
        status, outcome = (problem.status, problem.code) if problem is not None else (499, "client_left")
        return RequestLine(now, status, outcome, trace_id=trace)
    return RequestLine(
        now,
        row.status,
        row.outcome,
        trace_id=trace,
        request_id=row.id,
        session=UNSET if row.session is None else row.session,
        wire=row.wire,
        asked=row.asked,
        policy=row.policy,
        route=row.route,
        revision=row.revision,
        cache=row.cache,
        streamed=row.streamed,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cached_input_tokens=row.cached_input_tokens,
        cache_write_tokens=row.cache_write_tokens or UNSET,
        cost_nanousd=row.cost_nanousd,
        ttft_ms=UNSET if row.ttft_ms is None else round(row.ttft_ms, 1),
        total_ms=round(row.total_ms, 1),
        attempts=len(row.attempts),
    )


class RequestLog:
    def __init__(self, file: int = _STANDARD_ERROR) -> None:
        """``file`` is a descriptor; a line is one write, so that the lines of several workers do not mix."""
        self._file = file
        self._encode = msgspec.json.Encoder().encode

    def write(self, row: Settled | None, problem: Problem | None, trace_id: str | None) -> None:
        with contextlib.suppress(OSError):  # nobody reads the log: there is nowhere to say so
            os.write(self._file, self._encode(request_line(row, problem, trace_id)) + b"\n")
