"""Whether Valkey knows what this gateway's ledger says was spent. Until then no budget is granted."""

import asyncio
import logging

from gateway.limiting.account import LEDGERS
from gateway.valkey import Valkey, ValkeyError

log = logging.getLogger("weighbridge.limits")

LOOK_EVERY_S = 0.1


class Seeded:
    """At the start only: what is forgotten later is told again, and requests say meanwhile that they cannot know."""

    def __init__(self, valkey: Valkey, ledger: str, *, known: bool) -> None:
        """``known``: nobody needs to wait for it."""
        self._valkey = valkey
        self._ledger = ledger
        self.known = known

    async def watch(self) -> None:
        """Returns once it is so."""
        while not self.known:
            try:
                self.known = bool(await self._valkey.ask("SISMEMBER", LEDGERS, self._ledger))
            except ValkeyError as error:
                log.debug("valkey does not say yet what was spent: %s", error)
            if not self.known:
                await asyncio.sleep(LOOK_EVERY_S)
