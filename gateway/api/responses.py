"""``POST /v1/responses``."""

import msgspec

from gateway.api import keep_alive, openai_error
from gateway.api.wire import ClientWire
from gateway.problem import Problem


def _event(problem: Problem) -> bytes:
    """The wire's own error event. No ``response.completed`` follows it."""
    said = {"type": "error", "code": problem.code, "message": problem.message, "param": problem.param}
    return b"event: error\ndata: " + msgspec.json.encode(said) + b"\n\n"


WIRE = ClientWire(
    "responses",
    "/v1/responses",
    openai_error.response,
    _event,
    output_limits=("max_output_tokens",),
    keep_alive=keep_alive.COMMENT,
)
