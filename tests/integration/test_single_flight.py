"""Two gateways that share a Valkey: of those who ask the same at the same time one asks the model server."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from redis import Redis

from gateway.pipeline.elsewhere import LONGEST_PAUSE_S
from gateway.pipeline.retry import MAX_RETRIES
from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway, posted, start_gateway, vllm_route
from tests.fixtures.keys import shared_valkey
from tests.fixtures.upstream import Behaviour, Received, Upstream
from tests.fixtures.waiting import LONG_S, eventually

NO_STORE = {"cache-control": "no-store"}
TRIES = MAX_RETRIES + 1


class Pair(NamedTuple):
    one: Gateway
    two: Gateway
    valkey: Redis

    def looks(self) -> int:
        """How often an answer was looked for. Whoever waits for one looks again and again."""
        return int(self.valkey.info("commandstats").get("cmdstat_getrange", {"calls": 0})["calls"])

    def wait_until_somebody_waits(self) -> None:
        enough = self.looks() + 5
        eventually(lambda: self.looks() >= enough)


def config(upstream: Upstream, url: str, **cache: Any) -> dict[str, Any]:
    routes = {"small": vllm_route(upstream.url), "spare": vllm_route(upstream.url, model="n")}
    policies = {"auto": {"fallback": ["small", "spare"]}}
    return {"routes": routes, "policies": policies, "cache": {"url": url, **cache}}


@pytest.fixture(scope="module")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with shared_valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="module")
def common_pair(upstream_server: Upstream, valkey_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    settings = config(upstream_server, valkey_url)
    gateways = [start_gateway(tmp_path_factory.mktemp(name), settings) for name in ("one", "two")]
    with Redis.from_url(valkey_url) as valkey:
        yield Pair(gateways[0], gateways[1], valkey)
    assert [gateway.stop() for gateway in gateways] == [0, 0]


@pytest.fixture
def pair(common_pair: Pair, upstream: Upstream, request: pytest.FixtureRequest) -> Pair:
    for gateway in (common_pair.one, common_pair.two):
        gateway.topic = f"{request.node.name}: "
    return common_pair


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def held(go: threading.Event, then: Behaviour) -> Behaviour:
    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        while not go.is_set():  # noqa: ASYNC110 (set by another thread)
            await asyncio.sleep(0.01)
        await then(received, writer)

    return behave


def labels(answers: list[httpx.Response]) -> list[str]:
    assert all(answer.status_code == 200 for answer in answers), [answer.text for answer in answers]
    return sorted(answer.headers["x-weighbridge-cache"] for answer in answers)


def paid(answers: list[httpx.Response]) -> list[bool]:
    """Those who did not get another's answer first. Whoever came after its end, on a busy machine, found it kept."""
    return [label == "miss" for label in sorted(labels(answers), key=lambda label: label != "miss")]


Asking = list["Future[httpx.Response]"]


def ask(pool: ThreadPoolExecutor, gateway: Gateway, times: int = 1, **fields: Any) -> Asking:
    return [pool.submit(gateway.chat, **fields) for _ in range(times)]


def answers(asking: Asking) -> list[httpx.Response]:
    return [one.result(LONG_S) for one in asking]


def test_whoever_asks_elsewhere_waits_for_nothing(pair: Pair, upstream: Upstream, pool: ThreadPoolExecutor) -> None:
    go = threading.Event()
    upstream.behaviour = held(go, up.says("once"))
    first = ask(pool, pair.one, 2)
    upstream.wait_for(1)
    later = ask(pool, pair.two, 3)
    pair.wait_until_somebody_waits()
    go.set()
    assert paid(answers(first)) == [True, False]
    assert paid(answers(later)) == [False] * 3
    assert "shared" in labels(answers(later))
    assert len(upstream.received) == 1
    assert len({answer.content for answer in answers(first + later)}) == 1
    for answer in answers(later):
        assert answer.headers["x-weighbridge-cost-nanousd"] == "0"
        row = pair.two.ledger(answer.headers["x-weighbridge-request-id"])
        assert (row["cost_nanousd"], row["route"], row["outcome"]) == (0, "small", "ok")
        assert row["cache"] == answer.headers["x-weighbridge-cache"]
        assert row["attempts"] == []
    assert pair.two.chat().headers["x-weighbridge-cache"] == "hit"


def test_when_it_fails_one_of_those_who_wait_asks(pair: Pair, upstream: Upstream, pool: ThreadPoolExecutor) -> None:
    go = threading.Event()
    failing = held(go, up.answers_json({"error": {}}, 500))

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        await (failing if len(upstream.received) <= TRIES else up.says("at last"))(received, writer)

    upstream.behaviour = behave
    first = ask(pool, pair.one)
    upstream.wait_for(1)
    later = ask(pool, pair.two, 3)
    pair.wait_until_somebody_waits()
    go.set()
    (failed,) = answers(first)
    assert failed.status_code == 502
    assert paid(answers(later)) == [True, False, False]
    assert len(upstream.received) == TRIES + 1


