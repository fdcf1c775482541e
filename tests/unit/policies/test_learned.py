"""Learned picks: within what the policy keeps, only where the model knows, and always with a reason."""

import json
from dataclasses import replace
from math import exp
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.price import Price
from backends.route import Capability, Residency, Revision, Route
from policies.compile import compile_policy
from policies.decide import Decision
from policies.facts import ResidencyIs
from policies.features import NUMBERS, Features, features
from policies.learned import LearnedModel, Prompt
from policies.policy import Policy
from policies.request import RequestTraits
from policies.requirements import PassAt1
from policies.snapshot import Snapshot
from tests.fixtures.learned_file import WORTH, model_file

SMALL = Route("small", "vllm", "m", Price(1, 1), residency="self_hosted")
LARGE = Route("large", "vllm", "m", Price(5, 5), residency="self_hosted")
OTHER = Route("other", "vllm", "m", Price(3, 3), residency="self_hosted")
REVISIONS = {route.name: route.revision.id for route in (SMALL, LARGE)}
MODEL = LearnedModel.of(model_file(revisions=REVISIONS), WORTH, "learned.json")
SHORT, LONG = (Prompt(features(text, "python"), "python") for text in ("sort it", "sort it, unless " * 150))
POLICY = Policy("auto", "cheapest", learned=MODEL)


def decided(prompt: Prompt | None, *routes: Route, policy: Policy = POLICY, **traits: Any) -> Decision:
    fleet = routes or (SMALL, LARGE)
    return compile_policy(policy, fleet, Snapshot()).decide(RequestTraits(prompt=prompt, **traits))


def order(decision: Decision) -> list[str]:
    return [route.name for route in decision.routes]


def test_what_the_small_route_solves_goes_there_and_the_rest_to_the_large_one() -> None:
    short, long = decided(SHORT), decided(LONG)
    assert (order(short), order(long)) == (["small", "large"], ["large", "small"])
    assert short.reason == long.reason == "learned of 2 kept, 0 dropped"
    assert long.summary() == "large: learned of 2"
    told = long.explain()["learned"]
    assert (told["model"], told["picked"], told["worth_nanousd"]) == ("learned.json", "large", WORTH)
    assert told["reason"].startswith("learned.json picks large: chance of solving this and cost of a task are small 0.")
    assert [odds["route"] for odds in told["odds"]] == ["small", "large"]


def test_a_prompt_is_nowhere_in_an_explanation() -> None:
    explained = decided(LONG).explain()
    assert "prompt" not in explained["request"]
    assert "buckets" not in json.dumps(explained)


def test_only_the_first_place_changes_the_others_keep_the_objectives_order() -> None:
    assert order(decided(LONG, SMALL, OTHER, LARGE)) == ["large", "small", "other"]
    assert order(decided(SHORT, SMALL, OTHER, LARGE)) == ["small", "other", "large"]


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        (None, "no prompt is given"),
        (Prompt(unread="unreadable"), "its opening is not a text that can be read"),
        (Prompt(unread="more_than_text"), "the request asks for more than text"),
        (replace(LONG, language="rust"), "it was fitted on no tasks in the request's language"),
    ],
)
def test_what_it_knows_nothing_of_goes_by_the_objective(prompt: Prompt | None, why: str) -> None:
    decision = decided(prompt)
    assert order(decision) == ["small", "large"]
    assert decision.reason == f"cheapest of 2 kept, 0 dropped; not learned: {why}"
    assert decision.explain()["learned"]["reason"] == f"learned.json does not pick: {why}"


def test_a_language_that_is_not_known_is_picked_for() -> None:
    assert order(decided(replace(LONG, language=None))) == ["large", "small"]


def test_another_revision_than_it_was_fitted_on_goes_by_the_objective() -> None:
    changed = replace(LARGE, revision=Revision("new weights"))
    decision = decided(LONG, SMALL, changed)
    assert order(decision) == ["small", "large"]
    assert f"large is at revision {changed.revision.id}, and it was fitted on {REVISIONS['large']}" in decision.reason


def test_a_choice_that_was_not_weighed_is_none() -> None:
    """Proven is the choice among all of the model's routes, against each of them, and nothing else."""
    capable = replace(LARGE, context_window=100)
    assert order(decided(LONG, SMALL, capable, input_tokens_estimate=200)) == ["small"]
    assert "not all of its routes may serve this request" in decided(LONG, SMALL, capable, max_tokens=200).reason
    assert "large, one of its routes, is not kept" in decided(LONG, SMALL, OTHER).reason
    cheap = replace(OTHER, price=Price(0, 0))
    decision = decided(LONG, SMALL, cheap, LARGE)
    assert order(decision) == ["other", "small", "large"]
    assert "it was not fitted on other, which comes first without it" in decision.reason


