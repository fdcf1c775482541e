from collections.abc import Callable
from dataclasses import replace

import pytest

from backends.price import Price
from backends.route import Revision, Route
from policies.facts import (
    ContextAtLeast,
    HasCapabilities,
    LanguagesInclude,
    LicenceIn,
    OpenWeights,
    OutputAtLeast,
    ResidencyIs,
)
from policies.latency import Latency
from policies.requirements import PassAt1, Requirement
from policies.scorecard import Scorecard, Unit
from policies.snapshot import Snapshot

ROUTE = Route("a", "vllm", "m", Price(), revision=Revision("one"))
REVISION = ROUTE.revision.id
NOTHING = Snapshot()
MakeCard = Callable[..., Scorecard]


def test_pass_at_1_names_bound_mean_tasks_bar_and_run(make_card: MakeCard) -> None:
    evidence = Snapshot(1, (make_card("a", REVISION, 0.787, run_id="2026-11-23-x"),))
    finding = PassAt1("humaneval+", 0.80).judge(ROUTE, evidence)
    assert finding.reason == (
        "pass@1 on humaneval+ is at least 0.727 with 95% confidence (0.787 over 164 tasks),"
        " below the required 0.8; run 2026-11-23-x"
    )
    assert (finding.kept, finding.run_id) == (False, "2026-11-23-x")


def test_pass_at_1_gates_on_the_lower_bound(make_card: MakeCard) -> None:
    gate = PassAt1("humaneval+", 0.80)
    for passes, kept in ((139, False), (140, True)):
        evidence = Snapshot(1, (make_card("a", REVISION, passes / 164),))
        assert gate.judge(ROUTE, evidence).kept is kept


def test_a_bound_just_below_the_bar_does_not_read_as_if_it_met_it(make_card: MakeCard) -> None:
    finding = PassAt1("humaneval+", 0.80).judge(ROUTE, Snapshot(1, (make_card("a", REVISION, 0.8532),)))
    assert finding.figure is not None and 0.7995 < finding.figure < 0.80
    assert not finding.kept and "at least 0.799 with" in finding.reason


@pytest.mark.parametrize("requirement", [PassAt1("humaneval+", 0.1), Latency("ttft_p99_ms", 9999, "humaneval+")])
def test_gates_refuse_partial_and_badly_scored_cards(requirement: Requirement, make_card: MakeCard) -> None:
    whole = make_card("a", REVISION, 1.0, tasks=100)
    assert requirement.judge(ROUTE, Snapshot(1, (whole,))).kept
    partial = requirement.judge(ROUTE, Snapshot(1, (replace(whole, partial=True),)))
    assert not partial.kept and not partial.measured and "only a part" in partial.reason
    at_limit = replace(whole, tasks=98, scored=98, no_answer=1, unscorable=1)
    assert requirement.judge(ROUTE, Snapshot(1, (at_limit,))).kept
    beyond = requirement.judge(ROUTE, Snapshot(1, (replace(whole, tasks=97, scored=97, no_answer=2, unscorable=1),)))
    assert not beyond.kept and beyond.measured
    assert "3 of 100 samples have no score (2 no_answer, 1 unscorable), more than the 2%" in beyond.reason


def test_another_revision_is_unmeasured(make_card: MakeCard) -> None:
    finding = PassAt1("humaneval+", 0.1).judge(ROUTE, Snapshot(1, (make_card("a", "another"),)))
    assert not finding.kept and not finding.measured
    assert finding.reason == f"not measured on humaneval+ at revision {REVISION}"


def test_repetitions_gate_on_units_and_not_on_samples(make_card: MakeCard) -> None:
    gate = PassAt1("humaneval+", 0.80)
    steady = (Unit(0, 1, 10), Unit(2 / 3, 1, 30), Unit(1, 1, 124))
    for units, kept in ((steady, True), ((Unit(0, 1, 20), Unit(1, 1, 144)), False)):
        card = make_card("a", REVISION, 144 / 164, repetitions=3, asked=492, scored=492, units=units)
        assert gate.judge(ROUTE, Snapshot(1, (card,))).kept is kept
    untold = make_card("a", REVISION, 144 / 164, repetitions=3, asked=492, scored=492)
    figure = gate.judge(ROUTE, Snapshot(1, (untold,))).figure
    assert figure == pytest.approx(0.8066, abs=5e-5)


def test_a_policy_without_a_language_asks_for_all_of_them_together(make_card: MakeCard) -> None:
    together = make_card("a", REVISION, 0.9, language="all", tasks=20, units=(Unit(1.8, 2, 10),))
    cards = (make_card("a", REVISION, language="python"), make_card("a", REVISION, language="rust"), together)
    finding = PassAt1("humaneval+", 0.5).judge(ROUTE, Snapshot(1, cards))
    assert finding.kept and "over 20 tasks" in finding.reason


def test_published_figures_are_no_evidence_unless_asked_for(make_card: MakeCard) -> None:
    published = make_card("a", "any", 0.99, run_id="paper", origin="published")
    evidence = Snapshot(1, (published, make_card("a", REVISION, 0.2, suite="mbpp+")))
    gate = PassAt1("humaneval+", 0.8)
    assert not gate.judge(ROUTE, evidence).measured
    finding = gate.judge(ROUTE, evidence.of_origin("published"))
    assert (finding.kept, finding.origin) == (True, "published")
    assert finding.reason.endswith("which meets the required 0.8; published, not measured: paper")
    assert evidence.of_origin("published").scorecard("a", REVISION, "mbpp+", None) is None
    assert evidence.of_origin("measured") is evidence