def test_when_its_client_leaves_one_of_those_who_wait_asks(
    pair: Pair, upstream: Upstream, pool: ThreadPoolExecutor
) -> None:
    go = threading.Event()
    upstream.behaviour = held(go, up.says("once more"))
    with posted(pair.one, {"model": "small", "messages": pair.one.messages("hi")}):
        upstream.wait_for(1)
        later = ask(pool, pair.two, 2)
        pair.wait_until_somebody_waits()
    assert upstream.received[0].gone.wait(LONG_S)
    upstream.wait_for(2)
    go.set()
    assert paid(answers(later)) == [True, False]
    assert len(upstream.received) == 2


def test_a_client_that_leaves_waits_no_longer(pair: Pair, upstream: Upstream, pool: ThreadPoolExecutor) -> None:
    go = threading.Event()
    upstream.behaviour = held(go, up.says("alone"))
    first = ask(pool, pair.one)
    upstream.wait_for(1)
    with posted(pair.two, {"model": "small", "messages": pair.two.messages("hi")}):
        pair.wait_until_somebody_waits()
    eventually(lambda: nobody_looks(pair))
    go.set()
    assert labels(answers(first)) == ["miss"]
    assert len(upstream.received) == 1


def nobody_looks(pair: Pair) -> bool:
    """For longer than two looks are apart."""
    before = pair.looks()
    time.sleep(LONGEST_PAUSE_S * 2)
    return pair.looks() == before


def test_streams_do_not_wait(pair: Pair, upstream: Upstream, pool: ThreadPoolExecutor) -> None:
    go = threading.Event()
    end = (up.event(up.chunk(finish="stop")), up.event("[DONE]"))
    upstream.behaviour = up.streams_held(up.event(up.chunk("now")), go, *end)
    asking = [*ask(pool, pair.one, stream=True), *ask(pool, pair.two, stream=True)]
    upstream.wait_for(2)
    go.set()
    assert labels(answers(asking)) == ["miss", "miss"]


def test_what_is_not_to_be_stored_is_nobodys_to_wait_for(
    pair: Pair, upstream: Upstream, pool: ThreadPoolExecutor
) -> None:
    go = threading.Event()
    upstream.behaviour = held(go, up.says("mine"))
    before = pair.looks()
    asking = [one for gateway in pair[:2] for one in ask(pool, gateway, headers=NO_STORE)]
    upstream.wait_for(2)
    assert pair.looks() == before
    go.set()
    assert labels(answers(asking)) == ["bypass", "bypass"]


def test_what_another_route_answered_is_found_there(pair: Pair, upstream: Upstream, pool: ThreadPoolExecutor) -> None:
    go = threading.Event()
    fails, answered = up.answers_json({"error": {}}, 500), held(go, up.says("spare"))

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        await (fails if received.json["model"] == "m" else answered)(received, writer)

    upstream.behaviour = behave
    first = ask(pool, pair.one, model="auto")
    eventually(lambda: any(received.json["model"] == "n" for received in upstream.received))
    later = ask(pool, pair.two, model="auto")
    pair.wait_until_somebody_waits()
    go.set()
    assert labels(answers(first)) == ["miss"]
    assert labels(answers(later)) == ["shared"]
    assert {answer.headers["x-weighbridge-route"] for answer in answers(first + later)} == {"spare"}


@pytest.mark.parametrize(
    ("ending", "status"),
    [(up.says("x" * 1_100_000), 200), (up.answers_json({"error": {"message": "no"}}, 400), 400)],
    ids=["too large", "refused"],
)
def test_for_what_is_not_kept_nobody_waits_in_line(
    pair: Pair, upstream: Upstream, pool: ThreadPoolExecutor, ending: Behaviour, status: int
) -> None:
    go = threading.Event()
    upstream.behaviour = held(go, ending)
    first = ask(pool, pair.one)
    upstream.wait_for(1)
    later = ask(pool, pair.two)
    pair.wait_until_somebody_waits()
    go.set()
    assert {answer.status_code for answer in answers(first + later)} == {status}
    assert len(upstream.received) == 2  # the second gateway's own


def test_a_killed_worker_keeps_nobody_waiting(
    upstream: Upstream, valkey_url: str, tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    """And streams wait where they are told to."""
    go = threading.Event()
    upstream.behaviour = held(go, up.says("a stream"))
    gateways = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        gateways.append(start_gateway(tmp_path / name, config(upstream, valkey_url, across="all")))
        gateways[-1].topic = "killed: "
    try:
        first = ask(pool, gateways[0], stream=True)
        upstream.wait_for(1)
        with Redis.from_url(valkey_url) as valkey:
            later = ask(pool, gateways[1], 2, stream=True)
            Pair(gateways[0], gateways[1], valkey).wait_until_somebody_waits()
        assert len(upstream.received) == 1
        os.kill(gateways[0].worker(), signal.SIGKILL)
        upstream.wait_for(2)
        go.set()
        assert paid(answers(later)) == [True, False]
        assert all(isinstance(one.exception(LONG_S), httpx.TransportError) for one in first)
    finally:
        go.set()
        for gateway in gateways:
            gateway.stop()
