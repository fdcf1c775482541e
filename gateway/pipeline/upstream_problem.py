"""What a client is told of an upstream's failure, and which failures are worth another try."""

from backends.backend import BackendError
from gateway.pipeline.retry import MAX_RETRIES
from gateway.problem import Passthrough, Problem

_RETRIED_STATUSES = frozenset((408, 429, 500, 502, 503, 504, 529))
_CLIENTS_OWN_STATUSES = frozenset((400, 409, 413, 415, 422))


def most_retries(error: BackendError) -> int:
    """An upstream's answer to a bad request would be the same everywhere. What is no answer was made all the same: it
    is asked for once more.
    """
    if error.kind == "malformed":
        return 1
    worth = error.kind != "status" or error.status is None or error.status in _RETRIED_STATUSES
    return MAX_RETRIES if worth else 0


def to_problem(error: BackendError, retry_after: float | None = None, continued: str | None = None) -> Problem:
    """``retry_after``: the shortest wait that any attempt was told, in seconds. ``continued``: the kept response that
    the request names.
    """
    if error.kind == "refused":
        message = f"The model server cannot be reached ({error}). Try again shortly, or ask for another model."
        return Problem(503, "upstream_unreachable", message, retry_after=retry_after or 2)
    if error.kind == "timeout":
        return Problem(504, "upstream_timeout", f"The model server was too slow: {error}.")
    if error.kind != "status" or error.status is None:
        return Problem(502, "upstream_broken", f"The model server's answer broke: {error}.", retry_after=1)
    if error.status == 404 and continued is not None:
        message = "The model server does not have the response that this goes on from. Send the whole conversation."
        return Problem(404, "response_not_found", message, param="previous_response_id", passthrough=_said(error))
    return _of_status(error, error.status, retry_after)


def _of_status(error: BackendError, status: int, retry_after: float | None) -> Problem:
    passthrough = _said(error)
    if status in _CLIENTS_OWN_STATUSES:
        return Problem(status, "upstream_refused", str(error), passthrough=passthrough)
    if status == 429:
        message = "The model server limits its rate. Wait as Retry-After says."
        return Problem(429, "upstream_rate_limit", message, retry_after=retry_after, passthrough=passthrough)
    if status == 529:
        return Problem(529, "upstream_unavailable", f"{error}.", retry_after=retry_after or 1, passthrough=passthrough)
    if status == 503:
        return Problem(503, "upstream_unavailable", f"{error}.", retry_after=retry_after or 1)
    return Problem(502, "upstream_error", f"The model server failed: {error}.", retry_after=retry_after or 1)


def _said(error: BackendError) -> Passthrough | None:
    return Passthrough(error.body, error.content_type) if error.body else None
