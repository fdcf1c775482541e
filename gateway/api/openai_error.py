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


def body(problem: Problem) -> bytes:
    """``{"error": {"message", "type", "param", "code"}}`` as the SDKs read it."""
    kind = _TYPES.get(problem.status, "invalid_request_error" if problem.status < 500 else "upstream_error")
    error = {"message": problem.message, "type": kind, "param": problem.param, "code": problem.code}
    return msgspec.json.encode({"error": error})


def response(problem: Problem) -> tuple[int, Headers, bytes]:
    """Status, headers and body of a problem's answer."""
    passed = problem.passthrough
    content_type = passed.content_type if passed else "application/json"
    headers = [(b"content-type", content_type.encode("latin-1", "replace"))]
    retry_after = problem.retry_after
    if retry_after is None and problem.status in _AGAIN_LATER:
        retry_after = 1.0  # clients without a hint retry at once and all together
    if retry_after is not None:
        headers.append((b"retry-after", str(max(1, math.ceil(retry_after))).encode()))
    return problem.status, headers, passed.body if passed else body(problem)


def event(problem: Problem) -> bytes:
    """An error event for a stream that has begun. No ``[DONE]`` follows it."""
    return b"data: " + body(problem) + b"\n\n"
