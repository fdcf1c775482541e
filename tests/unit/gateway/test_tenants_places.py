"""Where conversations are remembered: each tenant's for itself, by whatever name another calls its own."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.backend import Backend, Call, WireName
from backends.price import Price
from backends.recorded import RecordedBackend
from backends.route import Route
from gateway.fleet.affinity import Affinity
from gateway.fleet.fleet import Fleet
from gateway.keys.tenants import Tenants
from gateway.pipeline.session import conversation_of
from gateway.routing.router import Choice, Router
from policies.kinds import Stick
from policies.policy import Policy
from policies.request import RequestTraits

TENANTS = Tenants("a secret")
ACME, OTHER = TENANTS.of("customer:acme"), TENANTS.of("customer:other")
TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}, {"role": "user", "content": "and"}]


def call(wire: WireName = "chat", session: str | None = None, **body: Any) -> Call:
    fields = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in body.items()}
    return Call(wire, fields, stream=False, session=session)


ASKED = [
    call(messages=TURNS),
    call(messages=TURNS, session="main"),
    call("messages", system="be brief", messages=TURNS),
    call("responses", input="a long text " * 300),
    call("completions", prompt="def f():\n" * 1000),
]


@pytest.mark.parametrize("asked", ASKED)
def test_tenants_share_no_mark_of_a_conversation(asked: Call) -> None:
    found = [conversation_of(replace(asked, tenant=tenant)) for tenant in (None, ACME, OTHER, ACME)]
    nobodys, acmes, others, again = ({*one.marks, one.opening} for one in found if one is not None)
    assert acmes == again
    assert not acmes & others
    assert not nobodys & (acmes | others)


@given(st.lists(st.sampled_from(["http://a", "http://b"]), max_size=20))
def test_where_another_is_warm_moves_nobody(places: list[str]) -> None:
    affinity = Affinity()
    mine, others = (conversation_of(replace(ASKED[1], tenant=tenant)) for tenant in (ACME, OTHER))
    assert mine is not None
    assert others is not None
    affinity.placed(mine, "http://a")
    for url in places:
        affinity.placed(others, url)
    assert affinity.choose(mine, {"http://a": False, "http://b": False}) == "http://a"


@pytest.fixture
def router() -> Router:
    routes = {name: Route(name, "recorded", "m", Price(cost, cost)) for name, cost in (("cheap", 100), ("dear", 101))}
    backends: dict[str, Backend] = {"recorded": RecordedBackend()}
    return Router(Fleet(routes, backends), {"auto": Policy("auto", stick=Stick(0.5))}, {})


def choose(router: Router, asked: Call) -> Choice:
    return router.choose("auto", RequestTraits(), asked)


@pytest.mark.parametrize("asked", ASKED[:2])
def test_a_session_sticks_to_the_route_that_answered_its_own_tenant(router: Router, asked: Call) -> None:
    mine, others = (replace(asked, tenant=tenant) for tenant in (ACME, OTHER))
    cheap, dear = choose(router, mine).routes
    assert (cheap.name, dear.name) == ("cheap", "dear")
    router.answered(choose(router, mine), dear)
    assert choose(router, mine).routes[0] == dear
    assert choose(router, others).routes[0] == cheap  # it does not learn where the other is
    router.answered(choose(router, others), cheap)
    assert choose(router, mine).routes[0] == dear  # nor moves it
