"""Two tenants behind one gateway, and behind two: nothing that one has asked is of any use to the other."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import httpx
import pytest

from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway, start_gateway
from tests.fixtures.keys import OWN_KEY, Admin, Ask, asking, shared_valkey, with_keys
from tests.fixtures.upstream import Received, Upstream, answers_json
from tests.fixtures.waiting import LONG_S, eventually

MISSING = {"error": {"message": "Response not found.", "type": "invalid_request_error"}}


class Keeper(Upstream):
    """As vLLM with its store: a response's id is the request's ``request_id``, and anyone may name it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Any] = {}
        self.behaviour = self.answers

    async def answers(self, received: Received, writer: asyncio.StreamWriter) -> None:
        if not received.path.startswith("/v1/responses"):
            await up.says("hello there")(received, writer)
        elif received.method != "POST":
            known = self.kept.get(received.path.removeprefix("/v1/responses/"))
            await answers_json(known or MISSING, 200 if known else 404)(received, writer)
        elif (previous := received.json.get("previous_response_id")) is not None and previous not in self.kept:
            await answers_json(MISSING, 404)(received, writer)
        else:
            response = {"id": received.json.get("request_id", "resp_1"), "object": "response", "status": "completed"}
            self.kept[response["id"]] = {**response, "output": [], "said": received.json["input"]}
            await answers_json(self.kept[response["id"]])(received, writer)

    def salts(self) -> list[str | None]:
        return [received.json.get("cache_salt") for received in self.received if received.method == "POST"]


