from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.price import Price
from backends.route import Route
from policies.by_language import goes_by_language, in_language
from policies.compile import compile_policy, decide
from policies.costs import MeasuredCost
from policies.decide import CompiledPolicy
from policies.languages import LANGUAGES, OF_REQUEST
from policies.latency import Latency
from policies.policy import Policy
from policies.request import RequestTraits
from policies.requirements import PassAt1
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot

MakeCard = Callable[..., Scorecard]

CHEAP = Route("cheap", "vllm", "m", Price(1, 1))
DEAR = Route("dear", "vllm", "m", Price(9, 9))
GATE = PassAt1("suite", 0.80, OF_REQUEST)
POLICY = Policy("auto", "cheapest", (GATE,))


def asked_in(language: str | None) -> RequestTraits:
    return RequestTraits(language=language)


def chosen(compiled: CompiledPolicy, language: str | None) -> list[str]:
    return [route.name for route in compiled.decide(asked_in(language)).routes]


@pytest.fixture
def evidence(make_card: MakeCard) -> Snapshot:
    """``cheap`` is good at Python alone, ``dear`` at Python and Rust; nobody was measured in Go."""

    def card(route: Route, language: str, pass_at_1: float) -> Scorecard:
        return make_card(
            route.name, route.revision.id, pass_at_1, suite="suite", language=language, run_id=f"run-{language}"
        )

    cheap = (card(CHEAP, "python", 0.95), card(CHEAP, "rust", 0.5), card(CHEAP, "all", 0.72))
    dear = (card(DEAR, "python", 0.95), card(DEAR, "rust", 0.95), card(DEAR, "all", 0.95))
    return Snapshot(1, (*cheap, *dear))


def test_each_language_has_a_verdict_of_its_own(evidence: Snapshot) -> None:
    compiled = compile_policy(POLICY, [CHEAP, DEAR], evidence)
    assert chosen(compiled, "python") == ["cheap", "dear"]
    assert chosen(compiled, "rust") == ["dear"]


def test_a_language_nobody_was_measured_in_is_unmeasured(evidence: Snapshot) -> None:
    assert chosen(compile_policy(POLICY, [CHEAP, DEAR], evidence), "go") == []
    allowing = Policy("auto", "cheapest", (GATE,), unmeasured="allow")
    decision = compile_policy(allowing, [CHEAP, DEAR], evidence).decide(asked_in("go"))
    assert [route.name for route in decision.routes] == ["cheap", "dear"]
    assert "not measured on suite (go)" in str(decision.explain())


@pytest.mark.parametrize("language", [None, "klingon"])
def test_a_request_in_no_known_language_goes_by_the_whole_suite(evidence: Snapshot, language: str | None) -> None:
    assert chosen(compile_policy(POLICY, [CHEAP, DEAR], evidence), language) == ["dear"]


def test_a_language_that_only_a_suite_of_our_own_is_about_has_its_verdict(make_card: MakeCard) -> None:
    card = make_card("cheap", CHEAP.revision.id, 0.95, suite="suite", language="awk")
    assert chosen(compile_policy(POLICY, [CHEAP], Snapshot(1, (card,))), "awk") == ["cheap"]


def test_the_explanation_names_the_language_and_its_run(evidence: Snapshot) -> None:
    told = decide(POLICY, [CHEAP, DEAR], evidence, asked_in("rust")).explain()
    assert told["chosen"] == "dear"
    (dropped,) = [route for route in told["routes"] if not route["kept"]]
    (finding,) = [finding for finding in dropped["findings"] if not finding["kept"]]
    assert finding["run_id"] == "run-rust" and "suite (rust)" in finding["reason"]


def test_the_objective_goes_by_the_same_language(evidence: Snapshot) -> None:
    policy = Policy("auto", "most_accurate", (PassAt1("suite", 0.1, OF_REQUEST),))
    compiled = compile_policy(policy, [CHEAP, DEAR], evidence)
    assert chosen(compiled, "rust") == ["dear", "cheap"]
    assert chosen(compiled, "python") == ["cheap", "dear"]


def test_otherwise_goes_by_the_same_language(evidence: Snapshot) -> None:
    policy = Policy("auto", "cheapest", (PassAt1("suite", 0.99, OF_REQUEST),), otherwise="most_accurate")
    decision = compile_policy(policy, [CHEAP, DEAR], evidence).decide(asked_in("rust"))
    assert decision.used_otherwise and decision.routes[0].name == "dear"


def test_times_and_costs_are_the_languages_too(make_card: MakeCard) -> None:
    def card(language: str, ms: float) -> Scorecard:
        return make_card("cheap", CHEAP.revision.id, suite="suite", language=language, ttft_p99_ms=ms)

    policy = Policy("p", "cheapest", (Latency("ttft_p99_ms", 500, "suite", OF_REQUEST),))
    compiled = compile_policy(policy, [CHEAP], Snapshot(1, (card("python", 100), card("rust", 900))))
    assert chosen(compiled, "python") == ["cheap"]
    assert chosen(compiled, "rust") == []


