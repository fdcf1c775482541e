"""``POST /v1/completions``."""

from gateway.api import keep_alive, openai_error
from gateway.api.wire import ClientWire

WIRE = ClientWire(
    "completions",
    "/v1/completions",
    openai_error.response,
    openai_error.event,
    output_limits=("max_tokens",),
    has_stream_options=True,
    keep_alive=keep_alive.COMMENT,
)