class Tenants(NamedTuple):
    """One key each of two customers, known to two gateways that share a Valkey; a second key of the first customer."""

    one: Gateway
    two: Gateway
    acme: str
    acme_too: str
    other: str

    def ask(self, key: str, content: str = "hi", *, gateway: Gateway | None = None, **fields: Any) -> httpx.Response:
        return asking(gateway or self.one, key)(content, **fields)

    def respond(self, key: str, said: str, **fields: Any) -> httpx.Response:
        body = {"model": "small", "input": self.one.topic + said, **fields}
        return self.request("POST", "/v1/responses", key, json=body)

    def request(
        self, method: str, path: str, key: str, gateway: Gateway | None = None, **content: Any
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"}
        url = (gateway or self.one).url + path
        return httpx.request(method, url, headers=headers, timeout=60, trust_env=False, **content)


@pytest.fixture(scope="module")
def server() -> Iterator[Keeper]:
    keeper = Keeper()
    yield keeper
    keeper.close()


@pytest.fixture(scope="module")
def common(server: Keeper, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenants]:
    with shared_valkey(tmp_path_factory.mktemp("valkey")) as url:
        config = with_keys(server.url, cache={"url": url})
        gateways = [start_gateway(tmp_path_factory.mktemp(name), config, api_key=OWN_KEY) for name in ("one", "two")]
        keys = [Admin(gateways[0]).create(customer=name)["key"] for name in ("acme", "acme", "other")]
        for ask in (asking(gateway, key) for gateway in gateways for key in keys):
            eventually(partial(is_known, ask))
        one, two = gateways
        yield Tenants(one, two, *keys)
        assert [gateway.stop() for gateway in gateways] == [0, 0]


def is_known(ask: Ask) -> bool:
    return ask("is this key known here?").status_code == 200


@pytest.fixture
def tenants(common: Tenants, server: Keeper, request: pytest.FixtureRequest) -> Tenants:
    for gateway in (common.one, common.two):
        gateway.topic = f"{request.node.name}: "
    server.behaviour = server.answers
    server.received.clear()
    return common


def label(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return answer.headers["x-weighbridge-cache"]


def is_hit(tenants: Tenants, gateway: Gateway, stream: bool) -> bool:
    return label(tenants.ask(tenants.acme_too, gateway=gateway, stream=stream)) == "hit"


@pytest.mark.parametrize("stream", [False, True])
def test_what_one_has_asked_was_never_asked_by_another(tenants: Tenants, server: Keeper, stream: bool) -> None:
    """No look-up in the other's scope, so no faster either: its request goes all the way."""
    assert label(tenants.ask(tenants.acme, stream=stream)) == "miss"
    for gateway in (tenants.one, tenants.two):
        eventually(partial(is_hit, tenants, gateway, stream))
    before = len(server.received)
    assert label(tenants.ask(tenants.other, stream=stream)) == "miss"
    assert label(tenants.ask(OWN_KEY, stream=stream)) == "miss"
    assert len(server.received) == before + 2


def test_no_flight_is_shared_nor_waited_for(tenants: Tenants, server: Keeper) -> None:
    go = threading.Event()

    async def held(received: Received, writer: asyncio.StreamWriter) -> None:
        while not go.is_set():  # noqa: ASYNC110 (set by another thread)
            await asyncio.sleep(0.01)
        await up.says("mine")(received, writer)

    server.behaviour = held
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(tenants.ask, tenants.acme)]
        server.wait_for(1)
        asked += [pool.submit(tenants.ask, tenants.other, gateway=gateway) for gateway in (tenants.one, tenants.two)]
        server.wait_for(2)  # the other's two are one question, also where one comes late
        go.set()
        labels = [label(answer.result(LONG_S)) for answer in asked]
    assert labels[0] == "miss"
    assert labels[1:].count("miss") == 1
    assert len(server.received) == 2


@pytest.mark.parametrize("customer", ["acme\x00", "acme ", "ACME", "\u0430cme", 'acme","x', "acme:x", "key:acme"])
def test_names_that_look_alike_are_other_tenants(tenants: Tenants, server: Keeper, customer: str) -> None:
    assert label(tenants.ask(tenants.acme)) == "miss"
    made = Admin(tenants.one).ask("POST", "keys", json={"owner": "a", "customer": customer})
    if made.status_code == 400:
        return  # such a name is refused
    assert label(tenants.ask(made.json()["key"])) == "miss"
    assert len(set(server.salts())) == 2


def test_each_tenant_has_a_salt_and_the_gateways_own_key_none(tenants: Tenants, server: Keeper) -> None:
    for key in (tenants.acme, tenants.acme_too, tenants.other, OWN_KEY):
        for gateway in (tenants.one, tenants.two):
            tenants.ask(key, f"{key}{gateway.url}", gateway=gateway)
    acme, other, own = server.salts()[0], server.salts()[4], server.salts()[6]
    assert server.salts() == [acme] * 4 + [other] * 2 + [own] * 2
    assert own is None
    assert len({acme, other}) == 2
    assert "acme" not in str(acme)


def test_a_salt_of_ones_own_choice_reaches_nobody_elses(tenants: Tenants, server: Keeper) -> None:
    tenants.ask(tenants.acme)
    (acme,) = server.salts()
    tenants.ask(tenants.other, "stolen", cache_salt=acme)
    assert server.salts()[1] not in (acme, None)


def test_a_response_is_gone_on_from_by_its_tenant_only(tenants: Tenants, server: Keeper) -> None:
    first = tenants.respond(tenants.acme, "a secret", store=True)
    response_id = first.json()["id"]
    assert response_id in server.kept
    assert tenants.respond(tenants.acme_too, "go on", previous_response_id=response_id).status_code == 200
    before = len(server.received)
    others = tenants.respond(tenants.other, "go on", previous_response_id=response_id)
    unknown = tenants.respond(tenants.other, "go on", previous_response_id="resp_unknown")
    assert (others.status_code, unknown.status_code) == (404, 404)
    assert others.json() == {**unknown.json(), "error": {**unknown.json()["error"], "message": MESSAGE % response_id}}
    assert len(server.received) == before  # nobody was asked: a look at how long it takes tells nothing


MESSAGE = "Response with id '%s' not found."


@pytest.mark.parametrize(("method", "action"), [("GET", ""), ("DELETE", ""), ("POST", "/cancel")])
def test_a_stored_response_is_its_tenants(tenants: Tenants, server: Keeper, method: str, action: str) -> None:
    response_id = tenants.respond(tenants.acme, "a secret").json()["id"]
    path = f"/v1/responses/{response_id}{action}"
    server.kept[f"{response_id}/cancel"] = server.kept[response_id]
    server.received.clear()
    refused = tenants.request(method, path, tenants.other)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "response_not_found")
    assert "secret" not in refused.text
    assert server.received == []
    if method != "POST":
        for gateway in (tenants.one, tenants.two):
            assert tenants.request(method, path, tenants.acme_too, gateway).json()["said"].endswith("a secret")
            assert tenants.request(method, path, OWN_KEY, gateway).status_code == 200


def test_nobody_overwrites_anothers_response(tenants: Tenants, server: Keeper) -> None:
    response_id = tenants.respond(tenants.acme, "a secret").json()["id"]
    mine = tenants.respond(tenants.other, "mine", request_id=response_id).json()["id"]
    assert mine != response_id
    assert server.kept[response_id]["said"].endswith("a secret")


def test_requests_and_feedback_are_the_tenants_own(tenants: Tenants) -> None:
    request_id = tenants.ask(tenants.acme).headers["x-weighbridge-request-id"]
    path = f"/v1/requests/{request_id}"
    eventually(lambda: tenants.request("GET", path, tenants.acme_too).status_code == 200)
    assert tenants.request("GET", path, tenants.other).status_code == 404
    listed = tenants.request("GET", "/v1/requests", tenants.other).json()
    assert request_id not in str(listed)
    verdict = {"request_id": request_id, "verdict": "accepted"}
    assert tenants.request("POST", "/v1/feedback", tenants.other, json=verdict).status_code == 404


def test_no_name_of_a_tenant_goes_upstream(tenants: Tenants, server: Keeper) -> None:
    tenants.ask(tenants.acme)
    tenants.respond(tenants.acme, "hi")
    assert not any(b"acme" in received.body or "acme" in str(received.headers) for received in server.received)
