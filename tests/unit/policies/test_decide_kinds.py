"""Decisions of policies of every kind: weighted, canary, fallback, with shadows and sticking."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backends.price import Price
from backends.route import Revision, Route
from policies.compile import compile_policy, decide
from policies.dealing import salt_of
from policies.facts import ResidencyIs
from policies.kinds import Canary, Fallback, Shadow, Stick, Weighted
from policies.policy import Policy
from policies.request import RequestTraits
from policies.requirements import PassAt1
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot

MakeCard = Callable[..., Scorecard]
REVISION = Revision().id
NAMES = "abcdef"
ANY = RequestTraits()


def route(name: str, usd: int = 1, **facts: Any) -> Route:
    return replace(Route(name, "vllm", "m", Price(usd, usd)), **facts)


FLEET = [route(name, place) for place, name in enumerate(NAMES)]
CANARY = Policy("p", kind=Canary("a", "b", "humaneval+", at_least=0.8))
DRAWS = [salt_of(str(number)) for number in range(1000)]


def names(routes: tuple[Route, ...]) -> list[str]:
    return [route.name for route in routes]


def reasons(explained: dict[str, Any], name: str) -> list[str]:
    (found,) = (each for each in explained["routes"] if each["route"] == name)
    return [finding["reason"] for finding in found["findings"] if not finding["kept"]]


def test_fallback_is_the_first_in_the_list_that_may_serve() -> None:
    compiled = compile_policy(Policy("p", kind=Fallback(("c", "a", "b"))), FLEET, Snapshot())
    assert names(compiled.decide(ANY).routes) == ["c", "a", "b"]
    without = compiled.decide(ANY, available=frozenset("abdef"))
    assert names(without.routes) == ["a", "b"]
    explained = without.explain()
    assert (explained["kind"], explained["objective"]) == ("fallback", None)
    assert explained["routes"][0]["objective"]["value"] == 2
    assert reasons(explained, "c") == ["not serving: no replica is healthy"]
    assert reasons(explained, "d") == ["the policy names a, b, c, and not this one"]
    assert without.summary().startswith("a: fallback of 2; c dropped by available")


def test_weighted_keeps_a_session_on_its_route_and_drops_what_breaks_a_requirement() -> None:
    outside = [replace(each, residency="self_hosted") if each.name in "ab" else each for each in FLEET]
    kind = Weighted((("a", 1.0), ("b", 1.0), ("c", 2.0)))
    compiled = compile_policy(Policy("p", "cheapest", (ResidencyIs("self_hosted"),), kind=kind), outside, Snapshot())
    counts = Counter(compiled.decide(RequestTraits(draw=draw)).routes[0].name for draw in DRAWS)
    assert counts.keys() == {"a", "b"} and abs(counts["a"] - counts["b"]) < 160
    explained = compiled.decide(RequestTraits(draw=DRAWS[0])).explain()
    shares = {each["route"]: each["objective"]["value"] for each in explained["routes"]}
    assert (shares["a"], shares["c"], shares["d"]) == (0.25, 0.5, None)


def test_a_canary_sends_its_share_and_no_more(make_card: MakeCard) -> None:
    compiled = compile_policy(CANARY, FLEET, Snapshot(1, (make_card("b", REVISION, 1.0, tasks=100),)))
    decisions = [compiled.decide(RequestTraits(draw=draw)) for draw in DRAWS]
    counts = Counter(tuple(names(decision.routes)) for decision in decisions)
    assert counts.keys() == {("a",), ("b", "a")}
    assert 260 < counts["b", "a"] < 380  # 32%
    passed_by = next(each for each in decisions if len(each.routes) == 1).explain()
    assert reasons(passed_by, "b") == ["this session is not dealt to it, and it stands in for none"]
    figure = next(each["objective"] for each in passed_by["routes"] if each["route"] == "b")
    assert figure["value"] == 0.32 and figure["run_id"] == "run-b" and "after 100 scored tasks" in figure["meaning"]


def test_a_canary_is_no_substitute_for_the_stable_route() -> None:
    down = frozenset("bcdef")
    for policy in (CANARY, replace(CANARY, otherwise="cheapest")):
        compiled = compile_policy(policy, FLEET, Snapshot())
        answered = [draw for draw in DRAWS if compiled.decide(RequestTraits(draw=draw), down).routes]
        assert len(answered) < 40  # 1%


def test_a_canary_that_has_everything_may_fall_back_both_ways(make_card: MakeCard) -> None:
    compiled = compile_policy(CANARY, FLEET, Snapshot(1, (make_card("b", REVISION, 1.0),)))
    assert {tuple(names(compiled.decide(RequestTraits(draw=draw)).routes)) for draw in DRAWS} == {("b", "a")}
    assert names(compiled.decide(ANY, frozenset("a")).routes) == ["a"]


def test_as_the_canary_grows_sessions_only_move_to_it(make_card: MakeCard) -> None:
    def on_candidate(tasks: int) -> set[int]:
        compiled = compile_policy(CANARY, FLEET, Snapshot(1, (make_card("b", REVISION, 1.0, tasks=tasks),)))
        return {draw for draw in DRAWS if compiled.decide(RequestTraits(draw=draw)).routes[0].name == "b"}

    grown = [on_candidate(tasks) for tasks in (1, 40, 80, 120, 140)]
    assert all(before <= after for before, after in pairwise(grown))
    assert len(grown[0]) < 40 and len(grown[-1]) == len(DRAWS)


def test_a_shadow_is_bound_by_facts_and_not_by_evidence() -> None:
    fleet = [route("a", residency="self_hosted"), route("b", 9, residency="self_hosted", context_window=10), route("c")]
    gate = PassAt1("humaneval+", 0.8)
    for to, tokens, mirrored, reason in (
        ("b", 5, True, "mirrored to b, as far as the budget goes"),
        ("b", 11, False, "the request's 11 tokens (estimated input and max_tokens) exceed the context window of 10"),
        ("c", 5, False, "never mirrored to c: residency is third_party, not the required self_hosted"),
        ("a", 5, False, "nothing to compare: it answers itself"),
    ):
        policy = Policy("p", "cheapest", (ResidencyIs("self_hosted"), gate), "cheapest", shadow=Shadow(to))
        decision = decide(policy, fleet, Snapshot(), RequestTraits(tokens))
        assert decision.routes[0].name == "a" and (decision.shadow is not None) is mirrored
        explained = decision.explain()["shadow"]
        assert (explained["mirrored"], explained["reason"]) == (mirrored, reason)
    assert decide(policy, fleet, Snapshot(), ANY, frozenset("c")).shadow is None
    serving = decide(replace(policy, shadow=Shadow("b")), fleet, Snapshot(), ANY, frozenset("a"))
    assert serving.explain()["shadow"]["reason"] == "b is not serving"


def test_a_shadow_takes_its_share_of_the_sessions() -> None:
    compiled = compile_policy(Policy("p", shadow=Shadow("f", 0.2)), FLEET, Snapshot())
    taken = sum(compiled.decide(RequestTraits(draw=draw)).shadow is not None for draw in DRAWS)
    assert 140 < taken < 260


# Wild policies of every kind.

some = st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True)
kinds = st.one_of(
    st.none(),
    st.dictionaries(st.sampled_from(NAMES), st.floats(0.1, 9), min_size=1).map(
        lambda weights: Weighted(tuple(weights.items()))
    ),
    some.map(lambda listed: Fallback(tuple(listed))),
    st.permutations(NAMES).flatmap(
        lambda mixed: st.builds(
            Canary,
            st.just(mixed[0]),
            st.just(mixed[1]),
            st.just("humaneval+"),
            at_least=st.none() | st.floats(0.1, 0.9),
            start=st.floats(0.01, 0.5),
            until=st.floats(0.5, 1),
        )
    ),
)
policies = st.builds(
    Policy,
    st.just("p"),
    st.sampled_from(["cheapest", "most_accurate", "fastest"]),
    st.sampled_from([(), (ResidencyIs("self_hosted"),), (PassAt1("humaneval+", 0.7),)]),
    st.sampled_from(["cheapest", "most_accurate", "refuse"]),
    st.sampled_from(["refuse", "allow"]),
    kind=kinds,
    shadow=st.none() | st.builds(Shadow, st.sampled_from(NAMES), st.floats(0, 1)),
).flatmap(
    lambda policy: (
        st.just(policy)
        if policy.kind is not None
        else st.builds(replace, st.just(policy), stick=st.none() | st.builds(Stick, st.floats(0, 0.9)))
    )
)
fleets = st.tuples(
    *(
        st.builds(
            route,
            st.just(name),
            st.integers(0, 5),
            context_window=st.none() | st.integers(1, 2000),
            residency=st.sampled_from(["self_hosted", "third_party"]),
        )
        for name in NAMES
    )
).map(list)
requests = st.builds(
    RequestTraits,
    st.integers(0, 2000),
    draw=st.integers(0, 2**64 - 1),
    previous=st.none() | st.sampled_from(NAMES),
)
scores = st.dictionaries(st.sampled_from(NAMES), st.tuples(st.floats(0, 1), st.integers(1, 300)))
serving = st.none() | st.frozensets(st.sampled_from(NAMES))
Scores = dict[str, tuple[float, int]]


def snapshot(make_card: MakeCard, scores: Scores) -> Snapshot:
    return Snapshot(1, tuple(make_card(name, REVISION, mean, tasks=tasks) for name, (mean, tasks) in scores.items()))


@given(policies, fleets, scores, requests, serving)
def test_no_kind_breaks_a_hard_requirement_nor_does_its_shadow(
    make_card: MakeCard,
    policy: Policy,
    fleet: list[Route],
    scores: Scores,
    request: RequestTraits,
    available: frozenset[str] | None,
) -> None:
    evidence = snapshot(make_card, scores)
    decision = decide(policy, fleet, evidence, request, available)
    mirrored = () if decision.shadow is None else (decision.shadow,)
    for kept in (*decision.routes, *mirrored):
        assert available is None or kept.name in available
        assert kept.context_window is None or request.tokens <= kept.context_window
        assert all(each.judge(kept, evidence).kept for each in policy.requirements if each.hard)
    assert policy.kind is None or set(names(decision.routes)) <= set(policy.kind.routes)
    if isinstance(policy.kind, Canary) and names(decision.routes)[:1] == [policy.kind.stable]:
        whole = decision.explain()["routes"]
        share = next(each["objective"]["value"] for each in whole if each["route"] == policy.kind.candidate)
        assert len(decision.routes) == 1 or share == 1 or decision.used_otherwise


@given(policies, fleets, scores, requests, serving, st.randoms())
def test_same_inputs_same_decision_and_no_flip_without_a_shown_reason(
    make_card: MakeCard,
    policy: Policy,
    fleet: list[Route],
    scores: Scores,
    request: RequestTraits,
    available: frozenset[str] | None,
    chance: Random,
) -> None:
    evidence = snapshot(make_card, scores)
    shuffled = list(fleet)
    chance.shuffle(shuffled)
    explained = decide(policy, fleet, evidence, request, available).explain()
    assert explained == decide(policy, shuffled, evidence, request, available).explain()
    assert json.loads(json.dumps(explained, allow_nan=False))["chosen"] == explained["chosen"]
    for each in explained["routes"]:
        dropped = [finding for finding in each["findings"] if not finding["kept"]]
        assert each["kept"] or dropped, "a route is dropped without a reason"


@given(policies, fleets, scores, scores, requests, requests, serving, serving, st.sets(st.integers(0, 2)))
def test_two_requests_that_are_answered_differently_differ_in_what_is_shown(
    make_card: MakeCard,
    policy: Policy,
    fleet: list[Route],
    one: Scores,
    other: Scores,
    first: RequestTraits,
    second: RequestTraits,
    serving_first: frozenset[str] | None,
    serving_second: frozenset[str] | None,
    same: set[int],
) -> None:
    other = one if 0 in same else other
    second = first if 1 in same else second
    serving_second = serving_first if 2 in same else serving_second
    before = decide(policy, fleet, snapshot(make_card, one), first, serving_first).explain()
    after = decide(policy, fleet, snapshot(make_card, other), second, serving_second).explain()

    def shown(explained: dict[str, Any]) -> Any:
        routes = {each["route"]: (each["objective"], each["findings"]) for each in explained["routes"]}
        return routes, explained["request"]["draw"], explained["request"]["previous"], explained["used_otherwise"]

    if before["chosen"] != after["chosen"]:
        assert shown(before) != shown(after)
