"""The fleet without a network: which replica a conversation gets, what is asked of them, what a reload keeps."""

from dataclasses import replace

import pytest

from backends.backend import Answer, BackendError, Call, Load, Method, Stored
from backends.price import Price
from backends.route import Revision, Route
from gateway.fleet.fleet import Fleet
from gateway.fleet.replica import MOST_OUTSTANDING_AHEAD, MOST_WAITING
from gateway.pipeline.session import Conversation

A, B = "http://a", "http://b"
ROUTE = Route("r", "vllm", "m", Price(), replicas=(A, B))
TALK = Conversation("session", (b"talk",), b"talk")


class Servers:
    """A backend whose replicas say what a test tells them to; ``asked`` are those asked for their load."""

    def __init__(self) -> None:
        self.loads: dict[str, Load | BackendError | None] = {}
        self.asked: list[str] = []

    async def start(self) -> None: ...

    async def send(self, route: Route, replica: str, call: Call) -> Answer:
        raise AssertionError("nothing is sent here")

    async def observe(self, route: Route, replica: str) -> Revision:
        return route.revision

    async def load(self, route: Route, replica: str) -> Load | None:
        self.asked.append(replica)
        said = self.loads.get(replica)
        if isinstance(said, BackendError):
            raise said
        return said

    async def stored(self, route: Route, replica: str, method: Method, path: str) -> Stored | None:
        raise AssertionError("nothing is stored here")

    async def close(self) -> None: ...


def fleet_of(route: Route, servers: Servers, before: Fleet | None = None) -> Fleet:
    return Fleet({route.name: route}, {"vllm": servers}, before)


def begin(fleet: Fleet, talk: Conversation | None = TALK) -> str:
    url = fleet.replicas(ROUTE, talk)[0]
    fleet.began(ROUTE, url, talk)
    return url


def other(url: str) -> str:
    return A if url == B else B


@pytest.mark.parametrize("busy", [Load(MOST_WAITING + 1, 0.1), Load(0, 0.99)])
async def test_what_a_replica_says_of_itself_counts_from_the_next_look(busy: Load) -> None:
    servers = Servers()
    fleet = fleet_of(ROUTE, servers)
    home = begin(fleet)
    servers.loads[home] = busy
    assert fleet.replicas(ROUTE, TALK) == [home, other(home)]
    await fleet.observe()
    assert fleet.replicas(ROUTE, TALK) == [other(home), home]
    servers.loads[home] = BackendError("broken", "no metrics now")
    await fleet.observe()
    assert fleet.replicas(ROUTE, TALK) == [home, other(home)]


async def test_our_own_requests_count_at_once() -> None:
    fleet = fleet_of(ROUTE, Servers())
    home = begin(fleet)
    assert {begin(fleet) for _ in range(MOST_OUTSTANDING_AHEAD)} == {home}
    assert begin(fleet) == other(home)


async def test_a_route_is_busy_where_none_of_its_replicas_has_room() -> None:
    fleet = fleet_of(ROUTE, Servers())
    for url in (A, B):
        assert not fleet.is_busy(ROUTE)
        for _ in range(MOST_OUTSTANDING_AHEAD + 1):
            fleet.began(ROUTE, url)
    assert fleet.is_busy(ROUTE)
    fleet.ended(ROUTE, A)
    assert not fleet.is_busy(ROUTE)


async def test_where_nobody_listens_nothing_goes_again() -> None:
    fleet = fleet_of(ROUTE, Servers())
    home = begin(fleet)
    fleet.ended(ROUTE, home, BackendError("refused", "connection refused"))
    assert fleet.replicas(ROUTE, TALK)[0] == other(home)


async def test_a_reload_keeps_what_is_known_of_conversations_while_the_model_is_the_same() -> None:
    servers = Servers()
    fleet = fleet_of(ROUTE, servers)
    counted: list[str] = []
    home = other(begin(fleet))
    fleet.began(ROUTE, home, TALK)
    later = fleet_of(replace(ROUTE, context_window=9), servers, fleet)
    later.on_placed = lambda route, outcome: counted.append(outcome)
    assert begin(later) == home
    changed = fleet_of(replace(ROUTE, model="other"), servers, fleet)
    changed.on_placed = later.on_placed
    begin(changed)
    assert counted == ["session", "new"]


async def test_one_replica_or_none_to_choose_costs_nothing() -> None:
    servers = Servers()
    for route in (replace(ROUTE, replicas=(A,)), replace(ROUTE, affinity=False)):
        fleet = fleet_of(route, servers)
        await fleet.observe()
        assert not fleet.has_affinity(route)
        fleet.on_placed = lambda route, outcome: pytest.fail("it was not placed")
        fleet.began(route, A, None)
    assert servers.asked == []


async def test_requests_without_a_conversation_are_spread_by_what_is_under_way() -> None:
    fleet = fleet_of(ROUTE, Servers())
    counted: list[str] = []
    fleet.on_placed = lambda route, outcome: counted.append(outcome)
    assert [begin(fleet, None) for _ in range(4)] == [A, B, A, B]
    assert counted == ["none"] * 4
