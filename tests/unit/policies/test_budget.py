"""What a policy makes of what is left of a key's budget."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.price import Price
from backends.route import Route
from policies.budget import UNBUDGETED, BudgetAtLeast, BudgetLeft, supposed
from policies.compile import decide
from policies.decide import Decision
from policies.policy import Policy, Unmeasured
from policies.request import RequestTraits
from policies.snapshot import Snapshot

NANO = 1_000_000_000
CHEAP, DEAR = Route("cheap", "vllm", "m", Price(1, 1)), Route("dear", "vllm", "m", Price(5, 5))
DEAR_FIRST = Policy("p", "fastest", budget=BudgetAtLeast(share=0.25, routes=frozenset({"dear"})))


def decided(policy: Policy, left: BudgetLeft | None) -> Decision:
    return decide(policy, [CHEAP, DEAR], Snapshot(), RequestTraits(budget=left))


def names(decision: Decision) -> list[str]:
    return [route.name for route in decision.routes]


def reasons(decision: Decision) -> dict[str, str]:
    found = {each["route"]: each["findings"] for each in decision.explain()["routes"]}
    return {
        name: finding["reason"]
        for name, findings in found.items()
        for finding in findings
        if finding["requirement"] == "budget_left"
    }


def test_a_dear_route_is_for_whoever_has_enough_left() -> None:
    assert names(decided(DEAR_FIRST, BudgetLeft(0.25, NANO))) == ["cheap", "dear"]
    low = decided(DEAR_FIRST, BudgetLeft(0.2, 123_400_000))
    assert names(low) == ["cheap"]
    assert reasons(low) == {
        "cheap": "binds dear only",
        "dear": "20.0% of the key's budget is left ($0.1234), below the required 25%",
    }
    assert "dear dropped by budget_left" in low.summary()
    assert low.explain()["request"]["budget"] == {"share": 0.2, "nanousd": 123_400_000}
    assert reasons(decided(DEAR_FIRST, UNBUDGETED))["dear"] == "no budget limits the key"


def test_dollars_are_dollars() -> None:
    policy = Policy("p", budget=BudgetAtLeast(nanousd=2 * NANO))
    assert names(decided(policy, BudgetLeft(0.001, 2 * NANO))) == ["cheap", "dear"]
    poor = decided(policy, BudgetLeft(0.9, 2 * NANO - 1))
    assert names(poor) == []
    assert reasons(poor)["cheap"].endswith("below the required $2.00")


def test_otherwise_waives_it() -> None:
    policy = Policy("p", "most_accurate", otherwise="cheapest", budget=BudgetAtLeast(share=0.5))
    spare = decided(policy, BudgetLeft(0.4, NANO))
    assert (names(spare), spare.used_otherwise) == (["cheap", "dear"], True)


@pytest.mark.parametrize(("unmeasured", "kept"), [("refuse", ["cheap"]), ("allow", ["cheap", "dear"])])
def test_what_is_not_known_is_not_zero(unmeasured: Unmeasured, kept: list[str]) -> None:
    decision = decided(replace(DEAR_FIRST, unmeasured=unmeasured), None)
    assert names(decision) == kept
    assert reasons(decision)["dear"].startswith("what is left of the key's budget is not known at the moment")


def test_what_somebody_supposes() -> None:
    assert supposed(None, None) == UNBUDGETED
    assert supposed(0.1, None).share == 0.1
    assert supposed(None, 2.5) == BudgetLeft(1.0, 2_500_000_000)
    assert names(decided(DEAR_FIRST, supposed(None, 0))) == ["cheap", "dear"]


def test_a_policy_that_does_not_ask_says_nothing_of_budgets() -> None:
    decision = decided(Policy("p"), BudgetLeft(0.0, 0))
    assert names(decision) == ["cheap", "dear"]
    assert "budget" not in decision.explain()["request"]
    assert not reasons(decision)


@given(
    st.builds(BudgetAtLeast, st.floats(0, 1), st.none(), st.none() | st.sets(st.sampled_from("ab")).map(frozenset)),
    st.none() | st.builds(BudgetLeft, st.floats(0, 1), st.integers(0, 10**15)),
    st.booleans(),
)
def test_what_is_kept_is_what_is_judged_so(bar: BudgetAtLeast, left: BudgetLeft | None, unknown: bool) -> None:
    routes = [replace(CHEAP, name=name) for name in "ab"]
    kept = bar.kept(routes, left, unknown=unknown)
    assert kept == [route for route in routes if bar.judge(route, left, unknown=unknown).kept]
    if left is not None and left.nanousd is not None and bar.share is not None and left.share < bar.share:
        assert all(bar.routes is not None and route.name not in bar.routes for route in kept)
