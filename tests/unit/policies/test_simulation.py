from collections.abc import Callable

import pytest

from backends.price import Price
from backends.route import Revision, Route
from backends.usage import Usage
from policies.compile import compile_policy
from policies.facts import ResidencyIs
from policies.kinds import Stick, Weighted
from policies.languages import OF_REQUEST
from policies.policy import Policy
from policies.requirements import PassAt1
from policies.scorecard import Scorecard
from policies.simulation import Past, Side, at_revisions, simulate, solved
from policies.snapshot import Snapshot

MakeCard = Callable[..., Scorecard]
MILLION = 1_000_000

CHEAP = Route("cheap", "vllm", "m", Price(1_000, 2_000), residency="self_hosted", context_window=1000)
DEAR = Route("dear", "vllm", "m", Price(10_000, 20_000, cached_input=1_000))


def past(route: Route = DEAR, **changes: object) -> Past:
    fields = {"usage": Usage(100, 50), "cost_nanousd": 7, **changes}
    return Past(route.name, route.revision.id, **fields)  # type: ignore[arg-type]


def test_every_request_is_priced_by_the_route_that_the_policy_picks() -> None:
    usage = Usage(MILLION // 2000, MILLION // 2000)
    policy = compile_policy(Policy("p", "cheapest"), [CHEAP, DEAR], Snapshot())
    found = simulate(policy, [past(usage=usage, cost_nanousd=11), past(usage=usage, cost_nanousd=12)])
    assert (found.requests, found.moved, found.refused) == (2, 2, 0)
    assert found.before.cost_nanousd == 23 and found.before.routes == {"dear": 2}
    assert found.after.cost_nanousd == 2 * CHEAP.price.cost(usage) and found.after.routes == {"cheap": 2}
    assert found.after.costs == {"cheap": found.after.cost_nanousd}


def test_what_the_provider_had_cached_counts_only_where_the_route_stays() -> None:
    usage = Usage(500_000, 0, cached_input_tokens=500_000)
    only_dear = compile_policy(Policy("p", "cheapest"), [DEAR], Snapshot())
    stays = simulate(only_dear, [past(DEAR, usage=usage), past(CHEAP, usage=usage)])
    assert stays.after.cost_nanousd == DEAR.price.cost(usage) + DEAR.price.cost(Usage(500_000, 0))


def test_a_request_that_no_route_may_serve_is_refused_and_on_neither_side() -> None:
    policy = Policy("p", "cheapest", (ResidencyIs("self_hosted"),))
    compiled = compile_policy(policy, [CHEAP, DEAR], Snapshot())
    found = simulate(compiled, [past(usage=Usage(900, 101)), past(usage=Usage(900, 100), cost_nanousd=3)])
    assert (found.requests, found.refused, found.before.cost_nanousd) == (1, 1, 3)


def test_each_language_goes_where_the_gate_sends_it(make_card: MakeCard) -> None:
    def card(route: Route, language: str, mean: float) -> Scorecard:
        return make_card(route.name, route.revision.id, mean, language=language)

    evidence = Snapshot(
        1, (card(CHEAP, "python", 0.95), card(CHEAP, "rust", 0.3), card(DEAR, "python", 0.95), card(DEAR, "rust", 0.95))
    )
    policy = Policy("p", "cheapest", (PassAt1("humaneval+", 0.8, OF_REQUEST),))
    compiled = compile_policy(policy, [CHEAP, DEAR], evidence)
    found = simulate(compiled, [past(language="python"), past(language="rust"), past(language="rust")])
    assert found.after.routes == {"cheap": 1, "dear": 2} and found.moved == 1
    expected = solved(found.after, "humaneval+", evidence)
    assert expected is not None
    assert (expected.requests, expected.by_language) == (3, 3)
    assert expected.share == pytest.approx(0.95)


def test_what_is_solved_is_expected_by_the_requests_language_or_else_the_whole_suite(make_card: MakeCard) -> None:
    evidence = Snapshot(
        1,
        (
            make_card("cheap", "r", 0.5, language="rust"),
            make_card("cheap", "r", 0.8, language="all", tasks=600),
            make_card("part", "r", 0.9, partial=True),
        ),
    )
    side = Side()
    for route, language, requests in (("cheap", "rust", 3), ("cheap", "go", 2), ("cheap", None, 1), ("part", None, 9)):
        for _ in range(requests):
            side.add(route, "r", language, 0)
    found = solved(side, "humaneval+", evidence)
    assert found is not None
    assert (found.requests, found.by_language) == (6, 3)
    assert found.share == pytest.approx((3 * 0.5 + 3 * 0.8) / 6)
    low, high = found.interval
    assert low < found.share < high
    assert solved(side, "another", evidence) is None


def test_the_interval_holds_for_all_scorecards_together(make_card: MakeCard) -> None:
    """One scorecard: its own interval at 95%. Two alike: each at 97.5%, which is wider."""
    cards = (make_card("a", "r", 0.5), make_card("b", "r", 0.5))
    one, two = Side(), Side()
    one.add("a", "r", None, 0)
    two.add("a", "r", None, 0)
    two.add("b", "r", None, 0)
    of_one, of_two = (solved(side, "humaneval+", Snapshot(1, cards)) for side in (one, two))
    assert of_one is not None and of_two is not None
    assert of_one.interval == pytest.approx((0.4243, 0.5757), abs=1e-3)  # Wilson, 82 of 164
    assert of_two.interval[0] < of_one.interval[0] and of_two.interval[1] > of_one.interval[1]


def test_evidence_is_found_under_the_revision_that_the_file_declares(make_card: MakeCard) -> None:
    observed = Revision(None, {"version": "0.32"}).id
    stored = Snapshot(1, (make_card("cheap", observed, 0.9), make_card("cheap", "older", 0.1)))
    evidence = at_revisions(stored, [CHEAP, DEAR], {"cheap": observed, "gone": "x"})
    found = evidence.scorecard("cheap", CHEAP.revision.id, "humaneval+", None)
    assert found is not None and found.pass_at_1 == 0.9
    assert evidence.scorecard("cheap", observed, "humaneval+", None) is not None, "what answered then is there, too"


def test_sessions_are_dealt_and_stay_as_the_policy_says() -> None:
    halves = Policy("p", kind=Weighted((("cheap", 1.0), ("dear", 1.0))))
    compiled = compile_policy(halves, [CHEAP, DEAR], Snapshot())
    requests = [past(session=str(n), draw=n * (2**64 // 100)) for n in range(100)]
    dealt = simulate(compiled, [*requests, *requests]).after.routes
    assert dealt["cheap"] + dealt["dear"] == 200 and min(dealt.values()) > 40

    long, short = past(session="s", usage=Usage(2000, 1)), past(session="s", usage=Usage(10, 1))
    for margin, second in ((0.95, "dear"), (0.5, "cheap")):  # the cheap route is 90% cheaper
        sticks = compile_policy(Policy("p", "cheapest", stick=Stick(margin)), [CHEAP, DEAR], Snapshot())
        assert [route for route, _, _ in simulate(sticks, [long]).after.cells] == ["dear"]
        only_second = simulate(sticks, [long, short]).after.routes - simulate(sticks, [long]).after.routes
        assert only_second == {second: 1}
        alone = simulate(sticks, [long, past(usage=Usage(10, 1))]).after.routes
        assert alone == {"dear": 1, "cheap": 1}, "who names no session has none to stay in"
