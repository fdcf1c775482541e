"""Everything that a run plays on: started, given its keys, put in order again afterwards."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.plan import Holder, Plan
from tests.chaos.services import Gateway, Upstream, Valkey, ready, until
from tests.chaos.store import Store

ADMIN_KEY = "admin-canary-5531"
OWN_KEY = "own-canary-7702"
UPSTREAM_KEY = "upstream-canary-1120"
SECRET = "0123456789abcdef-canary-secret"
INPUT_USD, CACHED_USD, OUTPUT_USD = 1.0, 0.1, 2.0
MAX_ANSWER_BYTES = 64 * 1024
_PRICE = {"input": INPUT_USD, "cached_input": CACHED_USD, "output": OUTPUT_USD}


@dataclass(frozen=True, slots=True)
class Stage:
    folder: Path
    upstreams: tuple[Upstream, ...]
    valkey: Valkey
    store: Store
    gateways: tuple[Gateway, ...]
    keys: dict[str, str]
    """By holder: what clients send."""
    key_ids: dict[str, str]
    """By holder: what the ledger knows; none for the operator."""


@asynccontextmanager
async def stage(plan: Plan, folder: Path, store: Store) -> AsyncIterator[Stage]:
    """All of it, up and ready; killed at the end of the block if it still runs."""
    upstreams = tuple(Upstream(name, plan.seed, folder) for name in ("a", "b", "c"))
    valkey = Valkey(folder)
    gateways: list[Gateway] = []
    try:
        await asyncio.gather(valkey.start(), store.start(), *(upstream.start() for upstream in upstreams))
        config = _config(plan, upstreams, valkey, store)
        env = {"WEIGHBRIDGE_API_KEY": OWN_KEY}
        gateways += [Gateway(name, folder / f"gateway-{name}", config, env) for name in ("0", "1")]
        await gateways[0].start()
        await gateways[1].start()
        made = {holder.name: await _create(gateways[0], holder) for holder in plan.holders if holder.order is not None}
        keys = {"operator": OWN_KEY} | {name: key["key"] for name, key in made.items()}
        ids = {name: key["id"] for name, key in made.items()}
        for gateway in gateways:
            await until(partial(_knows_all, gateway, tuple(keys.values())), what="the keys")
        yield Stage(folder, upstreams, valkey, store, tuple(gateways), keys, ids)
    finally:
        for gateway in gateways:
            if gateway.process is not None and gateway.process.poll() is None:
                gateway.kill()
        for upstream in upstreams:
            upstream.kill()
        valkey.kill()
        store.stop()


async def settle_down(stage: Stage) -> None:
    """Everybody is there and healthy again."""
    for gateway in stage.gateways:
        await until(partial(ready, gateway.url), what=f"gateway {gateway.name}")


def _config(plan: Plan, upstreams: tuple[Upstream, ...], valkey: Valkey, store: Store) -> dict[str, Any]:
    a, b, c = (upstream.url for upstream in upstreams)
    route = {"backend": "vllm", "model": "m", "price": _PRICE, "api_key": UPSTREAM_KEY}
    customers = {
        holder.tenant: {"month": {"usd": f"{holder.together / 1e9:.9f}"}}
        for holder in plan.holders
        if holder.together is not None
    }
    return {
        "routes": {"small": {**route, "replicas": [a, b]}, "large": {**route, "replicas": [c]}},
        "policies": {"auto": {"objective": "cheapest"}},
        "limits": {
            "receive_s": 15,
            "first_token_s": 2.5,
            "gap_s": 2.5,
            "total_s": 6,
            "max_answer_bytes": MAX_ANSWER_BYTES,
        },
        "cache": {"url": valkey.url, "wait_s": 1.0},
        "keys": {"admin_key": ADMIN_KEY, "secret": SECRET, "customers": customers},
        **store.config,
    }


async def _create(gateway: Gateway, holder: Holder) -> Mapping[str, Any]:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        order = {"owner": holder.name, **(holder.order or {})}
        headers = {"authorization": f"Bearer {ADMIN_KEY}"}
        made = await http.post(f"{gateway.url}/admin/keys", json=order, headers=headers)
    assert made.status_code == 201, made.text
    return dict(made.json())


async def _knows_all(gateway: Gateway, keys: tuple[str, ...]) -> bool:
    """Asked several times: every worker has to know them."""
    for key in keys * 4:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
            models = await http.get(f"{gateway.url}/v1/models", headers={"authorization": f"Bearer {key}"})
        if models.status_code != 200:
            return False
    return True
