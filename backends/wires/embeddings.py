"""OpenAI's embeddings: never streamed."""

from backends.wires.chat import ChatStream, whole_usage
from backends.wires.wire import Wire

WIRE = Wire("embeddings", "/v1/embeddings", ChatStream, whole_usage)
