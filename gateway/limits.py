"""What bounds a request, in seconds and bytes."""

from dataclasses import dataclass
from typing import Literal

WhenUnavailable = Literal["deny", "allow"]
Across = Literal["none", "whole", "all"]
"""Which answers are waited for that another worker, or gateway, is making: those that come as a whole, or streams too,
which then begin only when they are complete there.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    max_body_bytes: int = 32 * 1024 * 1024
    max_answer_bytes: int = 32 * 1024 * 1024
    receive_s: float = 30.0
    connect_s: float = 5.0
    first_token_s: float = 120.0
    gap_s: float = 60.0
    keep_alive_s: float = 15.0
    total_s: float = 900.0
    active: int = 5000
    """Requests that a worker serves at once."""
    queue: int = 5000
    """Those that may wait for that."""
    queue_s: float = 10.0
    when_unavailable: WhenUnavailable = "deny"
    """What becomes of a limited key's requests while Valkey does not say whether they are within its limits."""
    media_hosts: tuple[str, ...] = ()
    """Whose media a request may link to: `example.com`, `*.example.com`, or `*`: any host outside the house."""
