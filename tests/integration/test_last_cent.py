"""Hard budgets on two gateways that share a Valkey: nothing beyond them, whatever is asked at once or goes wrong."""

import asyncio
import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from functools import partial
from typing import Any

import anthropic
import httpx
import openai
import pytest
from redis import Redis

from gateway.limiting.account import hash_key, holds_key, of_key
from tests.fixtures.gateway import Gateway, start_gateway
from tests.fixtures.keys import OWN_KEY, Admin, asking, shared_valkey, with_keys
from tests.fixtures.upstream import (
    SSE_HEAD,
    Behaviour,
    Received,
    Upstream,
    answers_json,
    chunk,
    end_chunks,
    event,
    says,
    streams,
    write_chunk,
)
from tests.fixtures.waiting import LONG_S, eventually

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 7, "output_tokens": 1},
}
COMPLETION = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8},
}
SHAPES = {
    "/v1/chat/completions": (None, "rate_limit_error", "insufficient_quota"),
    "/v1/messages": ("error", "rate_limit_error", None),
}
PATHS = tuple(SHAPES)
PATIENT_S = 4 * LONG_S


@pytest.fixture(scope="module")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with shared_valkey(tmp_path_factory.mktemp("shared")) as url:
        yield url


@pytest.fixture(scope="module")
def replicas(
    upstream_server: Upstream, tmp_path_factory: pytest.TempPathFactory, valkey_url: str
) -> Iterator[list[Gateway]]:
    config = with_keys(upstream_server.url, cache={"url": valkey_url})
    with ExitStack() as stack:
        gateways = [start_gateway(tmp_path_factory.mktemp(name), config, api_key=OWN_KEY) for name in ("one", "two")]
        for gateway in gateways:
            stack.callback(gateway.stop)
        yield gateways


@pytest.fixture
def gateways(replicas: list[Gateway], upstream: Upstream, request: pytest.FixtureRequest) -> list[Gateway]:
    for gateway in replicas:
        gateway.topic = f"{request.node.name}: "
    return replicas


@pytest.fixture
def valkey(valkey_url: str) -> Iterator[Redis]:
    with Redis.from_url(valkey_url) as client:
        yield client


def account(valkey: Redis, key_id: str) -> dict[str, int]:
    names = ("month_spent", "held")
    found: list[Any] = [valkey.hget(hash_key(of_key(key_id)), name) for name in names]
    return {name: int(field or 0) for name, field in zip(names, found, strict=True)}


def settled(valkey: Redis, key_id: str) -> dict[str, int]:
    eventually(lambda: not valkey.zcard(holds_key(of_key(key_id))))
    return account(valkey, key_id)


def answers_after(go: threading.Event) -> Behaviour:
    """On either wire."""

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        while not go.is_set():  # noqa: ASYNC110 (set by a test's thread)
            await asyncio.sleep(0.01)
        await answers_json(MESSAGE if received.path == "/v1/messages" else COMPLETION)(received, writer)

    return behave


def known_everywhere(gateways: list[Gateway], key: str) -> None:
    for gateway in gateways:
        eventually(partial(is_known, gateway, key))


def is_known(gateway: Gateway, key: str) -> bool:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.get(f"{gateway.url}/v1/models", headers=headers, timeout=LONG_S, trust_env=False).status_code == 200


