"""When a session leaves the route that it is on."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.price import Price
from backends.route import Revision, Route
from policies.compile import decide
from policies.decide import Decision
from policies.kinds import Stick
from policies.objectives import Figure
from policies.policy import Objective, Policy
from policies.request import RequestTraits
from policies.requirements import PassAt1
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot
from policies.stick import Stay, stay

MakeCard = Callable[..., Scorecard]
REVISION = Revision().id


def route(name: str, price: int, cached: int | None = None) -> Route:
    return Route(name, "vllm", "m", Price(price, price, cached))


def decision(
    routes: list[Route],
    previous: str | None,
    margin: float = 0.05,
    evidence: Snapshot | None = None,
    objective: Objective = "cheapest",
) -> Decision:
    policy = Policy("p", objective, stick=Stick(margin))
    return decide(policy, routes, evidence or Snapshot(), RequestTraits(100, previous=previous))


def test_it_stays_unless_the_gain_beats_the_margin() -> None:
    for price, chosen in ((100, "a"), (96, "a"), (95, "a"), (94, "b"), (10, "b")):
        made = decision([route("a", 100), route("b", price)], "a")
        assert made.routes[0].name == chosen, price
    assert [r.name for r in decision([route("a", 100), route("b", 96)], "a").routes] == ["a", "b"]
    assert [r.name for r in decision([route("a", 100), route("b", 96)], None).routes] == ["b", "a"]


def test_a_cold_cache_is_part_of_the_price_of_a_change() -> None:
    # b reads three tokens of four anew, at 80 instead of 8: 54 of the 100 that a request costs on a.
    cached = [route("a", 100, 10), route("b", 80, 8)]
    assert decision(cached, "a").routes[0].name == "a"
    assert decision(cached, "b").routes[0].name == "b"
    assert decision([route("a", 100, 10), route("b", 20, 2)], "a").routes[0].name == "b"
    explained = decision(cached, "a").explain()
    reason = "stays on a, as b gains 20.0%, not more than 5.0% of margin and 54.0% for a cold cache"
    assert explained["stick"] == {"margin": 0.05, "previous": "a", "reason": reason}


def test_a_route_that_may_not_serve_is_left() -> None:
    made = decision([route("b", 100)], "a")
    assert made.routes[0].name == "b"
    assert made.explain()["stick"]["reason"] == "leaves a, which may not serve this"


def test_points_of_accuracy_count_as_they_are(make_card: MakeCard) -> None:
    routes = [route("a", 1, 0), route("b", 9, 1)]
    for accuracy, chosen in ((0.84, "a"), (0.86, "b")):
        evidence = Snapshot(1, (make_card("a", REVISION, 0.8), make_card("b", REVISION, accuracy)))
        assert decision(routes, "a", evidence=evidence, objective="most_accurate").routes[0].name == chosen


def test_an_unmeasured_route_is_left_for_a_measured_one(make_card: MakeCard) -> None:
    evidence = Snapshot(1, (make_card("b", REVISION, 0.1),))
    made = decision([route("a", 1), route("b", 1)], "a", evidence=evidence, objective="most_accurate")
    assert made.routes[0].name == "b"
    assert made.explain()["stick"]["reason"] == "leaves a, which is unmeasured, for b"
    neither = decision([route("b", 1), route("a", 1)], "b", objective="most_accurate")
    assert neither.routes[0].name == "b"


def test_nothing_is_cheaper_than_free() -> None:
    assert decision([route("a", 0), route("b", 0)], "b").routes[0].name == "b"


def test_otherwise_sticks_too(make_card: MakeCard) -> None:
    evidence = Snapshot(1, (make_card("a", REVISION, 0.5), make_card("b", REVISION, 0.52)))
    policy = Policy("p", "cheapest", (PassAt1("humaneval+", 0.9),), "most_accurate", stick=Stick(0.05))
    made = decide(policy, [route("a", 1), route("b", 1)], evidence, RequestTraits(previous="a"))
    assert made.used_otherwise and made.routes[0].name == "a"


@pytest.mark.parametrize(("weights", "stays"), [((("cheapest", 1.0),), True), ((("fastest", 1.0),), False)])
def test_a_weighted_objective_counts_the_cold_cache_as_it_counts_money(
    weights: tuple[tuple[str, float], ...], stays: bool
) -> None:
    policy = Policy("p", "weighted", weights=weights, stick=Stick(0.05))  # type: ignore[arg-type]
    old, new = Figure(1.0, "score", ""), Figure(0.7, "score", "")
    assert stay(policy, "weighted", (route("a", 100, 10), old), (route("b", 80, 8), new)).stays is stays


figures = st.builds(
    Figure, st.none() | st.floats(0, 1e9), st.sampled_from(["nanousd", "ms", "share", "score"]), st.just("")
)
prices = st.builds(Price, st.integers(0, 10**9), st.integers(0, 10**9), st.none() | st.integers(0, 10**9))


@given(figures, figures, prices, prices, st.floats(0, 0.99), st.floats(0, 0.99))
def test_a_larger_margin_never_lets_a_session_go_that_stayed(
    old: Figure, new: Figure, one: Price, other: Price, margin: float, larger: float
) -> None:
    def found(margin: float) -> Stay:
        policy = Policy("p", "cheapest", stick=Stick(margin))
        return stay(policy, "cheapest", (Route("a", "vllm", "m", one), old), (Route("b", "vllm", "m", other), new))

    less, more = sorted((margin, larger))
    assert not found(less).stays or found(more).stays
    assert found(less).reason
