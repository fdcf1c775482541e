from collections.abc import Callable
from dataclasses import replace

import pytest

from backends.price import Price
from backends.route import Revision, Route
from policies.admission import Admission, in_force, speaking
from policies.compile import decide
from policies.policy import Policy
from policies.request import RequestTraits
from policies.requirements import PassAt1
from policies.scorecard import Scorecard
from policies.snapshot import InvalidScorecard, Snapshot

ROUTES = [Route(name, "vllm", name, Price(), revision=Revision("r")) for name in ("a", "b")]
DEMOTED = Admission(
    route="a",
    revision=ROUTES[0].revision.id,
    suite="humaneval+",
    language=None,
    at_least=0.8,
    confidence=0.95,
    before=None,
    state="demoted",
    at="2026-11-23T10:00:00+00:00",
    reason="at most 0.71",
    run_id="watch-1",
    low=0.52,
    high=0.71,
    tasks=40,
    failing=("HumanEval/3",),
)


def gate(at_least: float = 0.8, min_tasks: int = 1) -> Policy:
    return Policy("p", requirements=(PassAt1("humaneval+", at_least, min_tasks=min_tasks),))


def kept(policy: Policy, evidence: Snapshot) -> list[str]:
    return [route.name for route in decide(policy, ROUTES, evidence, RequestTraits()).routes]


@pytest.fixture
def passing(make_card: Callable[..., Scorecard]) -> tuple[Scorecard, ...]:
    return tuple(make_card(route.name, route.revision.id, 0.95) for route in ROUTES)


def test_a_demoted_route_is_dropped_whatever_its_scorecard_says(passing: tuple[Scorecard, ...]) -> None:
    evidence = Snapshot(1, passing, (DEMOTED,))
    decision = decide(gate(), ROUTES, evidence, RequestTraits())
    assert [route.name for route in decision.routes] == ["b"]
    finding = next(r for r in decision.explain()["routes"] if r["route"] == "a")["findings"][0]
    assert (finding["kept"], finding["run_id"]) == (False, "watch-1")
    assert "demoted" in finding["reason"] and "at most 0.71" in finding["reason"]
    assert kept(gate(), Snapshot(1, passing, (replace(DEMOTED, state="probation"),))) == ["b"]


def test_otherwise_takes_a_demoted_route_last(passing: tuple[Scorecard, ...]) -> None:
    low = [replace(card, pass_at_1=score) for card, score in zip(passing, (0.7, 0.6), strict=True)]
    policy = replace(gate(), otherwise="most_accurate")
    assert kept(policy, Snapshot(1, tuple(low))) == ["a", "b"]
    assert kept(policy, Snapshot(1, tuple(low), (DEMOTED,))) == ["b", "a"]


def test_it_is_about_one_revision_one_suite_and_bars_that_are_not_lower(passing: tuple[Scorecard, ...]) -> None:
    assert kept(gate(0.7), Snapshot(1, passing, (DEMOTED,))) == ["a", "b"]
    assert kept(gate(0.85), Snapshot(1, passing, (DEMOTED,))) == ["b"]
    for other in (
        replace(DEMOTED, revision="older"),
        replace(DEMOTED, suite="mbpp+"),
        replace(DEMOTED, language="rust"),
    ):
        assert kept(gate(), Snapshot(1, passing, (other,))) == ["a", "b"]


def test_an_admitted_route_needs_no_whole_scorecard() -> None:
    admitted = replace(DEMOTED, state="admitted", low=0.81, high=0.9, tasks=400)
    assert kept(gate(), Snapshot(1, (), (admitted,))) == ["a"]
    assert kept(gate(0.85), Snapshot(1, (), (admitted,))) == []
    assert kept(gate(min_tasks=401), Snapshot(1, (), (admitted,))) == []


def test_published_evidence_is_never_mixed_with_what_was_watched(passing: tuple[Scorecard, ...]) -> None:
    published = tuple(replace(card, origin="published") for card in passing)
    policy = replace(gate(), evidence="published")
    assert kept(policy, Snapshot(1, published, (DEMOTED,))) == ["a", "b"]


def test_the_newest_row_of_a_gate_is_in_force() -> None:
    back = replace(DEMOTED, before="demoted", state="probation")
    other = replace(DEMOTED, at_least=0.6)
    assert set(in_force([DEMOTED, other, back])) == {back, other}


def test_a_bad_word_goes_before_a_good_one() -> None:
    good = replace(DEMOTED, state="admitted", at_least=0.9)
    assert speaking([good, DEMOTED], 0.85, 0.95) is DEMOTED
    assert speaking([good], 0.85, 0.95) is good
    assert speaking([good], 0.85, 0.99) is None


def test_evidence_survives_its_json(passing: tuple[Scorecard, ...]) -> None:
    evidence = Snapshot(3, passing, (DEMOTED,))
    assert Snapshot.decode(evidence.encode()) == evidence
    with pytest.raises(InvalidScorecard):
        Snapshot.decode(b'{"scorecards": [], "admissions": [{"route": 1}]}')