async def at_the_last_cent(gateways: list[Gateway], upstream: Upstream, valkey: Redis, count: int, fit: int) -> None:
    """``count`` at once, of which the budget holds ``fit``; all are under way until the last has been refused."""
    go = threading.Event()
    upstream.behaviour = answers_after(go)
    probe = Admin(gateways[0]).create(month={"usd": 1})
    async with httpx.AsyncClient(
        timeout=PATIENT_S, trust_env=False, limits=httpx.Limits(max_connections=None)
    ) as client:

        def ask(key: str, number: int) -> "asyncio.Task[httpx.Response]":
            body = {"model": "small", "max_tokens": 20, "messages": gateways[0].messages(f"{number:06d}")}
            url = gateways[number % 2].url + PATHS[number // 2 % 2]
            return asyncio.create_task(client.post(url, json=body, headers={"authorization": f"Bearer {key}"}))

        first = ask(probe["key"], 0)
        async with asyncio.timeout(PATIENT_S):
            while not (worst := account(valkey, probe["id"])["held"]):  # noqa: ASYNC110 (Valkey's to say)
                await asyncio.sleep(0.01)
        budget = worst * fit + worst - 1
        made = Admin(gateways[0]).create(month={"usd": str(Decimal(budget) / 10**9)})
        await asyncio.to_thread(known_everywhere, gateways, made["key"])
        asked = [ask(made["key"], number) for number in range(1, count + 1)]
        async with asyncio.timeout(PATIENT_S):
            done = 0
            for each in asyncio.as_completed(asked):
                done += (await each).status_code == 429
                if done == count - fit:
                    break
        refused = [each.result() for each in asked if each.done()]
        assert account(valkey, made["id"]) == {"month_spent": 0, "held": worst * fit}
        await asyncio.to_thread(upstream.wait_for, fit + 1)
        go.set()
        answers = await asyncio.gather(first, *asked)
    served = [answer for answer in answers[1:] if answer.status_code == 200]
    assert (len(served), len(refused)) == (fit, count - fit)
    for answer in refused:
        said = answer.json()
        assert (answer.status_code, answer.headers["x-should-retry"]) == (429, "false")
        shape = (said.get("type"), said["error"]["type"], said["error"].get("code"))
        assert shape == SHAPES[answer.url.path], answer.text
    by_url = {httpx.URL(gateway.url).port: gateway for gateway in gateways}
    rows = [by_url[answer.url.port].ledger(answer.headers["x-weighbridge-request-id"]) for answer in served]
    spent = sum(row["cost_nanousd"] for row in rows)
    assert 0 < spent <= budget
    assert settled(valkey, made["id"]) == {"month_spent": spent, "held": 0}


async def test_many_parallel_requests_at_the_last_cent(
    gateways: list[Gateway], upstream: Upstream, valkey: Redis
) -> None:
    await at_the_last_cent(gateways, upstream, valkey, count=200, fit=7)


@pytest.mark.full
async def test_a_thousand_parallel_requests_at_the_last_cent_through_two_gateways(
    gateways: list[Gateway], upstream: Upstream, valkey: Redis
) -> None:
    await at_the_last_cent(gateways, upstream, valkey, count=1000, fit=50)


@contextmanager
def streaming(gateway: Gateway, key: str, **fields: Any) -> Iterator[httpx.Response]:
    body = {"model": "small", "messages": gateway.messages(key[-6:]), "stream": True, **fields}
    headers = {"authorization": f"Bearer {key}"}
    url = f"{gateway.url}/v1/chat/completions"
    with httpx.stream("POST", url, json=body, headers=headers, timeout=LONG_S, trust_env=False) as answer:
        assert answer.status_code == 200
        yield answer


def goes_on(begin: threading.Event, end: threading.Event) -> Behaviour:
    """One piece; then four thousand; then the end: each when a test's thread says so."""

    async def behave(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE_HEAD)
        rest = event(chunk(finish="stop")) + event("[DONE]")
        for part, told in ((event(chunk("a ")), _set()), (event(chunk("a ")) * 4000, begin), (rest, end)):
            while not told.is_set():  # noqa: ASYNC110 (set by a test's thread)
                await asyncio.sleep(0.01)
            await write_chunk(writer, part)
        await end_chunks(writer)

    return behave


def test_a_stream_that_goes_on_beyond_max_tokens_is_cut_at_what_was_reserved(
    gateways: list[Gateway], upstream: Upstream, valkey: Redis
) -> None:
    begin, end = threading.Event(), threading.Event()
    upstream.behaviour = goes_on(begin, end)
    hard, soft = (Admin(gateways[0]).create(month={"usd": 1, "hard": hard}) for hard in (True, False))
    with streaming(gateways[0], hard["key"], max_tokens=10) as answer:
        begin.set()
        cut = answer.read().decode()
    *parts, last = [json.loads(line[6:]) for line in cut.splitlines() if line.startswith("data: ")]
    assert last["error"]["code"] == "upstream_overran"
    assert "[DONE]" not in cut
    assert 10 <= len(parts) < 4000
    eventually(upstream.received[-1].gone.is_set)
    spent = settled(valkey, hard["id"])["month_spent"]
    reserved = 1000 * (len(json.dumps(upstream.received[-1].json)) + 1024) + 2000 * 10
    assert len(parts) * 2000 <= spent <= reserved
    end.set()
    with streaming(gateways[0], soft["key"], max_tokens=10) as answer:
        assert "[DONE]" in answer.read().decode()
    assert settled(valkey, soft["id"])["month_spent"] > 4000 * 2000
    assert overran(gateways[0], "soft") > 4000 * 2000 - reserved
    assert overran(gateways[0], "hard") == 0


def overran(gateway: Gateway, budget: str) -> float:
    """Nano-dollars beyond what was reserved, as the gateway counts them."""
    name = f'weighbridge_budget_overrun_nanousd_total{{budget="{budget}"}} '
    lines = gateway.http.get("/metrics").text.splitlines()
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


def die(gateway: Gateway) -> None:
    """All at once: nobody is left to settle anything."""
    worker = gateway.worker()
    os.kill(gateway.process.pid, signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    gateway.process.kill()
    gateway.process.wait()


def test_what_a_dead_machine_had_reserved_comes_free_and_a_living_ones_does_not(
    upstream: Upstream, valkey: Redis, gateways: list[Gateway], tmp_path: Any, valkey_url: str
) -> None:
    doomed = start_gateway(tmp_path, with_keys(upstream.url, cache={"url": valkey_url}), api_key=OWN_KEY)
    dead, living = (Admin(gateways[0]).create(parallel=1) for _ in range(2))
    known_everywhere([doomed], dead["key"])
    upstream.behaviour = streams(*[event(chunk("a "))] * 10_000, pause_s=0.05)
    with streaming(gateways[0], living["key"]):
        with streaming(doomed, dead["key"]):
            assert asking(gateways[0], dead["key"])("more").status_code == 429
            die(doomed)
        upstream.behaviour = says("hello")
        eventually(lambda: asking(gateways[0], dead["key"])("more").status_code == 200)
        assert asking(gateways[0], living["key"])("more").status_code == 429
    doomed.http.close()
    settled(valkey, living["id"])


def test_sdks_wait_as_they_are_told(gateways: list[Gateway], upstream: Upstream) -> None:
    """Half a second, as they would by themselves, is too short for a limit that comes back every two."""
    upstream.behaviour = answers_after(_set())
    gateway = gateways[0]
    messages: Any = gateway.messages("hi")
    key = Admin(gateway).create(rpm=30)["key"]

    def use_up() -> None:
        eventually(lambda: asking(gateway, key)("again").status_code == 429)

    use_up()
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key=key, max_retries=1) as client:
        assert client.chat.completions.create(model="small", messages=messages).choices[0].message.content == "hello"
    use_up()
    with anthropic.Anthropic(base_url=gateway.url, api_key=key, max_retries=1) as claude:
        said = claude.messages.create(model="small", messages=messages, max_tokens=5)
    assert said.stop_reason == "end_turn"


def _set() -> threading.Event:
    go = threading.Event()
    go.set()
    return go
