"""What is its own in each wire that clients speak; ``generation`` does the rest."""

from collections.abc import Callable
from dataclasses import dataclass

from backends.backend import WireName
from gateway.api.http import Headers
from gateway.problem import Problem


@dataclass(frozen=True, slots=True)
class ClientWire:
    """``refuse`` gives a problem's status, headers and body; ``error_event`` what ends a stream that broke."""

    name: WireName
    path: str
    refuse: Callable[[Problem], tuple[int, Headers, bytes]]
    error_event: Callable[[Problem], bytes]
    output_limits: tuple[str, ...] = ()
    """Fields that bound the answer's tokens; the first that is there counts."""
    forwarded: tuple[bytes, ...] = ()
    """Client headers that go upstream because they can change the answer, in lower case."""
    has_stream_options: bool = False
    keep_alive: bytes = b""
    """What says to a stream's client that the answer is on its way; none where the wire has no streams."""
