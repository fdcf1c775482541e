"""Whether Valkey knows what this gateway's ledger says was spent. Until then no budget is granted."""

import asyncio
import logging
import time

from gateway.limiting.account import LEDGERS
from gateway.valkey import Valkey, ValkeyError

log = logging.getLogger("weighbridge.limits")

LOOK_EVERY_S = 0.1
LONGEST_S = 5.0
"""Where Valkey serves and is not told: the store is away, and that must keep nobody from serving."""


class Seeded:
    """At the start only: what is forgotten later is told again, and requests say meanwhile that they cannot know."""

    def __init__(self, valkey: Valkey, ledger: str, *, known: bool) -> None:
        """``known``: nobody needs to wait for it."""
        self._valkey = valkey
        self._ledger = ledger
        self.known = known

    async def watch(self) -> None:
        """Returns once it is so, or the store was away for ``LONGEST_S``: then budgets alone wait for it."""
        asked_since: float | None = None
        while not self.known:
            now = time.monotonic()
            try:
                self.known = bool(await self._valkey.ask("SISMEMBER", LEDGERS, self._ledger))
                asked_since = now if asked_since is None else asked_since
            except ValkeyError as error:
                log.debug("valkey does not say yet what was spent: %s", error)
                asked_since = None
            if not self.known and asked_since is not None and now - asked_since >= LONGEST_S:
                log.warning("served without knowing what was spent: the store is away; budgets are not granted")
                self.known = True
            if not self.known:
                await asyncio.sleep(LOOK_EVERY_S)
