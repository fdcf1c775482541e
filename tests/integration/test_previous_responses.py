"""A request that goes on from a stored response reaches the server that stored it."""

import asyncio
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx
import pytest

from tests.fixtures.gateway import Gateway, start_gateway, vllm_route
from tests.fixtures.upstream import Behaviour, Received, Upstream, answers_json, event, streams
from tests.fixtures.waiting import eventually

MISSING = {"error": {"message": "Response with id 'resp_x' not found.", "type": "invalid_request_error"}}
NO_CACHE = {"cache-control": "no-store"}
IDS = count()


class Keeper(Upstream):
    """As vLLM with its store: knows its own responses only, in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: set[str] = set()
        self.behaviour = self.answers

    async def answers(self, received: Received, writer: asyncio.StreamWriter) -> None:
        if received.method == "GET":
            known = received.path.removeprefix("/v1/responses/") in self.kept
            await answers_json({"id": "resp_x"} if known else MISSING, 200 if known else 404)(received, writer)
            return
        previous = received.json.get("previous_response_id")
        if previous is not None and previous not in self.kept:
            await answers_json(MISSING, 404)(received, writer)
            return
        response: dict[str, Any] = {"id": f"resp_{next(IDS)}", "object": "response", "status": "completed"}
        response |= {"model": "m", "output": [{"id": "msg_1", "type": "message", "content": []}], "usage": None}
        self.kept.add(response["id"])
        await (_streamed(response) if received.json.get("stream") else answers_json(response))(received, writer)

    def posted(self) -> int:
        return sum(received.method == "POST" for received in self.received)


def _streamed(response: dict[str, Any]) -> Behaviour:
    events: list[dict[str, Any]] = [
        {"response": {**response, "output": [], "status": "in_progress"}, "type": "response.created"},
        {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "hello"},
        {"response": response, "type": "response.completed"},
    ]
    return streams(*(event(said) for said in events))


@pytest.fixture(scope="module")
def keepers() -> Iterator[list[Keeper]]:
    servers = [Keeper() for _ in range(3)]
    yield servers
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def shared_gateway(tmp_path_factory: pytest.TempPathFactory, keepers: list[Keeper]) -> Iterator[Gateway]:
    """A route with two servers, and a policy that may choose a third before them."""
    cheap = {**vllm_route(keepers[2].url), "price": {"input": 0.1, "output": 0.1}}
    routes = {"both": vllm_route(*(server.url for server in keepers[:2])), "cheap": cheap}
    gateway = start_gateway(tmp_path_factory.mktemp("previous"), {"routes": routes, "policies": {"auto": {}}})
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def road(shared_gateway: Gateway, keepers: list[Keeper], request: pytest.FixtureRequest) -> Gateway:
    shared_gateway.topic = request.node.name
    for server in keepers:
        server.behaviour = server.answers
        server.health = 200
        server.kept.clear()
        server.received.clear()
    return shared_gateway


def ask(gateway: Gateway, said: str, previous: str | None = None, model: str = "both", **fields: Any) -> httpx.Response:
    body = {"model": model, "input": f"{gateway.topic} {said} ", "previous_response_id": previous, **fields}
    return gateway.http.post("/v1/responses", json=body, headers=NO_CACHE)


def keeper_of(response_id: str, keepers: list[Keeper]) -> Keeper:
    (keeper,) = (server for server in keepers if response_id in server.kept)
    return keeper


@pytest.mark.parametrize("stream", [False, True])
def test_what_goes_on_goes_where_it_was_kept(road: Gateway, keepers: list[Keeper], stream: bool) -> None:
    for number in range(4):
        first = ask(road, f"{number}", stream=stream)
        response_id = f"resp_{first.text.partition('resp_')[2].partition(chr(34))[0]}"
        keeper = keeper_of(response_id, keepers)
        before = keeper.posted()
        for turn in range(3):
            assert ask(road, f"{number} and {turn}" * 50, response_id, stream=stream).status_code == 200
        assert keeper.posted() == before + 3
    assert not any(received.method == "GET" for server in keepers for received in server.received)


def test_one_that_this_worker_did_not_send_is_looked_for(road: Gateway, keepers: list[Keeper]) -> None:
    for number, server in enumerate(keepers[:2]):
        response_id = f"resp_{road.topic}_{number}"
        server.kept.add(response_id)
        for turn in range(2):
            assert ask(road, f"{turn}", response_id).status_code == 200
    asked = [received.path for server in keepers for received in server.received if received.method == "GET"]
    assert len(asked) == 4  # each server once for each response, and not again


def test_a_policys_other_route_is_asked_where_that_has_it(road: Gateway, keepers: list[Keeper]) -> None:
    assert ask(road, "hi", model="auto").headers["x-weighbridge-route"] == "cheap"
    first = ask(road, "ho", model="both").json()["id"]
    on = ask(road, "go on", first, model="auto")
    assert (on.status_code, on.headers["x-weighbridge-route"]) == (200, "both")


@pytest.mark.parametrize("model", ["both", "cheap"])
def test_where_nobody_has_it_the_servers_own_word_passes(road: Gateway, keepers: list[Keeper], model: str) -> None:
    answer = ask(road, "hi", "resp_nobody", model=model)
    assert (answer.status_code, answer.json()) == (404, MISSING)


def test_a_keeper_that_is_down_is_not_waited_for(road: Gateway, keepers: list[Keeper]) -> None:
    first = ask(road, "hi").json()["id"]
    keeper = keeper_of(first, keepers)
    keeper.health = 503
    line = f'weighbridge_replica_up{{replica="{keeper.url}",route="both"}}'
    eventually(lambda: f"{line} 0.0" in road.http.get("/metrics").text)
    answer = ask(road, "go on", first)
    assert (answer.status_code, answer.json()) == (404, MISSING)
    keeper.health = 200
    eventually(lambda: f"{line} 1.0" in road.http.get("/metrics").text)
    assert ask(road, "go on", first).status_code == 200


def test_a_keeper_in_trouble_is_not_taken_for_one_that_forgot(road: Gateway, keepers: list[Keeper]) -> None:
    first = ask(road, "hi").json()["id"]
    keeper = keeper_of(first, keepers)
    keeper.behaviour = answers_json({}, 503, "retry-after: 70\r\n")
    answer = ask(road, "go on", first)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "70")
