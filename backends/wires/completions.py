"""OpenAI's completions: a chat without messages, whose choices carry ``text``."""

from backends.wires.chat import ChatStream, whole_usage
from backends.wires.wire import Wire

WIRE = Wire("completions", "/v1/completions", ChatStream, whole_usage, usage_on_request=True)
