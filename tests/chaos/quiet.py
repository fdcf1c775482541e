"""After the last request: how soon the gateways are as if there had been none."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

import httpx
from redis import Redis

from tests.chaos.audit.evidence import LimitState
from tests.chaos.clients import Crowd
from tests.chaos.faults import PEACEFUL
from tests.chaos.plan import Ask, Plan
from tests.chaos.services import Gateway, until
from tests.chaos.stage import OWN_KEY, Stage

PATIENCE = 4.0
"""Times what is promised: a machine that runs other tests beside these is slow, and no bug."""

_IN_FLIGHT = re.compile(r"^weighbridge_requests_in_flight (\S+)$", re.MULTILINE)
_LIMITS = "weighbridge:limits:"
_FEW_MORE = 10
"""Descriptors that a worker may have beyond those of a fresh one: connections that it keeps to the parent, to Valkey
and for looking at its servers. What leaks leaks with requests, of which there were thousands.
"""


@dataclass(frozen=True, slots=True)
class Calm:
    """Seconds until nothing was in flight or reserved, and until descriptors were as before."""

    requests_s: float
    descriptors_s: float
    descriptors: int
    """More than before, in the worker that has the most."""


def descriptors(gateway: Gateway) -> int:
    """Of the worker that has the most."""
    return max(map(_descriptors, gateway.workers()), default=0)


def _descriptors(pid: int) -> int:
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return 0  # it has ended meanwhile


async def calm(stage: Stage, plan: Plan, before: int) -> Calm:
    """Waits for it. Raises ``TimeoutError`` naming what did not come."""
    crowd = Crowd(tuple(gateway.port for gateway in stage.gateways), stage.keys, lambda _: None)

    async def nothing_under_way() -> bool:
        await _knock(crowd, plan)  # what has lapsed is let go of when its account is asked next
        states = await asyncio.to_thread(limit_states, stage.valkey.url)
        return not any(state.holds for state in states) and not any([await in_flight(g) for g in stage.gateways])

    async def few_descriptors() -> bool:
        return max(map(descriptors, stage.gateways)) <= before + _FEW_MORE

    try:
        requests_s = await until(nothing_under_way, 10 * PATIENCE, "an end of what is in flight and reserved")
        descriptors_s = await until(few_descriptors, 30 * PATIENCE, f"a return to {before} descriptors")
    except TimeoutError as error:
        raise TimeoutError(f"{error}; {await _state(stage)}") from error
    return Calm(requests_s, descriptors_s, max(map(descriptors, stage.gateways)) - before)


async def in_flight(gateway: Gateway) -> int:
    found = _IN_FLIGHT.search(await metrics(gateway))
    return int(float(found[1])) if found else 0


async def metrics(gateway: Gateway) -> str:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        page = await http.get(f"{gateway.url}/metrics", headers={"authorization": f"Bearer {OWN_KEY}"})
    assert page.status_code == 200, page.text
    return page.text


def limit_states(url: str) -> list[LimitState]:
    with Redis.from_url(url, decode_responses=True) as client:
        found = []
        for key in client.scan_iter(f"{_LIMITS}of:*", count=1000):
            account = key.removeprefix(f"{_LIMITS}of:")
            fields = client.hgetall(key)
            holds = {name.removeprefix("hold:") for name in fields if name.startswith("hold:")}
            holds |= set(client.zrange(f"{_LIMITS}holds:{account}", 0, -1))
            spent = int(float(fields.get("month_spent", 0)))
            found.append(LimitState(account, int(float(fields.get("held", 0))), spent, tuple(sorted(holds))))
        return found


def cache_entries(url: str) -> dict[str, bytes]:
    with Redis.from_url(url) as client:
        return {key.decode(): client.get(key) or b"{}" for key in client.scan_iter("weighbridge:answer:*", count=1000)}


async def _knock(crowd: Crowd, plan: Plan) -> None:
    """A request of each holder."""
    for number, holder in enumerate(plan.holders):
        ask = Ask(
            id=f"{PEACEFUL}{number}", holder=holder.name, tenant=holder.tenant, gateway=number % 2, wire="chat",
            model="auto", stream=False, include_usage=False, prompt="knock", no_store=True, leaves_after=None,
        )  # fmt: skip
        await crowd.ask(ask)


async def _state(stage: Stage) -> str:
    states = [state for state in await asyncio.to_thread(limit_states, stage.valkey.url) if state.holds]
    flights = [await in_flight(gateway) for gateway in stage.gateways]
    return f"in flight {flights}, reserved {states}, descriptors {[descriptors(g) for g in stage.gateways]}"


def texts(stage: Stage) -> dict[str, str]:
    """Logs, spools and what the gateways left on disk; SQLite's files as they are."""
    found = {}
    for gateway in stage.gateways:
        found[f"log of gateway {gateway.name}"] = gateway.log.read_text(errors="replace")
        for path in sorted(_files(gateway.state)):
            found[f"{gateway.name}/{path.relative_to(gateway.state)}"] = path.read_bytes().decode("latin-1")
    return found


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
