"""Problems in OpenAI's error shape, whole and as a stream event."""

import math

import msgspec

from gateway.problem import Problem

Headers = list[tuple[bytes, bytes]]

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    408: "timeout_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
}
_AGAIN_LATER = frozenset((429, 503, 529))
_OVERLOADED = 529
"""Anthropic's own. OpenAI says 503 for it, with a code of its own, which Codex shows as "at capacity"."""


def body(problem: Problem) -> bytes:
    """``{"error": {"message", "type", "param", "code"}}`` as the SDKs read it."""
    kind = _TYPES.get(problem.status, "invalid_request_error" if problem.status < 500 else "upstream_error")
    code = "server_is_overloaded" if problem.status == _OVERLOADED else problem.code
    error = {"message": problem.message, "type": kind, "param": problem.param, "code": code}
    return msgspec.json.encode({"error": error})


def response(problem: Problem) -> tuple[int, Headers, bytes]:
    """Status, headers and body of a problem's answer."""
    if problem.status == _OVERLOADED:
        return 503, headers(problem, "application/json"), body(problem)
    if (passed := problem.passthrough) is not None:
        return problem.status, headers(problem, passed.content_type), passed.body
    return problem.status, headers(problem, "application/json"), body(problem)


def headers(problem: Problem, content_type: str) -> Headers:
    """Of a problem's answer, on every wire."""
    told = [(b"content-type", content_type.encode("latin-1", "replace"))]
    retry_after = problem.retry_after
    if retry_after is None and problem.status in _AGAIN_LATER:
        retry_after = 1.0  # clients without a hint retry at once and all together
    if retry_after is not None:
        told.append((b"retry-after", str(max(1, math.ceil(retry_after))).encode()))
    if not problem.worth_retrying:
        told.append((b"x-should-retry", b"false"))  # SDKs would try again in a second or two
    return told


def event(problem: Problem) -> bytes:
    """An error event for a stream that has begun. No ``[DONE]`` follows it."""
    return b"data: " + body(problem) + b"\n\n"
