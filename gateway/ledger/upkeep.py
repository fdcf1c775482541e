"""The parent's upkeep of the ledger: an hour's GPU bill, and daily sums in the place of old requests.

Nothing of it is on a request's way. Everything is a small transaction of its own, which may be repeated.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from gateway.config import Config
from gateway.store import gpu, roll_up
from gateway.store.day_of import HOUR_S
from gateway.store.gpu import Rented
from gateway.store.store import Store
from gateway.store.trouble import StoreError

log = logging.getLogger("weighbridge.ledger")

LOOK_EVERY_S = 5.0
_AGAIN_AFTER_S = 60.0
_PAUSE_S = 0.05
"""Between two batches: whoever drains goes first."""


class Upkeep:
    """``in_force`` gives the configuration of the moment, ``clock`` Unix seconds."""

    def __init__(self, store: Store, in_force: Callable[[], Config], clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._in_force = in_force
        self._clock = clock
        self._rented: Mapping[str, Rented] = {}
        self._done: tuple[int, Config] | None = None

    async def watch(self) -> None:
        """For ever."""
        while True:
            pause = LOOK_EVERY_S
            try:
                await self.look()
            except StoreError as error:
                log.warning("the ledger's upkeep waits for the store", extra={"reason": str(error)})
                pause = _AGAIN_AFTER_S
            except Exception:
                log.exception("the ledger's upkeep failed")  # and must not end for that
                pause = _AGAIN_AFTER_S
            await asyncio.sleep(pause)

    async def look(self) -> None:
        """Does what is to be done since the last look: once an hour, and when the configuration has changed."""
        now, config = int(self._clock()), self._in_force()
        if self._done == (now // HOUR_S, config):
            return
        await self._meter(rented_by(config), now)
        if config.keep_days is not None:
            await self._roll_up(oldest_kept(now, config.keep_days))
        self._done = (now // HOUR_S, config)

    async def _meter(self, rented: Mapping[str, Rented], now: int) -> None:
        for route, before in self._rented.items():
            if route not in rented:
                await self._store.write(partial(gpu.give_back, rented=before, now=now))
            elif rented[route] != before:
                await self._store.write(partial(gpu.meter, rented=before, now=now, ending=True))
        for each in rented.values():
            await self._store.write(partial(gpu.meter, rented=each, now=now))
        self._rented = rented

    async def _roll_up(self, before: float) -> None:
        moved = 0
        while batch := await self._store.write(partial(roll_up.roll_up, before=before)):
            moved += batch
            await asyncio.sleep(_PAUSE_S)
        if moved:
            log.info("old requests are in the daily sums now", extra={"count": moved})


def rented_by(config: Config) -> dict[str, Rented]:
    """By route: those whose price is for GPUs."""
    return {
        route.name: Rented(
            route.name, route.model, gpus := route.price.gpus * len(route.replicas), gpus * route.price.gpu_hour
        )
        for route in config.routes.values()
        if route.price.gpus
    }


def oldest_kept(now: float, keep_days: int) -> float:
    """Unix seconds from which on requests keep their own rows.

    This month's always do, for budgets are told anew from them; and on its first day last month's, for Valkey's clock
    need not be ours.
    """
    moment = datetime.fromtimestamp(now, UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    month = (midnight - timedelta(days=1)).replace(day=1)
    return min(midnight - timedelta(days=keep_days), month).timestamp()