def test_a_route_that_does_not_serve_is_not_picked() -> None:
    compiled = compile_policy(POLICY, (SMALL, LARGE), Snapshot())
    decision = compiled.decide(RequestTraits(prompt=LONG), frozenset({"small"}))
    assert order(decision) == ["small"]


def test_otherwise_is_no_place_for_it() -> None:
    gated = replace(POLICY, requirements=(PassAt1("suite", 0.5),), otherwise="cheapest")
    decision = decided(LONG, policy=gated)
    assert decision.used_otherwise
    assert order(decision) == ["small", "large"]
    assert decision.explain()["learned"] is None


def test_a_policy_without_it_says_nothing_of_it() -> None:
    decision = decided(LONG, policy=Policy("plain", "cheapest"))
    assert decision.explain()["learned"] is None
    assert decision.reason == "cheapest of 2 kept, 0 dropped"


residencies: st.SearchStrategy[Residency] = st.sampled_from(["self_hosted", "third_party"])
needs: st.SearchStrategy[frozenset[Capability]] = st.frozensets(st.sampled_from(["tools", "vision"]))


@given(
    st.lists(residencies, min_size=3, max_size=3),
    st.lists(st.none() | st.integers(1, 100), min_size=3, max_size=3),
    st.sampled_from([SHORT, LONG]),
    st.integers(0, 120),
    needs,
    st.frozensets(st.sampled_from(["small", "large", "other"])),
)
def test_no_hard_requirement_is_ever_broken_for_it(
    residency: list[Residency],
    windows: list[int | None],
    prompt: Prompt,
    tokens: int,
    asked: frozenset[Capability],
    available: frozenset[str],
) -> None:
    routes = [
        replace(route, residency=where, context_window=window, capabilities={"vision": route.name != "large"})
        for route, where, window in zip((SMALL, LARGE, OTHER), residency, windows, strict=True)
    ]
    in_house = replace(POLICY, requirements=(ResidencyIs("self_hosted"),))
    traits = RequestTraits(tokens, needs=asked, prompt=prompt)
    decision = compile_policy(in_house, routes, Snapshot()).decide(traits, available)
    plain = compile_policy(replace(in_house, learned=None), routes, Snapshot()).decide(traits, available)
    assert sorted(order(decision)) == sorted(order(plain))
    for route in decision.routes:
        assert route.residency == "self_hosted" and route.name in available
        assert route.context_window is None or tokens <= route.context_window
        assert not route.lacks & asked
    assert (order(decision) == order(plain)) or decision.ordered_by == "learned"  # no flip without a shown reason


@given(st.text(max_size=500), st.none() | st.just("python"))
def test_a_chance_is_the_logistic_function_of_the_weighted_features(text: str, language: str | None) -> None:
    weights = [((7 * at) % 13 - 6) / 10 for at in range(1024)]
    file = model_file()
    fitted = [
        type(route)(route.route, route.revision, route.cost_nanousd, 0.3, [0.1] * len(NUMBERS), weights)
        for route in file.routes
    ]
    scale = type(file.scale)([1.0] * len(NUMBERS), [0.5] * (len(NUMBERS) - 1) + [0.0])
    model = LearnedModel.of(model_file(routes=fitted, scale=scale), WORTH, "")
    found = features(text, language)
    numbers = [max(-3.0, min(3.0, (number - 1.0) / 0.5)) for number in found.numbers[:-1]]
    words = sum(weights[bucket] for bucket in found.buckets) / (len(found.buckets) or 1) ** 0.5
    expected = 1 / (1 + exp(-(0.3 + 0.1 * sum(numbers) + words)))
    assert model.predict(found) == pytest.approx([expected, expected], abs=1e-9)


def test_weights_of_any_size_overflow_nothing() -> None:
    file = model_file()
    routes = [
        type(route)(route.route, route.revision, 1, bias, [1e9] * len(NUMBERS), route.buckets)
        for route, bias in zip(file.routes, (1e300, -1e300), strict=True)
    ]
    model = LearnedModel.of(model_file(routes=routes), WORTH, "")
    assert model.predict(Features((1.0,) * len(NUMBERS), ())) == [1.0, 0.0]
