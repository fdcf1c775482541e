"""Conversations and replicas over real sockets: where turns go, when they move, and what is counted."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.fleet.replica import MOST_WAITING
from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway, start_gateway, vllm_route
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually

NO_CACHE = {"cache-control": "no-store"}
SESSION_HEADERS = ["X-Claude-Code-Session-Id", "session-id", "thread-id", "x-session-affinity"]


@pytest.fixture(scope="module")
def servers() -> Iterator[list[Upstream]]:
    servers = [Upstream() for _ in range(2)]
    yield servers
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def shared_gateway(tmp_path_factory: pytest.TempPathFactory, servers: list[Upstream]) -> Iterator[Gateway]:
    route = vllm_route(*(server.url for server in servers))
    gateway = start_gateway(tmp_path_factory.mktemp("affinity"), {"routes": {"small": route}})
    yield gateway
    gateway.stop()


@pytest.fixture
def road(shared_gateway: Gateway, servers: list[Upstream], request: pytest.FixtureRequest) -> Gateway:
    shared_gateway.topic = request.node.name
    for server in servers:
        server.behaviour = up.says("hello there")
        server.health, server.waiting = 200, 0
        server.received.clear()
    return shared_gateway


def place_of(gateway: Gateway, *turns: str, headers: dict[str, str] | None = None, **fields: Any) -> str:
    """The replica that answered these turns, the user's first."""
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": gateway.topic + turn} for n, turn in enumerate(turns)]
    answer = gateway.chat("", messages=messages, headers={**NO_CACHE, **(headers or {})}, **fields)
    assert answer.status_code == 200, answer.text
    attempts = gateway.ledger(answer.headers["x-weighbridge-request-id"])["attempts"]
    return str(attempts[-1]["replica"])


def counts(gateway: Gateway) -> dict[str, float]:
    text = gateway.http.get("/metrics").text
    found = re.findall(r'^weighbridge_affinity_total\{outcome="(\w+)",route="small"\} (\S+)$', text, re.MULTILINE)
    return {outcome: float(count) for outcome, count in found}


def test_a_growing_conversation_stays(road: Gateway) -> None:
    for name in ("first", "second", "third", "fourth"):
        turns, home = [name], place_of(road, name)
        for turn in ("yes", "and then?", "that", "and at last?"):
            turns.append(turn)
            assert place_of(road, *turns) == home


@pytest.mark.parametrize("header", SESSION_HEADERS)
def test_a_session_stays_whatever_it_says(road: Gateway, header: str) -> None:
    for session in ("s1", "s2", "s3"):
        headers = {header: road.topic + session}
        assert len({place_of(road, f"{session} {number}", headers=headers) for number in range(4)}) == 1


def test_the_bodys_cache_key_is_a_session(road: Gateway) -> None:
    assert len({place_of(road, f"{number}", prompt_cache_key=road.topic) for number in range(6)}) == 1


def test_new_conversations_use_all_replicas(road: Gateway) -> None:
    assert len({place_of(road, f"task {number}") for number in range(8)}) == 2


def test_an_overloaded_replica_is_left_by_what_is_warm_there(road: Gateway, servers: list[Upstream]) -> None:
    home = place_of(road, "hello")
    busy, other = sorted(servers, key=lambda server: server.url != home)
    busy.waiting = MOST_WAITING + 1
    moved = counts(road).get("moved", 0)
    turns = ["hello"]

    def has_moved() -> bool:
        turns.extend(("yes", "more"))
        return place_of(road, *turns) == other.url

    eventually(has_moved)
    assert counts(road)["moved"] > moved
    assert place_of(road, *turns, "yes", "more") == other.url


def test_a_replica_that_goes_down_loses_its_conversations_and_gets_new_ones_again(
    road: Gateway, servers: list[Upstream]
) -> None:
    home = place_of(road, "hello")
    down, other = sorted(servers, key=lambda server: server.url != home)
    down.behaviour = up.answers_json({}, 503)
    down.health = 503
    assert place_of(road, "hello", "yes", "more") == other.url
    eventually(lambda: f'weighbridge_replica_up{{replica="{down.url}",route="small"}} 0.0' in _metrics(road))
    down.received.clear()
    assert {place_of(road, f"meanwhile {number}") for number in range(4)} == {other.url}
    assert down.received == []
    down.behaviour, down.health = up.says("well again"), 200
    numbers = iter(range(10_000))
    eventually(lambda: place_of(road, f"again {next(numbers)}") == down.url)


def test_what_is_known_is_counted(road: Gateway) -> None:
    before = counts(road)
    place_of(road, "hello")
    place_of(road, "hello", "yes", "more")
    for _ in range(2):
        place_of(road, "x", headers={"session-id": road.topic})
    road.http.post("/v1/completions", json={"model": "small", "prompt": "short"}, headers=NO_CACHE)
    after = counts(road)
    changed = {outcome: after[outcome] - before.get(outcome, 0) for outcome in after}
    assert {name: count for name, count in changed.items() if count} == {"new": 2, "prefix": 1, "session": 1, "none": 1}


def _metrics(gateway: Gateway) -> str:
    return gateway.http.get("/metrics").text
