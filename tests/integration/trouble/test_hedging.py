"""Row "hedging": where no content came in time another server is asked; the loser is cancelled, billed truthfully."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from gateway.pipeline.retry import BUDGET_LEAST
from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway, posted, start_gateway, vllm_route
from tests.fixtures.spoken import CHAT, MESSAGES, PROMPT_TOKENS, Spoken
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import LONG_S, eventually

NO_STORE = {"cache-control": "no-store"}
IN, OUT = 1_000, 2_000
"""Nano-dollars a token, as ``vllm_route`` has them; the second route's are twice these."""


@pytest.fixture(scope="module")
def hedging(
    upstream_server: Upstream, second_server: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    dear = {**vllm_route(second_server.url), "price": {"input": 2, "output": 4}}
    config = {
        "routes": {"first": vllm_route(upstream_server.url), "second": dear},
        "policies": {
            "hedged": {"fallback": ["first", "second"], "hedge": {"after_ms": 100}},
            "patient": {"fallback": ["first", "second"], "hedge": {"after_ms": 60_000}},
            "as_usual": {"fallback": ["first", "second"], "hedge": {"after": "p95"}},
        },
    }
    gateway = start_gateway(tmp_path_factory.mktemp("hedging"), config)
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def gateway(hedging: Gateway, upstream: Upstream, second: Upstream, request: pytest.FixtureRequest) -> Gateway:
    hedging.topic = f"{request.node.name}: "
    return hedging


def attempts(gateway: Gateway, answer: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    return row, [(attempt["route"], attempt["outcome"]) for attempt in row["attempts"]]


def test_the_loser_is_cancelled_and_billed_for_its_input(
    gateway: Gateway, upstream: Upstream, second: Upstream, wire: Spoken
) -> None:
    upstream.behaviour, second.behaviour = wire.stalls(), wire.says(3)
    answer = wire.ask(gateway, "hi", stream=True, model="hedged")
    assert (answer.status_code, answer.headers["x-weighbridge-route"]) == (200, "second")
    assert wire.end in answer.text and "word2" in answer.text
    assert upstream.received[0].gone.wait(LONG_S)
    row, tried = attempts(gateway, answer)
    assert tried == [("first", "hedged_out"), ("second", "ok")]
    lost, won = row["attempts"]
    assert won["cost_nanousd"] == 2 * (PROMPT_TOKENS * IN + 3 * OUT)
    known = wire is MESSAGES  # its first event said what came in
    assert lost["cost_nanousd"] == PROMPT_TOKENS * IN if known else lost["cost_nanousd"] > 0
    assert lost["cost_nanousd"] % IN == 0
    assert row["cost_nanousd"] == won["cost_nanousd"] + lost["cost_nanousd"]
    assert (row["usage"]["output_tokens"], row["usage_source"]) == (3, "provider")
    assert row["ttft_ms"] > won["ttft_ms"]  # the client waited from the beginning


def test_the_first_wins_where_it_is_the_faster_one_after_all(
    gateway: Gateway, upstream: Upstream, second: Upstream, wire: Spoken
) -> None:
    async def when_the_second_is_asked(received: up.Received, writer: asyncio.StreamWriter) -> None:
        while not second.received:  # noqa: ASYNC110 (set by another thread)
            await asyncio.sleep(0.01)
        await wire.says(2)(received, writer)

    upstream.behaviour, second.behaviour = when_the_second_is_asked, wire.stalls()
    answer = wire.ask(gateway, "hi", stream=True, model="hedged")
    assert (answer.headers["x-weighbridge-route"], wire.end in answer.text) == ("first", True)
    assert second.received[0].gone.wait(LONG_S)
    _, tried = attempts(gateway, answer)
    assert tried == [("second", "hedged_out"), ("first", "ok")]


def test_a_failure_before_that_time_is_tried_again_as_ever(
    gateway: Gateway, upstream: Upstream, second: Upstream, wire: Spoken
) -> None:
    upstream.behaviour, second.behaviour = up.answers_json({}, 500), wire.says()
    answer = wire.ask(gateway, "hi", stream=True, model="patient")
    assert attempts(gateway, answer)[1] == [("first", "status"), ("second", "ok")]


def test_where_both_fail_the_client_is_told_and_nothing_is_billed(
    gateway: Gateway, upstream: Upstream, second: Upstream
) -> None:
    async def fails_when_both_are_asked(received: up.Received, writer: asyncio.StreamWriter) -> None:
        while not second.received:  # noqa: ASYNC110 (set by another thread)
            await asyncio.sleep(0.01)
        await up.answers_json({}, 500)(received, writer)

    upstream.behaviour = second.behaviour = fails_when_both_are_asked
    answer = CHAT.ask(gateway, "hi", stream=True, model="hedged")
    assert answer.status_code == 502
    row, tried = attempts(gateway, answer)
    assert (row["cost_nanousd"], len(tried)) == (0, 3)
    assert {outcome for _, outcome in tried} == {"status"}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/chat/completions", {"stream": False}),
        ("/v1/chat/completions", {"store": True}),
        ("/v1/responses", {}),
        ("/v1/responses", {"store": False, "tools": [{"type": "mcp", "server_url": "https://example.com"}]}),
        ("/v1/messages", {"container": "c"}),
    ],
)
def test_what_a_server_keeps_or_acts_upon_is_never_asked_twice(
    gateway: Gateway, upstream: Upstream, second: Upstream, path: str, fields: dict[str, Any]
) -> None:
    async def slow(_: up.Received, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)  # five times as long as a hedge would wait
        await up.answers_json({"error": {"message": "no"}}, 400)(_, writer)

    upstream.behaviour = second.behaviour = slow
    said = {"messages": gateway.messages("hi"), "input": gateway.topic, "max_tokens": 9}
    answer = gateway.http.post(path, json={"model": "hedged", "stream": True, **said, **fields}, headers=NO_STORE)
    assert answer.status_code == 400
    assert (len(upstream.received), len(second.received)) == (1, 0)


def test_a_client_that_leaves_ends_both(gateway: Gateway, upstream: Upstream, second: Upstream) -> None:
    upstream.behaviour = second.behaviour = CHAT.stalls()
    body = CHAT.body(gateway, "hi", stream=True, model="hedged")
    with posted(gateway, body):
        asked = [*upstream.wait_for(1), *second.wait_for(1)]
    assert all(received.gone.wait(LONG_S) for received in asked)


def test_as_long_as_95_of_100_answers_take_once_that_is_known(
    gateway: Gateway, upstream: Upstream, second: Upstream
) -> None:
    upstream.behaviour = second.behaviour = CHAT.says(1)
    for number in range(20):
        assert CHAT.ask(gateway, f"{number}", stream=True, model="as_usual", **NO_STORE).status_code == 200
    upstream.behaviour = CHAT.stalls()
    answer = CHAT.ask(gateway, "hi", stream=True, model="as_usual", **NO_STORE)
    assert answer.headers["x-weighbridge-route"] == "second"


def test_no_more_than_the_retry_budget_allows(gateway: Gateway, upstream: Upstream, second: Upstream) -> None:
    upstream.behaviour = second.behaviour = CHAT.stalls()
    with ExitStack() as clients:
        for number in range(2 * BUDGET_LEAST):
            clients.enter_context(posted(gateway, CHAT.body(gateway, f"{number}", stream=True, model="hedged")))
        upstream.wait_for(2 * BUDGET_LEAST)
        eventually(lambda: len(second.received) == BUDGET_LEAST)
        time.sleep(0.5)  # five times as long as any of them waits
        assert len(second.received) == BUDGET_LEAST
