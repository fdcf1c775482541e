"""What a log says of what fails again and again: that it began, once a minute that it lasts, and that it is over."""

import logging
import time

SAY_EVERY_S = 60.0


class Outage:
    def __init__(self, log: logging.Logger, what: str) -> None:
        """``what`` is said while it lasts, with the reason."""
        self._log = log
        self._what = what
        self._since: float | None = None
        self._said = 0.0

    def failed(self, error: BaseException) -> None:
        now = time.monotonic()
        if self._since is None:
            self._since = now
        elif now - self._said < SAY_EVERY_S:
            return
        self._said = now
        self._log.error(self._what, extra={"reason": str(error), "for_s": round(now - self._since)})

    def over(self) -> None:
        if self._since is not None:
            self._log.info(f"over: {self._what}", extra={"after_s": round(time.monotonic() - self._since, 1)})
            self._since = None
