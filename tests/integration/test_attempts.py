"""Retries, fallback, replicas: what goes upstream when an upstream fails, and what the client sees of it."""

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.fleet.breaker import OPEN_AFTER_FAILURES, OPEN_S
from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway, Serve, vllm_route
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually

NO_CACHE = {"cache-control": "no-store"}


@pytest.fixture
def second() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


def fails_times(times: int, behaviour: up.Behaviour) -> up.Behaviour:
    left = [times]

    async def behave(received: up.Received, writer: asyncio.StreamWriter) -> None:
        left[0] -= 1
        await (behaviour if left[0] >= 0 else up.says("at last"))(received, writer)

    return behave


async def hang_up(_: up.Received, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


TROUBLES = [up.answers_json({}, 500), up.answers_json({}, 529), hang_up]


@pytest.mark.parametrize("trouble", TROUBLES, ids=["500", "529", "reset"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_failure_before_the_first_content_is_tried_again(
    gateway: Gateway, upstream: Upstream, trouble: up.Behaviour, stream: bool
) -> None:
    upstream.behaviour = fails_times(2, trouble)
    answer = gateway.chat("hi", stream=stream, headers=NO_CACHE)
    assert answer.status_code == 200
    assert "last" in answer.text
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    outcomes = [(a["outcome"] == "ok", a["cost_nanousd"]) for a in row["attempts"]]
    assert outcomes == [(False, 0), (False, 0), (True, row["cost_nanousd"])]


@pytest.mark.parametrize("trouble", TROUBLES, ids=["500", "529", "reset"])
def test_a_lasting_failure_reaches_the_upstream_three_times_and_costs_nothing(
    gateway: Gateway, upstream: Upstream, trouble: up.Behaviour
) -> None:
    upstream.behaviour = trouble
    answer = gateway.chat("hi", headers=NO_CACHE)
    assert answer.status_code in (502, 503)
    assert len(upstream.received) == 3


def test_the_clients_own_mistake_is_not_repeated(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = up.answers_json({"error": {"message": "bad"}}, 400)
    assert gateway.chat("hi").status_code == 400
    assert len(upstream.received) == 1


def test_nothing_is_repeated_after_the_first_content(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = up.streams(up.event(up.chunk("half")), end=False)
    gateway.chat("hi", stream=True)
    assert len(upstream.received) == 1


def test_a_short_retry_after_is_waited_for(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = fails_times(1, up.answers_json({}, 429, "retry-after: 1\r\n"))
    began = time.monotonic()
    assert gateway.chat("hi", headers=NO_CACHE).status_code == 200
    assert time.monotonic() - began >= 1


def test_a_long_retry_after_is_the_clients_and_the_shortest_counts(
    serve: Serve, upstream: Upstream, second: Upstream
) -> None:
    upstream.behaviour = up.answers_json({}, 429, "retry-after: 70\r\n")
    second.behaviour = up.answers_json({}, 429, "retry-after: 9\r\n")
    gateway = serve({"routes": {"small": vllm_route(upstream.url, second.url)}})
    answer = gateway.chat("hi")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "9")
    assert (len(upstream.received), len(second.received)) == (1, 1)


def test_a_policy_falls_back_to_its_next_route(serve: Serve, upstream: Upstream, second: Upstream) -> None:
    upstream.behaviour = up.answers_json({}, 500)
    dear = {**vllm_route(second.url), "price": {"input": 5, "output": 5}}
    gateway = serve({"routes": {"cheap": vllm_route(upstream.url), "dear": dear}, "policies": {"auto": {}}})
    answer = gateway.chat("hi", model="auto", stream=True)
    assert answer.headers["x-weighbridge-route"] == "dear"
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    assert [(a["route"], a["outcome"]) for a in row["attempts"]] == [("cheap", "status"), ("dear", "ok")]
    assert row["route"] == "dear"
    second.behaviour = up.answers_json({}, 400)
    refused = gateway.chat("ho", model="auto", stream=True)
    assert (refused.status_code, refused.headers["x-weighbridge-route"]) == (400, "dear")


def test_requests_under_way_are_spread_over_replicas(serve: Serve, upstream: Upstream, second: Upstream) -> None:
    go = threading.Event()
    slow = up.streams_held(up.event(up.chunk("a")), go, up.event(up.chunk(finish="stop")))
    upstream.behaviour = second.behaviour = slow
    gateway = serve({"routes": {"small": {**vllm_route(upstream.url, second.url), "affinity": False}}})
    with ThreadPoolExecutor(6) as threads:
        answers = [threads.submit(gateway.chat, f"{n}", stream=True) for n in range(6)]
        try:
            eventually(lambda: len(upstream.received) + len(second.received) == 6)
        finally:
            go.set()
    assert [answer.result().status_code for answer in answers] == [200] * 6
    assert (len(upstream.received), len(second.received)) == (3, 3)


def test_a_failing_replica_is_ejected_and_returns(serve: Serve, upstream: Upstream, second: Upstream) -> None:
    failed_at: list[float] = []

    async def fail(received: up.Received, writer: asyncio.StreamWriter) -> None:
        failed_at.append(time.monotonic())
        await up.answers_json({}, 500)(received, writer)

    upstream.behaviour = fail
    gateway = serve({"routes": {"small": vllm_route(upstream.url, second.url)}})
    for n in range(6):
        assert gateway.chat(f"{n}", headers=NO_CACHE).status_code == 200
    assert len(failed_at) >= OPEN_AFTER_FAILURES
    assert all(at > failed_at[OPEN_AFTER_FAILURES - 1] + OPEN_S for at in failed_at[OPEN_AFTER_FAILURES:])
    upstream.behaviour = up.says("well again")
    upstream.received.clear()

    numbers = itertools.count()  # a conversation that has moved stays where it is: new ones come back

    def returned() -> bool:
        assert gateway.chat(f"hi {next(numbers)}", headers=NO_CACHE).status_code == 200
        return bool(upstream.received)

    eventually(returned)


def test_an_unhealthy_replica_gets_nothing_until_it_is_well(serve: Serve, upstream: Upstream, second: Upstream) -> None:
    upstream.health = 503
    gateway = serve({"routes": {"small": vllm_route(upstream.url, second.url)}})
    for n in range(4):
        assert gateway.chat(f"{n}", headers=NO_CACHE).status_code == 200
    assert (len(upstream.received), len(second.received)) == (0, 4)
    upstream.health = 200
    numbers = itertools.count()
    eventually(lambda: gateway.chat(f"hi {next(numbers)}", headers=NO_CACHE) and upstream.received)


def test_a_replica_of_another_revision_gets_nothing(serve: Serve, upstream: Upstream, second: Upstream) -> None:
    second.version = "0.99.0"
    gateway = serve({"routes": {"small": vllm_route(upstream.url, second.url)}})
    for n in range(4):
        assert gateway.chat(f"{n}", headers=NO_CACHE).status_code == 200
    assert (len(upstream.received), len(second.received)) == (4, 0)


def test_a_fallbacks_answer_is_kept_as_its_own_and_never_as_the_first_routes(
    serve: Serve, upstream: Upstream, second: Upstream
) -> None:
    upstream.behaviour = up.answers_json({}, 500)
    second.behaviour = up.says("from the dear one")
    dear = {**vllm_route(second.url), "price": {"input": 5, "output": 5}}
    gateway = serve({"routes": {"cheap": vllm_route(upstream.url), "dear": dear}, "policies": {"auto": {}}})
    assert gateway.chat("hi", model="auto").headers["x-weighbridge-route"] == "dear"
    upstream.behaviour = up.says("from the cheap one")
    well = gateway.chat("hi", model="cheap")
    assert (well.headers["x-weighbridge-cache"], "cheap" in well.text) == ("miss", True)
    kept = gateway.chat("hi", model="dear")
    assert (kept.headers["x-weighbridge-cache"], "dear" in kept.text) == ("hit", True)
