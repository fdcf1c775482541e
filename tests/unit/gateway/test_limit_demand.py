"""What a request may come to, before it is sent."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.backend import Call, WireName
from backends.price import Price
from backends.route import Route
from backends.usage import Usage
from gateway.limiting.demand import bounded, demand_of, most_content
from gateway.problem import Problem
from policies.request import RequestTraits

CHEAP = Route("cheap", "vllm", "m", Price(input=1_000_000_000, output=2_000_000_000), max_output_tokens=100)
DEAR = Route("dear", "vllm", "m", Price(input=3_000_000_000, output=15_000_000_000, cache_write_1h=6_000_000_000))


def call(wire: WireName = "chat", **fields: Any) -> Call:
    return Call(wire, {name: msgspec.Raw(json.dumps(value).encode()) for name, value in fields.items()}, stream=False)


def traits(**more: Any) -> RequestTraits:
    return RequestTraits(input_tokens_estimate=10, **more)


@given(
    text=st.text(max_size=200),
    most=st.integers(1, 10_000),
    answers=st.integers(1, 5),
    used=st.floats(0, 1),
    cached=st.booleans(),
)
def test_no_answer_within_its_limit_costs_more_than_the_worst_case(
    text: str, most: int, answers: int, used: float, cached: bool
) -> None:
    asked = call(messages=[{"role": "user", "content": text}], max_tokens=most, n=answers)
    worst = demand_of(asked, traits(), [CHEAP, DEAR], all_of_them=False).worst
    tokens = len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))
    output = int(most * answers * used)
    usage = Usage(tokens, output, cache_write_tokens=tokens * cached, cache_write_1h_tokens=tokens * cached)
    for route in (CHEAP, DEAR):
        assert route.price.cost(usage) <= worst


@given(most=st.integers(1, 10_000), hedged=st.booleans(), others=st.integers(0, 10**9), estimate=st.integers(0, 2000))
def test_an_answer_that_is_cut_has_cost_no_more_than_was_reserved_and_one_that_keeps_to_its_limit_is_not_cut(
    most: int, hedged: bool, others: int, estimate: int
) -> None:
    asked = call(messages=[{"role": "user", "content": "x" * 4 * estimate}], max_tokens=most)
    for route in (CHEAP, DEAR):
        demand = demand_of(asked, RequestTraits(input_tokens_estimate=estimate), [route], hedged=hedged)
        pieces = most_content(route, demand, others)
        assert pieces is not None
        assert pieces >= most or others > 0
        if pieces:
            assert route.price.cost(Usage(estimate, pieces)) + others <= demand.worst


def test_what_costs_nothing_is_not_cut() -> None:
    free = Route("free", "vllm", "m", Price())
    assert most_content(free, demand_of(call(max_tokens=5), traits(), [free]), 0) is None
    assert most_content(DEAR, demand_of(call("embeddings", input="x"), traits(), [DEAR]), 0) is None


def test_what_counts_towards_the_worst_case() -> None:
    def worst(all_of_them: bool = False, wire: WireName = "chat", hedged: bool = False, **fields: Any) -> int:
        routes = [CHEAP, DEAR]
        return demand_of(call(wire, **fields), traits(), routes, all_of_them=all_of_them, hedged=hedged).worst

    plain = worst(max_tokens=1000)
    assert worst(max_tokens=1000, n=2) > plain
    assert worst(max_tokens=1000, best_of=3) > worst(max_tokens=1000, n=2)
    assert worst(max_tokens=10, max_completion_tokens=1000) > worst(max_tokens=10)
    assert worst(all_of_them=True, max_tokens=1000) > plain
    assert worst(hedged=True, max_tokens=1000) == 2 * plain
    assert worst(max_tokens=1000, previous_response_id="resp_1") > plain
    one = worst(wire="completions", prompt="a", max_tokens=1000)
    assert worst(wire="completions", prompt=["a", "b"], max_tokens=1000) > 1.5 * one
    assert worst(wire="completions", prompt=[1, 2, 3], max_tokens=1000) < 1.1 * one
    assert worst(max_tokens=10**9, n=10**9) == 2**53 - 1
    assert demand_of(call("count_tokens"), traits(), [DEAR], all_of_them=False).worst == 0


def test_a_call_without_an_end_gets_one() -> None:
    def limits(wire: WireName, routes: list[Route], **fields: Any) -> dict[str, Any]:
        sent = bounded(call(wire, **fields), routes).fields
        return {name: json.loads(bytes(raw)) for name, raw in sent.items()}

    assert limits("chat", [CHEAP, DEAR]) == {"max_tokens": 100}
    assert limits("chat", [DEAR]) == {"max_tokens": 4096}
    assert limits("responses", [DEAR]) == {"max_output_tokens": 4096}
    assert limits("chat", [DEAR], max_tokens=7) == {"max_tokens": 7}
    assert limits("chat", [DEAR], max_completion_tokens=0, max_tokens=7) == {"max_tokens": 4096}
    assert limits("chat", [DEAR], max_tokens=-1) == {"max_tokens": 4096}
    assert limits("chat", [DEAR], max_tokens=None) == {"max_tokens": 4096}
    assert limits("embeddings", [DEAR], input="x") == {"input": "x"}


@pytest.mark.parametrize("value", [1.0, "5", True, [], 1e400, "NaN"])
@pytest.mark.parametrize("name", ["n", "max_tokens", "max_completion_tokens"])
def test_what_servers_may_take_for_another_number_is_refused(name: str, value: object) -> None:
    raw = b"NaN" if value == 1e400 else json.dumps(value).encode()
    odd = Call("chat", {name: msgspec.Raw(raw)}, stream=False)
    with pytest.raises(Problem) as refused:
        demand_of(bounded(odd, [DEAR]), traits(), [DEAR], all_of_them=False)
    assert (refused.value.status, refused.value.param) == (400, name)