def test_of_published_figures_the_newest_counts_whatever_their_revision(make_card: MakeCard) -> None:
    old = make_card("a", "1", 0.5, origin="published", measured_at="2025-01-01T00:00:00Z")
    new = make_card("a", "2", 0.6, origin="published")
    assert Snapshot(1, (new, old)).of_origin("published").scorecard("a", REVISION, "humaneval+", None) == new


def test_a_published_mean_without_its_number_of_tasks_gates_nothing(make_card: MakeCard) -> None:
    card = make_card("a", REVISION, 0.939, tasks=0, origin="published", run_id="paper")
    finding = PassAt1("humaneval+", 0.1).judge(ROUTE, Snapshot(1, (card,)).of_origin("published"))
    assert not finding.kept and not finding.measured
    assert finding.reason.startswith("0.939 on humaneval+ does not say over how many tasks, so it has no bound;")


def test_a_suite_in_several_languages_needs_one_named(make_card: MakeCard) -> None:
    cards = (make_card("a", REVISION, language="python"), make_card("a", REVISION, 0.2, language="rust"))
    evidence = Snapshot(1, cards)
    unnamed = PassAt1("humaneval+", 0.5).judge(ROUTE, evidence)
    assert unnamed.reason == "humaneval+ is measured in python, rust, and the policy names no language"
    assert PassAt1("humaneval+", 0.5, "python").judge(ROUTE, evidence).kept
    assert not PassAt1("humaneval+", 0.5, "rust").judge(ROUTE, evidence).kept


def test_too_few_tasks_count_as_unmeasured(make_card: MakeCard) -> None:
    finding = PassAt1("humaneval+", 0.1, min_tasks=200).judge(ROUTE, Snapshot(1, (make_card("a", REVISION),)))
    assert not finding.kept and not finding.measured and "164 tasks, fewer than the required 200" in finding.reason


def test_latency_is_that_of_the_suite_or_of_the_newest_run(make_card: MakeCard) -> None:
    slow = make_card("a", REVISION, ttft_p99_ms=900.0, total_p99_ms=9000.0)
    fast = make_card("a", REVISION, suite="mbpp+", measured_at="2026-02-01T00:00:00Z", ttft_p99_ms=50.0)
    evidence = Snapshot(1, (fast, slow))
    assert Latency("ttft_p99_ms", 100).judge(ROUTE, evidence).figure == 50.0
    on_suite = Latency("ttft_p99_ms", 100, "humaneval+").judge(ROUTE, evidence)
    assert on_suite.reason == "first token at p99 is 900 ms on humaneval+, above the required 100 ms; run run-a"
    assert Latency("total_p99_ms", 9000, "humaneval+").judge(ROUTE, evidence).kept
    untimed = Latency("total_p99_ms", 100).judge(ROUTE, NOTHING)
    assert not untimed.kept and not untimed.measured


@pytest.mark.parametrize(
    ("requirement", "keeps", "drops", "reason"),
    [
        (
            ResidencyIs("self_hosted"),
            replace(ROUTE, residency="self_hosted"),
            ROUTE,
            "residency is third_party, not the required self_hosted",
        ),
        (
            LicenceIn(frozenset({"mit", "apache-2.0"})),
            replace(ROUTE, licence="mit"),
            ROUTE,
            "no licence is declared; allowed: apache-2.0, mit",
        ),
        (
            OpenWeights(True),
            replace(ROUTE, open_weights=True),
            replace(ROUTE, open_weights=False),
            "weights are closed; open weights are required",
        ),
        (
            OpenWeights(False),
            replace(ROUTE, open_weights=False),
            ROUTE,
            "nothing is declared of its weights; closed weights are required",
        ),
        (
            ContextAtLeast(200_000),
            replace(ROUTE, context_window=200_000),
            replace(ROUTE, context_window=128_000),
            "context window of 128,000 tokens is below the required 200,000",
        ),
        (
            ContextAtLeast(1),
            replace(ROUTE, context_window=1),
            ROUTE,
            "no context window is declared; 1 tokens are required",
        ),
        (
            OutputAtLeast(8000),
            replace(ROUTE, max_output_tokens=8000),
            replace(ROUTE, max_output_tokens=4096),
            "answers of at most 4,096 tokens are below the required 8,000",
        ),
        (
            OutputAtLeast(1),
            replace(ROUTE, max_output_tokens=1),
            ROUTE,
            "no longest answer is declared; 1 tokens are required",
        ),
        (
            HasCapabilities(frozenset({"tools", "vision"})),
            replace(ROUTE, capabilities={"tools": True, "vision": True}),
            replace(ROUTE, capabilities={"tools": True}),
            "does not declare vision, which the policy requires",
        ),
        (
            LanguagesInclude(frozenset({"cobol", "fortran"})),
            ROUTE,
            replace(ROUTE, languages=frozenset({"fortran"})),
            "not to be used for cobol, which the policy requires",
        ),
    ],
)
def test_facts_keep_and_drop_with_a_reason(requirement: Requirement, keeps: Route, drops: Route, reason: str) -> None:
    assert requirement.hard
    assert requirement.judge(keeps, NOTHING).kept
    dropped = requirement.judge(drops, NOTHING)
    assert (dropped.kept, dropped.reason, dropped.requirement) == (False, reason, requirement.name)
