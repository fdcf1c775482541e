"""One replica as requests and health checks have shown it. Times are the event loop's seconds."""

from dataclasses import dataclass

from backends.backend import BackendError, Load
from backends.route import Revision

EJECT_AFTER_FAILURES = 3
EJECT_S = 5.0
EJECT_AT_MOST_S = 60.0
MOST_WAITING = 4
MOST_KV_USAGE = 0.95
MOST_OUTSTANDING_AHEAD = 4


@dataclass(slots=True)
class Replica:
    """``up`` is the health check's word; until it speaks, the benefit of the doubt.

    Ejection is the requests' word: it grows with each, and ends by itself.
    """

    url: str
    revision: Revision | None = None
    up: bool = True
    outstanding: int = 0
    failures: int = 0
    ejections: int = 0
    out_until: float = 0.0
    load: Load | None = None
    """What it said of itself when it was looked at last."""

    def is_out(self, now: float) -> bool:
        return now < self.out_until

    def is_over(self, least_outstanding: int) -> bool:
        """So busy that even a conversation which is warm here had better go elsewhere.

        ``least_outstanding``: the requests that the least busy of its peers has from us.
        """
        if self.outstanding > 2 * least_outstanding + MOST_OUTSTANDING_AHEAD:
            return True
        return self.load is not None and (self.load.waiting > MOST_WAITING or self.load.kv_usage > MOST_KV_USAGE)

    def learn(self, error: BackendError | None, now: float, *, may_eject: bool) -> bool:
        """Counts a request's end; True when it ejects the replica. ``Retry-After`` is a wish to be left alone."""
        if error is None:
            self.failures = self.ejections = 0
            return False
        if error.retry_after is not None:
            self.out_until = max(self.out_until, now + error.retry_after)
            return False
        if not _is_the_replicas_fault(error):
            return False
        self.failures += EJECT_AFTER_FAILURES if error.kind == "refused" else 1  # nobody listens there
        if self.failures < EJECT_AFTER_FAILURES or not may_eject:
            return False
        self.failures = 0
        self.ejections += 1
        self.out_until = now + min(EJECT_S * self.ejections, EJECT_AT_MOST_S)
        return True

    def forgive(self) -> None:
        """It was down and is back: the past does not count."""
        self.failures = self.ejections = 0
        self.out_until = 0.0


def _is_the_replicas_fault(error: BackendError) -> bool:
    return error.kind != "status" or error.status is None or error.status >= 500
