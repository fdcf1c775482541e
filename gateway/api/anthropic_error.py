"""Problems in Anthropic's error shape, whole and as a stream event."""

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
    status, headers, passed = openai_error.response(problem)
    return status, headers, passed if problem.passthrough else body(problem)


def event(problem: Problem) -> bytes:
    """An error event for a stream that has begun. No ``message_stop`` follows it."""
    return b"event: error\ndata: " + body(problem) + b"\n\n"
