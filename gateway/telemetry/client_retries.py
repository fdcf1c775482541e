"""Whether a client sends a request again that failed: it counts itself, or sends the same body once more soon after.

Told for each worker by itself: a client that comes back on another connection may reach another one.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

_COUNT = b"x-stainless-retry-count"
_FIRST = frozenset((b"0", b""))
WITHIN_S = 60.0
MOST = 1024


class ClientRetries:
    """Remembers the last ``MOST`` requests that failed, by length; their bodies are hashed only then."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds."""
        self._clock = clock
        self._failed: OrderedDict[int, tuple[int, float]] = OrderedDict()

    def failed(self, tenant: str, body: bytes) -> None:
        self._failed[len(body)] = (hash((tenant, body)), self._clock())
        self._failed.move_to_end(len(body))
        if len(self._failed) > MOST:
            self._failed.popitem(last=False)

    def repeats(self, tenant: str, body: bytes) -> bool:
        """Whether this very request has failed within the last minute; each failure is told once."""
        known = self._failed.get(len(body))
        if known is None or known[0] != hash((tenant, body)):
            return False
        del self._failed[len(body)]
        return self._clock() - known[1] <= WITHIN_S


def own_count(headers: Iterable[tuple[bytes, bytes]]) -> bool | None:
    """Whether the client says that it has asked before, as OpenAI's and Anthropic's SDKs do; None: it does not say."""
    for name, value in headers:
        if name == _COUNT:
            return value not in _FIRST
    return None
