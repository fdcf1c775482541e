from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backends.price import Price
from backends.route import Revision, Route
from policies.objectives import order
from policies.policy import Policy
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot

REVISION = Revision().id
MakeCard = Callable[..., Scorecard]


def route(name: str, usd_per_million: float = 1) -> Route:
    nanousd = int(usd_per_million * 1_000_000_000)
    return Route(name, "vllm", "m", Price(nanousd, nanousd))


def names(policy: Policy, routes: list[Route], evidence: Snapshot) -> list[str]:
    return [found.name for found, _ in order(policy.objective, policy, routes, evidence)]


def test_cheapest_per_solved_task_counts_failures_and_what_was_really_spent(make_card: MakeCard) -> None:
    def card(name: str, passes: int, cost: int) -> Scorecard:
        statuses = {"pass": passes, "fail": 100 - passes}
        return make_card(name, REVISION, passes / 100, tasks=100, cost_nanousd=cost, statuses=statuses)

    evidence = Snapshot(1, (card("small", 20, 100), card("large", 90, 300), card("hopeless", 0, 1)))
    routes = [route(name) for name in ("hopeless", "small", "large", "unmeasured")]
    policy = Policy("p", "cheapest_per_solved_task")
    ordered = order("cheapest_per_solved_task", policy, routes, evidence)
    assert [found.name for found, _ in ordered] == ["large", "small", "hopeless", "unmeasured"]
    assert ordered[1][1].value == 5 and ordered[1][1].meaning == "per solved task on humaneval+ (python)"
    assert [figure.run_id for _, figure in ordered] == ["run-large", "run-small", "run-hopeless", None]


def test_weighted_with_equal_weights_is_price_by_pass_rate(make_card: MakeCard) -> None:
    evidence = Snapshot(1, (make_card("a", REVISION, 0.9), make_card("b", REVISION, 0.4)))
    for price_of_b, first in ((0.5, "a"), (0.4, "b")):  # $1 / 0.9 against 0.5 / 0.4 and 0.4 / 0.4
        policy = Policy("p", "weighted", weights=(("cheapest", 1), ("most_accurate", 1)))
        assert names(policy, [route("a"), route("b", price_of_b)], evidence)[0] == first


def test_a_greater_weight_moves_the_choice(make_card: MakeCard) -> None:
    cards = (make_card("slow", REVISION, 0.9, ttft_p50_ms=900.0), make_card("fast", REVISION, 0.6, ttft_p50_ms=300.0))
    for weight, first in ((1.0, "fast"), (4.0, "slow")):
        policy = Policy("p", "weighted", weights=(("fastest", 1), ("most_accurate", weight)))
        assert names(policy, [route("slow"), route("fast")], Snapshot(1, cards))[0] == first


def test_weighted_has_no_score_where_a_measure_is_missing(make_card: MakeCard) -> None:
    evidence = Snapshot(1, (make_card("measured", REVISION, 0.01),))
    policy = Policy("p", "weighted", weights=(("cheapest", 1), ("most_accurate", 1)))
    ordered = order("weighted", policy, [route("free", 0), route("measured", 9)], evidence)
    assert [(found.name, figure.value is None) for found, figure in ordered] == [("measured", False), ("free", True)]
    assert ordered[0][1].meaning == "of 1 x ln cheapest + 1 x ln most_accurate"


shares, prices = st.floats(0, 1), st.integers(0, 10**12)
rated = st.dictionaries(st.sampled_from("abcdef"), st.tuples(prices, shares), min_size=2)
weights: st.SearchStrategy[Any] = st.tuples(
    st.tuples(st.just("cheapest"), st.floats(0.01, 100)), st.tuples(st.just("most_accurate"), st.floats(0.01, 100))
)


@given(rated, weights)
def test_the_order_of_two_routes_depends_on_no_third(make_card: MakeCard, rated: Any, weights: Any) -> None:
    routes = [replace(route(name), price=Price(price, price)) for name, (price, _) in rated.items()]
    evidence = Snapshot(1, tuple(make_card(name, REVISION, share) for name, (_, share) in rated.items()))
    policy = Policy("p", "weighted", weights=weights)
    whole = names(policy, routes, evidence)
    for gone in rated:
        rest = [found for found in routes if found.name != gone]
        assert names(policy, rest, evidence) == [name for name in whole if name != gone]
