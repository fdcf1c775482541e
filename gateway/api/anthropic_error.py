"""Problems in Anthropic's error shape, whole and as a stream event."""

from typing import Literal

import msgspec

from gateway.api import openai_error
from gateway.api.http import Headers
from gateway.problem import Problem

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def body(problem: Problem) -> bytes:
    """``{"type": "error", "error": {"type", "message"}}`` as Anthropic's SDKs read it."""
    kind = _TYPES.get(problem.status, "invalid_request_error" if problem.status < 500 else "api_error")
    return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": problem.message}})


def response(problem: Problem) -> tuple[int, Headers, bytes]:
    """Status, headers and body of a problem's answer."""
    if (passed := problem.passthrough) is not None:
        return problem.status, openai_error.headers(problem, passed.content_type), passed.body
    return problem.status, openai_error.headers(problem, "application/json"), body(problem)


def event(problem: Problem) -> bytes:
    """An error event for a stream that has begun, the provider's own where it said so. No ``message_stop`` follows."""
    return b"event: error\ndata: " + (_theirs(problem) or body(problem)) + b"\n\n"


class _Error(msgspec.Struct):
    """As the wire has it, whole or in a stream."""

    type: Literal["error"]


def _theirs(problem: Problem) -> bytes | None:
    """On one line; None where the upstream's words are not of this wire."""
    if problem.passthrough is None:
        return None
    try:
        msgspec.json.decode(problem.passthrough.body, type=_Error)
    except (msgspec.DecodeError, RecursionError):
        return None
    return msgspec.json.format(problem.passthrough.body, indent=-1)
