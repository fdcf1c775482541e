"""What is done to the services while requests are under way: the plan's acts, in order, each at its request."""

import asyncio
import logging
import time
from dataclasses import dataclass, field

from redis import Redis

from tests.chaos.plan import Act, Plan
from tests.chaos.services import Gateway, Upstream
from tests.chaos.stage import Stage

log = logging.getLogger("chaos")


@dataclass(frozen=True, slots=True)
class Disruption:
    """A time in which a gateway may cut its clients' answers off; the clock of ``time.monotonic``."""

    gateway: int
    began: float
    ended: float


@dataclass(slots=True)
class Done:
    """``flushes``: how often Valkey has forgotten everything. ``exit_codes`` of gateways that were told to stop."""

    disruptions: list[Disruption] = field(default_factory=list)
    flushes: int = 0
    exit_codes: list[int] = field(default_factory=list)
    deeds: list[str] = field(default_factory=list)


class Operator:
    """``reached`` is told how many requests have begun; acts run one after the other, beside the requests."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self.done = Done()
        self._stage = stage
        self._acts = list(plan.acts)
        self._due: asyncio.Queue[Act | None] = asyncio.Queue()

    def reached(self, number: int) -> None:
        while self._acts and self._acts[0].at <= number:
            self._due.put_nowait(self._acts.pop(0))

    def finish(self) -> None:
        """After the last request; ``work`` ends when what is due is done."""
        self._due.put_nowait(None)

    async def work(self) -> None:
        while (act := await self._due.get()) is not None:
            log.info("request %d: %s (%d)", act.at, act.deed, act.which % 6)
            self.done.deeds.append(act.deed)
            await self._do(act)

    async def _do(self, act: Act) -> None:
        stage, which = self._stage, act.which % len(self._stage.gateways)
        gateway = stage.gateways[which]
        match act.deed:
            case "worker dies":
                gateway.kill_worker(act.which // 2)
                self._disrupted(which, time.monotonic())
            case "gateway dies":
                await self._restart(which, gateway, gently=False)
            case "gateway is told to stop":
                await self._restart(which, gateway, gently=True)
            case "valkey dies":
                stage.valkey.kill()
                self.done.flushes += 1
                await asyncio.sleep(act.down_s)
                await stage.valkey.start()
            case "valkey is flushed":
                await asyncio.to_thread(_flush, stage.valkey.url)
                self.done.flushes += 1
            case "valkey hangs":
                stage.valkey.hang()
                await asyncio.sleep(act.down_s)
                stage.valkey.go_on()
            case "upstream dies":
                await _restart_upstream(stage.upstreams[act.which % len(stage.upstreams)], act.down_s)
            case "store dies":
                await asyncio.to_thread(stage.store.die)
                await asyncio.sleep(act.down_s)
                await stage.store.start()
            case "config breaks":
                await _break_config(gateway, act.down_s)

    async def _restart(self, which: int, gateway: Gateway, *, gently: bool) -> None:
        began = time.monotonic()
        if gently:
            self.done.exit_codes.append(await gateway.stop())
        else:
            gateway.kill()
        self._disrupted(which, began)
        await gateway.start()
        self._disrupted(which, began)

    def _disrupted(self, which: int, began: float) -> None:
        self.done.disruptions.append(Disruption(which, began, time.monotonic()))


def _flush(url: str) -> None:
    with Redis.from_url(url) as client:
        client.flushall()


async def _restart_upstream(upstream: Upstream, down_s: float) -> None:
    upstream.kill()
    await asyncio.sleep(down_s)
    await upstream.start()


async def _break_config(gateway: Gateway, down_s: float) -> None:
    """The old one goes on serving."""
    good = gateway.config.read_text()
    gateway.config.write_text("routes: {broken: {backend: nobody}}")
    await asyncio.sleep(down_s)
    gateway.config.write_text(good)