def test_only_policies_that_go_by_it_ask_for_the_language(evidence: Snapshot) -> None:
    fixed = Policy("p", "cheapest", (PassAt1("suite", 0.80, "rust"),))
    assert not compile_policy(fixed, [CHEAP, DEAR], evidence).asks_language
    assert compile_policy(POLICY, [CHEAP, DEAR], evidence).asks_language


def test_nothing_but_the_requests_own_language_is_replaced() -> None:
    kept = (PassAt1("a", 0.8, "go"), Latency("ttft_p50_ms", 9), MeasuredCost("cost_per_request", 9, "a", "go"))
    policy = Policy("p", "cheapest", (*kept, GATE, MeasuredCost("cost_per_request", 9, "a", OF_REQUEST)))
    assert goes_by_language(policy) and not goes_by_language(in_language(policy, None))
    spoken = in_language(policy, "rust").requirements
    assert spoken[:3] == kept
    assert spoken[3:] == (PassAt1("suite", 0.80, "rust"), MeasuredCost("cost_per_request", 9, "a", "rust"))


def test_a_pooled_gate_goes_by_all_languages_with_few_tasks(make_card: MakeCard) -> None:
    def card(language: str, passes: int) -> Scorecard:
        return make_card("cheap", CHEAP.revision.id, passes / 8, suite="suite", language=language, tasks=8)

    cards = [card(language, 8) for language in sorted(LANGUAGES)]
    together = make_card("cheap", CHEAP.revision.id, 1.0, suite="suite", language="all", tasks=128)
    evidence = Snapshot(1, (*cards, together))
    own = compile_policy(POLICY, [CHEAP], evidence)
    pooled = compile_policy(
        Policy("p", "cheapest", (PassAt1("suite", 0.8, OF_REQUEST, pooled=True),)), [CHEAP], evidence
    )
    assert chosen(own, "lua") == [] and chosen(pooled, "lua") == ["cheap"]
    told = str(pooled.decide(asked_in("lua")).explain())
    assert "with 95% confidence on average over 16 languages (1.000 over 8 tasks)" in told


def test_a_pooled_gate_counts_no_part_of_a_suite(make_card: MakeCard) -> None:
    cards = [
        make_card("cheap", CHEAP.revision.id, 1.0, suite="suite", language=language, tasks=8, partial=language != "lua")
        for language in sorted(LANGUAGES)
    ]
    gate = PassAt1("suite", 0.8, OF_REQUEST, pooled=True)
    compiled = compile_policy(Policy("p", "cheapest", (gate,)), [CHEAP], Snapshot(1, tuple(cards)))
    assert chosen(compiled, "lua") == []
    assert "on average" not in str(compiled.decide(asked_in("lua")).explain())


def test_most_accurate_by_a_pooled_gate_distrusts_a_few_lucky_tasks(make_card: MakeCard) -> None:
    def cards(route: Route, others: float, lua: float, tasks: int) -> list[Scorecard]:
        return [
            make_card(route.name, route.revision.id, lua if language == "lua" else others, suite="suite",
                      language=language, tasks=tasks if language == "lua" else 100)
            for language in sorted(LANGUAGES)
        ]  # fmt: skip

    evidence = Snapshot(1, (*cards(CHEAP, 0.5, 1.0, 3), *cards(DEAR, 0.9, 0.93, 100)))
    for pooled, first in ((False, "cheap"), (True, "dear")):
        policy = Policy("p", "most_accurate", (PassAt1("suite", 0.05, OF_REQUEST, pooled=pooled),))
        assert chosen(compile_policy(policy, [CHEAP, DEAR], evidence), "lua")[0] == first


@given(
    at_least=st.floats(0.3, 0.95),
    shares=st.lists(st.integers(0, 20), min_size=8, max_size=8),
    pooled=st.booleans(),
)
def test_what_is_kept_in_a_language_is_what_a_gate_on_that_language_keeps(
    make_card: MakeCard, at_least: float, shares: list[int], pooled: bool
) -> None:
    """Property: the look-up by language decides as a policy written for that language alone would."""
    places = list(product((CHEAP, DEAR), ("python", "rust", "go", "all")))
    cards = tuple(
        make_card(route.name, route.revision.id, passes / 20, suite="suite", language=language, tasks=20)
        for (route, language), passes in zip(places, shares, strict=True)
    )
    evidence = Snapshot(1, cards)
    compiled = compile_policy(
        Policy("p", "cheapest", (PassAt1("suite", at_least, OF_REQUEST, pooled=pooled),)), [CHEAP, DEAR], evidence
    )
    for language in ("python", "rust", "go", "lua", None):
        fixed = Policy("p", "cheapest", (PassAt1("suite", at_least, language, pooled=pooled),))
        alone = decide(fixed, [CHEAP, DEAR], evidence, asked_in(language))
        assert chosen(compiled, language) == [route.name for route in alone.routes]
