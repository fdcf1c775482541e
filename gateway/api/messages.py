"""``POST /v1/messages`` and ``POST /v1/messages/count_tokens``."""

from gateway.api import anthropic_error, keep_alive
from gateway.api.wire import ClientWire

_FORWARDED = (b"anthropic-version", b"anthropic-beta")

WIRE = ClientWire(
    "messages",
    "/v1/messages",
    anthropic_error.response,
    anthropic_error.event,
    output_limits=("max_tokens",),
    forwarded=_FORWARDED,
    keep_alive=keep_alive.PING,
)
COUNT_TOKENS = ClientWire(
    "count_tokens",
    "/v1/messages/count_tokens",
    anthropic_error.response,
    anthropic_error.event,
    forwarded=_FORWARDED,
)
