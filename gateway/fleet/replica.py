"""One replica as requests and health checks have shown it. Times are the event loop's seconds."""

from dataclasses import dataclass, field

from backends.backend import BackendError, Load
from backends.route import Revision
from gateway.fleet.breaker import OPEN_AFTER_FAILURES, Breaker

LEFT_ALONE_AT_MOST_S = 60.0
MOST_WAITING = 4
MOST_KV_USAGE = 0.95
MOST_OUTSTANDING_AHEAD = 4


@dataclass(slots=True)
class Replica:
    """``up`` is the health check's word; until it speaks, the benefit of the doubt. The breaker goes by requests."""

    url: str
    revision: Revision | None = None
    up: bool = True
    outstanding: int = 0
    breaker: Breaker = field(default_factory=Breaker)
    left_alone_until: float = 0.0
    """It asked for that, with ``Retry-After``."""
    load: Load | None = None
    """What it said of itself when it was looked at last."""

    def is_welcoming(self, now: float) -> bool:
        """A request that has another place to go may go here as well."""
        return now >= self.left_alone_until and self.breaker.admits(now)

    def is_over(self, least_outstanding: int) -> bool:
        """So busy that even a conversation which is warm here had better go elsewhere.

        ``least_outstanding``: the requests that the least busy of its peers has from us.
        """
        if self.outstanding > 2 * least_outstanding + MOST_OUTSTANDING_AHEAD:
            return True
        return self.load is not None and (self.load.waiting > MOST_WAITING or self.load.kv_usage > MOST_KV_USAGE)

    def failed(self, error: BackendError, now: float, *, probe: bool, may_open: bool) -> bool:
        """Counts a request's failure; True when it opens the breaker. An answer to a bad request is none."""
        if error.retry_after is not None:
            until = now + min(error.retry_after, LEFT_ALONE_AT_MOST_S)
            self.left_alone_until = max(self.left_alone_until, until)
        elif _is_the_replicas_fault(error):
            weight = OPEN_AFTER_FAILURES if error.kind == "refused" else 1  # nobody listens there
            return self.breaker.failed(now, weight, probe=probe, may_open=may_open)
        self.breaker.undecided(probe=probe)
        return False

    def forgive(self) -> None:
        """It was down and is back: the past does not count."""
        self.breaker.reset()
        self.left_alone_until = 0.0


def _is_the_replicas_fault(error: BackendError) -> bool:
    """Being too slow is, as much as failing."""
    return error.kind != "status" or error.status is None or error.status >= 500
