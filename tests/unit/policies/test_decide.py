import json
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.price import Price
from backends.route import Revision, Route
from policies.compile import compile_policy, decide
from policies.costs import CostPerMonth, MeasuredCost, PricePer1k
from policies.facts import HasCapabilities, OutputAtLeast, ResidencyIs
from policies.latency import Latency
from policies.policy import Measure, Policy
from policies.request import RequestTraits
from policies.requirements import PassAt1, Requirement
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot

MakeCard = Callable[..., Scorecard]
ANY = RequestTraits()
GATE = PassAt1("humaneval+", 0.80)


def route(name: str, usd: int = 1, **facts: Any) -> Route:
    return replace(Route(name, "vllm", "m", Price(usd, usd)), **facts)


def names(routes: tuple[Route, ...]) -> list[str]:
    return [route.name for route in routes]


REVISION = Revision().id
CHEAP, DEAR = route("cheap", 1), route("dear", 5)


def test_cheapest_blends_three_input_tokens_to_one_output_token() -> None:
    wordy = route("wordy", price=Price(100, 900))  # blended 300
    terse = route("terse", price=Price(290, 290))
    decision = decide(Policy("p"), [wordy, terse], Snapshot(), ANY)
    assert names(decision.routes) == ["terse", "wordy"]
    assert decision.explain()["routes"][1]["objective"]["value"] == 300


def test_ties_go_by_name_and_not_by_the_order_of_the_file() -> None:
    routes = [route("b"), route("c"), route("a")]
    assert names(decide(Policy("p"), routes, Snapshot(), ANY).routes) == ["a", "b", "c"]


def test_most_accurate_goes_by_the_mean_on_the_policys_suite(make_card: MakeCard) -> None:
    evidence = Snapshot(
        1,
        (
            make_card("cheap", REVISION, 0.90),
            make_card("dear", REVISION, 0.95),
            make_card("cheap", REVISION, 0.99, suite="mbpp+"),
        ),
    )
    policy = Policy("p", "most_accurate", (GATE,))
    assert names(decide(policy, [CHEAP, DEAR], evidence, ANY).routes) == ["dear", "cheap"]


def test_most_accurate_without_a_suite_takes_the_one_most_routes_share(make_card: MakeCard) -> None:
    evidence = Snapshot(
        1,
        (
            make_card("cheap", REVISION, 0.99, suite="alone"),
            make_card("cheap", REVISION, 0.5, suite="shared"),
            make_card("dear", REVISION, 0.6, suite="shared"),
        ),
    )
    decision = decide(Policy("p", "most_accurate"), [CHEAP, DEAR, route("new")], evidence, ANY)
    assert names(decision.routes) == ["dear", "cheap", "new"]


def test_fastest_goes_by_the_median_first_token(make_card: MakeCard) -> None:
    evidence = Snapshot(
        1, (make_card("cheap", REVISION, ttft_p50_ms=300.0), make_card("dear", REVISION, ttft_p50_ms=20.0))
    )
    assert names(decide(Policy("p", "fastest"), [CHEAP, DEAR], evidence, ANY).routes) == ["dear", "cheap"]


def test_raising_a_requirement_moves_the_choice_to_the_better_route(make_card: MakeCard) -> None:
    evidence = Snapshot(1, (make_card("cheap", REVISION, 0.75), make_card("dear", REVISION, 0.95)))
    for at_least, chosen in ((0.60, "cheap"), (0.80, "dear")):
        policy = Policy("auto", "cheapest", (PassAt1("humaneval+", at_least),))
        assert names(decide(policy, [CHEAP, DEAR], evidence, ANY).routes)[0] == chosen


def test_a_new_scorecard_changes_the_choice(make_card: MakeCard) -> None:
    policy = Policy("auto", "cheapest", (GATE,))
    before = Snapshot(1, (make_card("dear", REVISION, 0.95),))
    after = Snapshot(2, (*before.scorecards, make_card("cheap", REVISION, 0.95)))
    assert names(decide(policy, [CHEAP, DEAR], before, ANY).routes) == ["dear"]
    assert names(decide(policy, [CHEAP, DEAR], after, ANY).routes) == ["cheap", "dear"]


def test_unmeasured_routes_are_used_only_where_the_policy_allows() -> None:
    refusing = Policy("p", "cheapest", (GATE,))
    assert decide(refusing, [CHEAP], Snapshot(), ANY).routes == ()
    allowing = decide(replace(refusing, unmeasured="allow"), [CHEAP], Snapshot(), ANY)
    assert names(allowing.routes) == ["cheap"]
    assert "the policy allows unmeasured routes" in json.dumps(allowing.explain())


def test_allowing_unmeasured_routes_does_not_excuse_a_bad_score(make_card: MakeCard) -> None:
    policy = Policy("p", "cheapest", (GATE,), unmeasured="allow")
    assert decide(policy, [CHEAP], Snapshot(1, (make_card("cheap", REVISION, 0.1),)), ANY).routes == ()


