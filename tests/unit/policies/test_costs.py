from collections.abc import Callable
from dataclasses import replace

import pytest

from backends.price import Price
from backends.route import Revision, Route
from policies.costs import CostPerMonth, MeasuredCost, PricePer1k
from policies.requirements import Requirement
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot

ROUTE = Route("a", "vllm", "m", Price(1_000_000_000, 5_000_000_000), revision=Revision("one"))  # $2 a million, blended
REVISION = ROUTE.revision.id
MakeCard = Callable[..., Scorecard]


@pytest.mark.parametrize(
    ("requirement", "kept", "reason"),
    [
        (PricePer1k(2_000_000), True, "1,000 tokens cost $0.002, within the required $0.002"),
        (PricePer1k(1_999_999), False, "1,000 tokens cost $0.002, above the required $0.002"),
        (
            CostPerMonth(40_000, 100_000_000),
            True,
            "40,000 tokens a month at $0.002 per 1,000 come to $0.08, within the required $0.1",
        ),
        (
            CostPerMonth(3_000_000_000, 5_000_000_000_000),
            False,
            "3,000,000,000 tokens a month at $0.002 per 1,000 come to $6,000, above the required $5,000",
        ),
    ],
)
def test_declared_prices_are_facts(requirement: Requirement, kept: bool, reason: str) -> None:
    finding = requirement.judge(ROUTE, Snapshot())
    assert requirement.hard
    assert (finding.kept, finding.reason) == (kept, reason)


def test_measured_costs_are_of_whole_runs_with_their_failures(make_card: MakeCard) -> None:
    card = make_card("a", REVISION, 0.5, tasks=100, cost_nanousd=200_000_000, statuses={"pass": 50, "fail": 50})
    evidence = Snapshot(1, (card,))
    request = MeasuredCost("cost_per_request", 2_000_000).judge(ROUTE, evidence)
    assert (request.kept, request.figure, request.origin) == (True, 2_000_000, "measured")
    assert request.reason == "a request costs $0.002 on humaneval+, within the required $0.002; run run-a"
    solved = MeasuredCost("cost_per_solved_task", 3_000_000, "humaneval+", "python").judge(ROUTE, evidence)
    assert (solved.kept, solved.figure) == (False, 4_000_000)
    assert solved.reason == "a solved task costs $0.004 on humaneval+, above the required $0.003; run run-a"


def test_what_solved_nothing_has_no_cost_per_solved_task_but_is_not_unmeasured(make_card: MakeCard) -> None:
    card = make_card("a", REVISION, 0.0, cost_nanousd=1_000_000_000, statuses={"fail": 164})
    finding = MeasuredCost("cost_per_solved_task", 10**15).judge(ROUTE, Snapshot(1, (card,)))
    assert not finding.kept and finding.measured and finding.figure is None
    assert finding.reason == "nothing was solved on humaneval+, for $1; run run-a"


def test_an_unknown_cost_is_not_zero(make_card: MakeCard) -> None:
    unknown = make_card("a", REVISION, manifest={"cost_unknown": 164}, statuses={"pass": 164})
    untold = make_card("a", REVISION, suite="mbpp+", cost_nanousd=5)
    for requirement, cards in (
        (MeasuredCost("cost_per_request", 10**15), (unknown,)),
        (MeasuredCost("cost_per_solved_task", 10**15), (unknown, untold)),
        (MeasuredCost("cost_per_request", 10**15), ()),
    ):
        finding = requirement.judge(ROUTE, Snapshot(1, cards))
        assert not requirement.hard
        assert not finding.kept and not finding.measured and "no run tells" in finding.reason


def test_a_cost_is_that_of_the_newest_whole_run_that_tells_it(make_card: MakeCard) -> None:
    old = make_card("a", REVISION, cost_nanousd=164, run_id="old")
    partial = make_card("a", REVISION, suite="s", measured_at="2026-03-01T00:00:00Z", cost_nanousd=9, partial=True)
    newer = replace(partial, suite="t", partial=False, manifest={"cost_unknown": 164})
    finding = MeasuredCost("cost_per_request", 1).judge(ROUTE, Snapshot(1, (newer, old, partial)))
    assert (finding.kept, finding.figure, finding.run_id) == (True, 1, "old")
