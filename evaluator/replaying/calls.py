"""How a call to an endpoint can fail, whichever wire it was made on."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_RETRYABLE = frozenset({408, 409, 425, 429}) | frozenset(range(500, 600))
_FATAL = frozenset({401, 403, 404})


class Unreachable(Exception):
    """No HTTP server answers at the base URL, or only to say that it cannot serve now."""


class Refused(Exception):
    """The endpoint says no to every request alike: a wrong key, an unknown model. In its own words."""


class CallFailed(Exception):
    """One call gave no answer. ``headers``: the response's, if it got so far."""

    def __init__(
        self,
        reason: str,
        headers: Mapping[str, str],
        *,
        retryable: bool = True,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.headers = headers
        self.retryable = retryable
        self.retry_after_s = retry_after_s


def failure(status: int, message: str, headers: Mapping[str, str]) -> Refused | CallFailed:
    """What an error status means for the call."""
    reason = f"{status}: {message}"
    if status in _FATAL:
        return Refused(reason)
    retry_after_s = _retry_after_s(headers.get("retry-after"))
    return CallFailed(reason, headers, retryable=status in _RETRYABLE, retry_after_s=retry_after_s)


def _retry_after_s(value: str | None) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