def test_otherwise_waives_evidence_but_never_facts(make_card: MakeCard) -> None:
    inside = route("inside", 1, residency="self_hosted")
    outside = route("outside", 1)
    evidence = Snapshot(1, (make_card("inside", REVISION, 0.1), make_card("outside", REVISION, 0.7)))
    policy = Policy("p", "cheapest", (ResidencyIs("self_hosted"), GATE), otherwise="most_accurate")
    decision = decide(policy, [inside, outside], evidence, ANY)
    assert names(decision.routes) == ["inside"]
    assert decision.used_otherwise and decision.ordered_by == "most_accurate"
    assert decision.summary() == ("inside: most_accurate of 1; none qualified; outside dropped by residency, pass_at_1")


def test_without_otherwise_the_request_is_refused() -> None:
    decision = decide(Policy("p", "cheapest", (GATE,)), [CHEAP], Snapshot(), ANY)
    assert decision.routes == () and not decision.used_otherwise
    assert decision.summary() == "no route; cheap dropped by pass_at_1"


def test_only_routes_that_serve_now_are_tried() -> None:
    compiled = compile_policy(Policy("p"), [CHEAP, DEAR], Snapshot())
    decision = compiled.decide(ANY, available=frozenset({"dear"}))
    assert names(decision.routes) == ["dear"]
    assert decision.summary() == "dear: cheapest of 1; cheap dropped by available"
    assert compiled.decide(ANY, available=frozenset()).routes == ()


def test_a_request_must_fit_the_window_and_the_languages() -> None:
    small = route("small", 1, context_window=1000, languages=frozenset({"python"}))
    large = route("large", 9)
    compiled = compile_policy(Policy("p"), [small, large], Snapshot())
    assert names(compiled.decide(RequestTraits(600, 400, "python")).routes) == ["small", "large"]
    assert names(compiled.decide(RequestTraits(600, 401, "python")).routes) == ["large"]
    assert names(compiled.decide(RequestTraits(600, 400, "cobol")).routes) == ["large"]
    assert names(compiled.decide(RequestTraits(1000)).routes) == ["small", "large"]


def test_explanation_shows_every_route_figure_and_run_as_json(make_card: MakeCard) -> None:
    evidence = Snapshot(1, (make_card("cheap", REVISION, 0.5, run_id="r-1"), make_card("dear", REVISION, 0.95)))
    policy = Policy("auto", "cheapest", (GATE, Latency("ttft_p99_ms", 2500, "humaneval+")))
    explained = json.loads(json.dumps(decide(policy, [CHEAP, DEAR], evidence, RequestTraits(5, 7, "python")).explain()))
    assert explained["chosen"] == "dear"
    traits = {"input_tokens_estimate": 5, "max_tokens": 7, "language": "python", "needs": []}
    assert explained["request"] == {**traits, "draw": "0" * 16, "previous": None}
    assert [(row["route"], row["kept"]) for row in explained["routes"]] == [("dear", True), ("cheap", False)]
    gate = explained["routes"][1]["findings"][0]
    assert gate["requirement"] == "pass_at_1" and not gate["kept"] and gate["run_id"] == "r-1"
    asked = [finding["requirement"] for finding in explained["routes"][0]["findings"]]
    assert asked == [
        "pass_at_1",
        "ttft_p99_ms",
        "request_context",
        "request_output",
        "request_language",
        "request_capabilities",
        "available",
    ]


# Wild routes, evidence, policies and requests.

capabilities = st.sampled_from(["tools", "vision", "json_schema", "logprobs", "fill_in_the_middle"])
objectives = ["cheapest", "cheapest_per_solved_task", "most_accurate", "fastest", "weighted"]
requirements = st.lists(
    st.one_of(
        st.builds(ResidencyIs, st.sampled_from(["self_hosted", "third_party"])),
        st.builds(HasCapabilities, st.frozensets(capabilities, max_size=2)),
        st.builds(OutputAtLeast, st.integers(1, 500)),
        st.builds(PricePer1k, st.integers(0, 5)),
        st.builds(CostPerMonth, st.just(10**6), st.integers(0, 5)),
        st.builds(MeasuredCost, st.sampled_from(["cost_per_request", "cost_per_solved_task"]), st.integers(0, 5)),
        st.builds(PassAt1, st.just("humaneval+"), st.floats(0.01, 0.99)),
        st.builds(Latency, st.sampled_from(["ttft_p99_ms", "total_p99_ms"]), st.floats(1, 5000)),
    ),
    max_size=4,
).map(tuple)
policies = st.builds(
    Policy,
    st.just("p"),
    st.sampled_from(objectives),
    requirements,
    st.sampled_from([*objectives, "refuse"]),
    st.sampled_from(["refuse", "allow"]),
    st.sampled_from(["measured", "published"]),
    st.just((("cheapest", 1.0), ("most_accurate", 2.0))),
)
fleets = st.lists(
    st.builds(
        route,
        st.sampled_from("abcdefgh"),
        st.integers(0, 5),
        context_window=st.none() | st.integers(1, 2000),
        max_output_tokens=st.none() | st.integers(1, 500),
        capabilities=st.dictionaries(capabilities, st.booleans(), max_size=3),
        residency=st.sampled_from(["self_hosted", "third_party"]),
        languages=st.none() | st.frozensets(st.sampled_from(["python", "rust"])),
    ),
    max_size=8,
    unique_by=lambda route: route.name,
)
requests = st.builds(
    RequestTraits,
    st.integers(0, 2000),
    st.none() | st.integers(0, 500),
    st.sampled_from([None, "python", "cobol"]),
    st.frozensets(capabilities, max_size=2),
)
scores = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.floats(0, 1), st.booleans(), st.integers(0, 10)))
serving = st.none() | st.frozensets(st.sampled_from("abcdefgh"))


