"""The wires that clients and model servers speak, one file each."""

from collections.abc import Mapping, Sequence

import msgspec

from backends.backend import BackendError, WireName
from backends.wires import chat, completions, embeddings, messages, responses
from backends.wires.wire import Wire, WireStream

WIRES: Mapping[WireName, Wire] = {
    wire.name: wire
    for wire in (chat.WIRE, completions.WIRE, responses.WIRE, messages.WIRE, messages.COUNT_TOKENS, embeddings.WIRE)
}

__all__ = ["WIRES", "Wire", "WireStream", "not_spoken"]


def not_spoken(wire: WireName, spoken: Sequence[WireName]) -> BackendError:
    """What a backend raises for a wire that it cannot serve."""
    paths = " or ".join(WIRES[name].path for name in spoken)
    message = f"this route does not serve {WIRES[wire].path}; use {paths}, or another model"
    error = {"message": message, "type": "invalid_request_error", "param": "model", "code": "wire_not_spoken"}
    return BackendError("status", message, status=400, body=msgspec.json.encode({"error": error}))
