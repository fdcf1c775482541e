"""Tenants on a server that they share: nobody reaches another's prompt cache or response by anything it can write."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.backend import Call, WireName
from backends.price import Price
from backends.route import Revision, Route
from backends.tenant import Tenant
from backends.vllm_tenants import keep_apart
from gateway.keys.tenants import Tenants, refuse_others
from gateway.problem import Problem

TENANTS = Tenants("a secret")
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
WIRES: list[WireName] = ["chat", "completions", "responses", "messages", "embeddings"]


def call(wire: WireName = "chat", tenant: Tenant | None = None, **fields: Any) -> Call:
    raw = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in fields.items()}
    return Call(wire, raw, stream=False, tenant=tenant)


def route(observed: dict[str, str] | None = None, *, cache_salt: bool | None = None) -> Route:
    revision = Revision(observed={"engine": "vllm 0.32.0"} if observed is None else observed)
    return Route("small", "vllm", "m", Price(), revision=revision, cache_salt=cache_salt)


def sent(asked: Call, to: Route | None = None) -> dict[str, Any]:
    fields = dict(asked.fields)
    keep_apart(fields, asked, to or route())
    return {name: json.loads(bytes(raw)) for name, raw in fields.items()}


@given(names, names, st.none() | names)
def test_tenants_have_salts_of_their_own_whatever_they_choose(one: str, other: str, chosen: str | None) -> None:
    salts = [sent(call(tenant=TENANTS.of(name), cache_salt=chosen))["cache_salt"] for name in (one, other)]
    assert (salts[0] == salts[1]) is (one == other)
    assert not {TENANTS.of(name).salt() for name in (one, other)} & {one, other, chosen}
    stolen = sent(call(tenant=TENANTS.of(one), cache_salt=TENANTS.of(other).salt()))
    assert stolen["cache_salt"] not in {TENANTS.of(name).salt() for name in (one, other)}


@given(names)
def test_every_gateway_with_the_secret_makes_the_same_of_a_name_and_no_other_does(name: str) -> None:
    assert Tenants("a secret").of(name) == TENANTS.of(name)
    assert Tenants("another").of(name) != TENANTS.of(name)
    assert TENANTS.of(name).owns(Tenants("a secret").of(name).new_response_id())
    assert not Tenants("another").of(name).owns(TENANTS.of(name).new_response_id())


def test_what_a_client_chose_divides_its_own_cache() -> None:
    tenant = TENANTS.of("a")
    chosen = [None, "", "x", "y", 7, {"x": 1}]
    salts = [sent(call(tenant=tenant, cache_salt=value))["cache_salt"] for value in chosen]
    assert len(set(salts)) == len(chosen)
    assert salts[0] == sent(call(tenant=tenant))["cache_salt"]


@pytest.mark.parametrize("wire", WIRES)
def test_vllm_takes_the_salt_on_every_wire(wire: WireName) -> None:
    salt = sent(call(wire, TENANTS.of("customer:acme"), model="m"))["cache_salt"]
    assert re.fullmatch("[0-9a-f]{32}", salt)  # vLLM: at most 128 characters, and no '@', '/', '\\', NUL


def test_whoever_is_no_tenant_says_what_it_likes() -> None:
    asked = call("responses", cache_salt="mine", request_id="resp_mine")
    assert sent(asked) == {"cache_salt": "mine", "request_id": "resp_mine"}


@pytest.mark.parametrize(
    ("to", "told"),
    [
        (route(), True),
        (route({}), True),  # nobody has seen its servers yet
        (route({"id": "m"}), False),
        (route({"engine": "other 1.0"}), False),
        (route({"id": "m"}, cache_salt=True), True),
        (route(cache_salt=False), False),
    ],
)
def test_only_servers_that_understand_are_told(to: Route, told: bool) -> None:
    said = sent(call("responses", TENANTS.of("a"), input="hi", request_id="resp_mine"), to)
    assert ("cache_salt" in said, said.get("request_id", "resp_").removeprefix("resp_") != "") == (told, told)
    assert said.get("request_id") != "resp_mine"


@pytest.mark.parametrize("wire", ["chat", "completions", "messages", "count_tokens", "embeddings"])
def test_no_client_names_a_request_on_a_shared_server(wire: WireName) -> None:
    assert "request_id" not in sent(call(wire, TENANTS.of("a"), request_id="another's"))


def image(**named: Any) -> list[dict[str, Any]]:
    part = {"type": "image_url", "image_url": None, **named}
    return [{"role": "system", "content": "uuid"}, {"role": "user", "content": [{"type": "text", "text": "?"}, part]}]


@given(names, names, names)
def test_an_image_is_named_within_its_tenant(one: str, other: str, name: str) -> None:
    sents = [sent(call(tenant=TENANTS.of(tenant), messages=image(uuid=name)))["messages"] for tenant in (one, other)]
    assert (sents[0] == sents[1]) is (one == other)
    named = sents[0][1]["content"][1].pop("uuid")
    assert named not in (name, TENANTS.of(one).salt(), TENANTS.of(one).salt(name.encode()))
    assert sents[0] == image()


def test_nothing_else_of_a_message_is_touched_nor_an_escape_missed() -> None:
    tenant = TENANTS.of("a")
    plain: list[Any] = [image(), image(uuid=None), [], None, 7, [3], [{"content": [7]}], [{"content": {"uuid": "x"}}]]
    for messages in plain:
        assert sent(call(tenant=tenant, messages=messages))["messages"] == messages
    escaped = json.dumps(image(uuid="x")).replace('"uuid": ', '"\\u0075uid": ')
    asked = Call("chat", {"messages": msgspec.Raw(escaped.encode())}, stream=False, tenant=tenant)
    assert sent(asked) == sent(call(tenant=tenant, messages=image(uuid="x")))


@given(names, names)
def test_a_responses_id_tells_whose_it_is(one: str, other: str) -> None:
    response_id = TENANTS.of(one).new_response_id()
    assert TENANTS.of(other).owns(response_id) is (one == other)
    assert response_id != TENANTS.of(one).new_response_id()


@given(st.text(max_size=70) | st.from_regex(r"resp_[0-9a-f]{56}", fullmatch=True))
def test_nobody_guesses_one(response_id: str) -> None:
    assert not TENANTS.of("a").owns(response_id)


@given(st.integers(5, 60), st.sampled_from("0123456789abcdef"))
def test_no_letter_of_one_may_change(place: int, letter: str) -> None:
    response_id = TENANTS.of("a").new_response_id()
    changed = response_id[:place] + letter + response_id[place + 1 :]
    assert TENANTS.of("a").owns(changed) is (changed == response_id)
    assert not TENANTS.of("a").owns(response_id + "\n")


@pytest.mark.parametrize("previous", ["resp_1", "", "../x", "a b", "x" * 300, TENANTS.of("b").new_response_id()])
def test_whoever_goes_on_from_anothers_is_told_what_it_is_told_of_none(previous: str) -> None:
    with pytest.raises(Problem, match="not found") as refused:
        refuse_others(call("responses", TENANTS.of("a"), previous_response_id=previous))
    assert (refused.value.status, refused.value.code) == (404, "response_not_found")


@pytest.mark.parametrize("conversation", ["conv_1", {"id": "conv_1"}])
def test_no_tenant_names_a_conversation(conversation: Any) -> None:
    with pytest.raises(Problem) as refused:
        refuse_others(call("responses", TENANTS.of("a"), conversation=conversation))
    assert refused.value.status == 404


def test_one_goes_on_from_its_own() -> None:
    tenant = TENANTS.of("a")
    for previous in (tenant.new_response_id(), None):
        refuse_others(call("responses", tenant, previous_response_id=previous, conversation=None))
    refuse_others(call("responses", None, previous_response_id="resp_1", conversation="conv_1"))
    refuse_others(call("chat", tenant, previous_response_id="resp_1"))
