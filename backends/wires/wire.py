"""What a backend must know of a wire to forward it: where it goes, what its answers used, whether they are complete."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from backends.backend import Piece, WireName
from backends.usage import Usage, UsageSource


class WireStream(Protocol):
    """Follows one streamed answer, event by event. Nothing is rewritten."""

    @property
    def finished(self) -> bool:
        """The answer is complete."""
        ...

    @property
    def usage(self) -> Usage | None: ...

    @property
    def usage_source(self) -> UsageSource: ...

    def read(self, frame: bytes) -> Piece:
        """What one event is to the client; no data where it is not the client's.

        Raises ``BackendError`` for what is no event of this wire, and for an upstream's error event, its body the
        event's own data.
        """
        ...

    def ending(self) -> list[Piece]:
        """What clients wait for after the last event, where the upstream left it out."""
        ...


@dataclass(frozen=True, slots=True)
class Wire:
    name: WireName
    path: str
    """Below a server's address."""
    stream: Callable[[bool], WireStream]
    """``stream(include_usage)``: whether the client asked for a usage event of its own."""
    whole_usage: Callable[[bytes], Usage | None]
    """Of a whole answer; None where it names none. Raises ``BackendError`` unless it is JSON of this wire."""
    usage_on_request: bool = False
    """A stream says what it used only when ``stream_options`` ask for it."""
