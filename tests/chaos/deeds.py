"""What is done to the services while requests are under way: the plan's acts, in order, each at its request."""

import asyncio
import logging
import time
from collections import defaultdict
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
    """``forgot``: when Valkey has forgotten everything, in Unix seconds. ``exit_codes`` of gateways that were told to
    stop.
    """

    disruptions: list[Disruption] = field(default_factory=list)
    forgot: list[float] = field(default_factory=list)
    exit_codes: list[int] = field(default_factory=list)
    deeds: list[str] = field(default_factory=list)


class Operator:
    """``reached`` is told how many requests have begun; acts run beside the requests, those on one service one after
    the other.
    """

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self.done = Done()
        self._stage = stage
        self._acts = list(plan.acts)
        self._due: asyncio.Queue[Act | None] = asyncio.Queue()
        self._busy: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def reached(self, number: int) -> None:
        while self._acts and self._acts[0].at <= number:
            self._due.put_nowait(self._acts.pop(0))

    def finish(self) -> None:
        """After the last request; ``work`` ends when what is due is done."""
        self._due.put_nowait(None)

    async def work(self) -> None:
        async with asyncio.TaskGroup() as group:
            while (act := await self._due.get()) is not None:
                group.create_task(self._in_turn(act))

    async def _in_turn(self, act: Act) -> None:
        service = _service(act, self._stage)
        async with self._busy[service]:
            log.info("request %d: %s (%s)", act.at, act.deed, service)
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
                self.done.forgot.append(time.time())
                await asyncio.sleep(act.down_s)
                await stage.valkey.start()
            case "valkey is flushed":
                await asyncio.to_thread(_flush, stage.valkey.url)
                self.done.forgot.append(time.time())
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


def _service(act: Act, stage: Stage) -> str:
    """Whom it is done to."""
    kind = act.deed.split()[0]
    if kind in ("valkey", "store"):
        return kind
    if kind == "upstream":
        return f"upstream {act.which % len(stage.upstreams)}"
    return f"gateway {act.which % len(stage.gateways)}"


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
