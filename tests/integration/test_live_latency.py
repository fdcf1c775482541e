"""A route that has become slow loses the requests of policies that bound its times, without any replay."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from policies.live import LEAST
from tests.fixtures.gateway import Gateway, Serve, start_gateway, vllm_route
from tests.fixtures.keys import shared_valkey
from tests.fixtures.upstream import Behaviour, Received, Upstream, says
from tests.fixtures.waiting import eventually

ANSWERS = says("hello there")
FRESH = {"cache-control": "no-store"}
CACHE = "x-weighbridge-cache"


def slow(model: str, seconds: float) -> Behaviour:
    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        if received.json["model"] == model:
            await asyncio.sleep(seconds)
        await ANSWERS(received, writer)

    return behave


def found(gateway: Gateway, policy: str, route: str) -> dict[str, Any]:
    """What the policy's bound on times found on a route."""
    explained = gateway.http.get(f"/v1/policies/{policy}/explain").json()
    findings = next(each["findings"] for each in explained["routes"] if each["route"] == route)
    finding: dict[str, Any] = next(each for each in findings if each["requirement"] == "ttft_p50_ms")
    return finding


def test_a_slow_route_is_dropped_by_what_its_requests_take(serve: Serve, upstream: Upstream) -> None:
    cheap = {**vllm_route(upstream.url), "model": "cheap"}
    dear = {**vllm_route(upstream.url), "model": "dear", "price": {"input": 10, "output": 20}}
    bound = {"require": {"ttft_p50_ms": 1000}, "unmeasured": "allow"}
    policies = {"live": bound, "replayed": {**bound, "latency": "replayed"}}
    gateway = serve({"routes": {"cheap": cheap, "dear": dear}, "policies": policies}, "--workers", "2")
    assert gateway.chat("first", model="live").headers["x-weighbridge-route"] == "cheap"
    assert not found(gateway, "live", "cheap")["measured"]

    upstream.behaviour = slow("cheap", 1.5)
    asked = LEAST["p50"] + 5
    with ThreadPoolExecutor(asked) as pool:
        answers = list(pool.map(lambda number: gateway.chat(f"{number}", model="cheap", stream=True), range(asked)))
    assert {answer.status_code for answer in answers} == {200}

    def dropped_everywhere() -> bool:
        """Requests go to either worker."""
        return all(not found(gateway, "live", "cheap")["kept"] for _ in range(8))

    eventually(dropped_everywhere)
    over = f"over {asked} live requests of the last 10 minutes, above the required 1,000 ms"
    eventually(lambda: over in found(gateway, "live", "cheap")["reason"])
    assert found(gateway, "live", "cheap")["origin"] == "live"
    assert gateway.chat("then", model="live", headers=FRESH).headers["x-weighbridge-route"] == "dear"
    assert gateway.chat("then", model="replayed", headers=FRESH).headers["x-weighbridge-route"] == "cheap"


def test_gateways_that_share_a_valkey_go_by_each_others_requests(upstream: Upstream, tmp_path: Path) -> None:
    """Neither has enough of its own."""
    upstream.behaviour = slow("m", 0.3)
    bound = {"require": {"ttft_p50_ms": 100}, "unmeasured": "allow"}
    asked = LEAST["p50"] * 3 // 4
    gateways: list[Gateway] = []
    with shared_valkey(tmp_path) as url:
        config = {"routes": {"small": vllm_route(upstream.url)}, "policies": {"live": bound}, "cache": {"url": url}}
        try:
            for name in ("one", "two"):
                (tmp_path / name).mkdir()
                gateways.append(start_gateway(tmp_path / name, config))
            with ThreadPoolExecutor(2 * asked) as pool:
                numbers = range(2 * asked)
                answers = pool.map(lambda number: gateways[number % 2].chat(f"{number}", stream=True), numbers)
                assert {answer.status_code for answer in answers} == {200}
            for gateway in gateways:
                over = f"over {2 * asked} live requests of the last 10 minutes, above the required 100 ms"
                eventually(lambda gateway=gateway, over=over: over in found(gateway, "live", "small")["reason"])  # type: ignore[misc]
        finally:
            for gateway in gateways:
                gateway.stop()


def test_cached_answers_are_not_timed(serve: Serve, upstream: Upstream) -> None:
    bound = {"require": {"ttft_p50_ms": 1000}, "unmeasured": "allow"}
    gateway = serve({"routes": {"small": vllm_route(upstream.url)}, "policies": {"live": bound}})
    asked = [gateway.chat(f"{number}", stream=True) for number in range(LEAST["p50"] - 1)]
    while asked[-1].headers[CACHE] != "hit":
        asked.append(gateway.chat("0", stream=True))
    asked += [gateway.chat("0", stream=True) for _ in range(LEAST["p50"])]
    gateway.ledger(asked[-1].headers["x-weighbridge-request-id"])
    asked.append(gateway.chat("one more", stream=True))
    fresh = sum(answer.headers[CACHE] != "hit" for answer in asked)
    eventually(lambda: f"over {fresh} live requests" in found(gateway, "live", "small")["reason"])