def snapshot(make_card: MakeCard, scores: dict[str, tuple[float, bool, int]]) -> Snapshot:
    return Snapshot(
        1,
        tuple(
            make_card(
                name,
                REVISION,
                mean,
                tasks=200 - lost,
                asked=200,
                no_answer=lost,
                partial=partial,
                cost_nanousd=lost * 100,
                statuses={"pass": 200 - lost, "no_answer": lost},
                origin="published" if lost % 3 == 2 else "measured",
            )
            for name, (mean, partial, lost) in scores.items()
        ),
    )


@given(policies, fleets, scores, requests, serving)
def test_a_decision_never_breaks_a_hard_requirement(
    make_card: MakeCard,
    policy: Policy,
    fleet: list[Route],
    scores: dict[str, tuple[float, bool, int]],
    request: RequestTraits,
    available: frozenset[str] | None,
) -> None:
    evidence = snapshot(make_card, scores)
    decision = decide(policy, fleet, evidence, request, available)
    for kept in decision.routes:
        assert available is None or kept.name in available
        assert kept.context_window is None or request.tokens <= kept.context_window
        assert kept.languages is None or request.language is None or request.language in kept.languages
        assert request.max_tokens is None or request.max_tokens <= (kept.max_output_tokens or request.max_tokens)
        assert not [need for need in request.needs if kept.capabilities.get(need) is False]
        seen = evidence.of_origin(policy.evidence)
        judged = [(requirement, requirement.judge(kept, seen)) for requirement in policy.requirements]
        assert all(finding.kept for requirement, finding in judged if requirement.hard)
        assert all(finding.origin in (None, policy.evidence) for _, finding in judged)
        if not decision.used_otherwise:
            excused = policy.unmeasured == "allow"
            assert all(finding.kept or (excused and not finding.measured) for _, finding in judged)


@given(policies, fleets, scores, requests, serving, st.randoms())
def test_same_inputs_give_the_same_decision(
    make_card: MakeCard,
    policy: Policy,
    fleet: list[Route],
    scores: dict[str, tuple[float, bool, int]],
    request: RequestTraits,
    available: frozenset[str] | None,
    chance: Random,
) -> None:
    evidence = snapshot(make_card, scores)
    shuffled = list(fleet)
    chance.shuffle(shuffled)
    one = decide(policy, fleet, evidence, request, available)
    other = decide(policy, shuffled, evidence, request, available)
    assert one.explain() == other.explain()
    assert json.loads(json.dumps(one.explain(), allow_nan=False))["chosen"] == one.explain()["chosen"]
    assert names(one.routes) == [row["route"] for row in one.explain()["routes"] if row["kept"]]


@given(fleets, scores, st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.sampled_from(["refuse", "allow"]))
def test_raising_at_least_never_adds_a_route(
    make_card: MakeCard,
    fleet: list[Route],
    scores: dict[str, tuple[float, bool, int]],
    one: float,
    other: float,
    unmeasured: Literal["refuse", "allow"],
) -> None:
    evidence = snapshot(make_card, scores)

    def kept(at_least: float) -> set[str]:
        gate: tuple[Requirement, ...] = (PassAt1("humaneval+", at_least),)
        policy = Policy("p", "cheapest", gate, unmeasured=unmeasured)
        return set(names(decide(policy, fleet, evidence, ANY).routes))

    assert kept(max(one, other)) <= kept(min(one, other))


@pytest.mark.parametrize("objective", ["cheapest", "most_accurate", "fastest"])
def test_no_routes_is_a_decision_too(objective: Measure) -> None:
    policy = Policy("p", objective)
    assert decide(policy, [], Snapshot(), ANY).explain()["chosen"] is None
