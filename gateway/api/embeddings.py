"""``POST /v1/embeddings``."""

from gateway.api import openai_error
from gateway.api.wire import ClientWire

WIRE = ClientWire("embeddings", "/v1/embeddings", openai_error.response, openai_error.event)
