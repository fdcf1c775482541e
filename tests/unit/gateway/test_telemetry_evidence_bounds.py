"""Bounds of pass@1 as metrics, from the evidence in force."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from backends.price import Price
from backends.recorded import RecordedBackend
from backends.route import Route
from gateway.fleet.fleet import Fleet
from gateway.routing.router import Router
from gateway.telemetry.evidence_bounds import EvidenceBounds
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot

ROUTE = Route("small", "recorded", "m", Price(1, 1))
CARD = Scorecard(
    "run", "small", ROUTE.revision.id, "s+", "c0", "python", "2026-01-01T00:00:00Z", 164, 1, 164, 164, 0, 0, 140 / 164
)
PLACE = {"route": "small", "suite": "s+", "language": "python"}


@pytest.fixture
def router() -> Router:
    return Router(Fleet({"small": ROUTE}, {"recorded": RecordedBackend()}), {}, {})


@pytest.fixture
def registry(router: Router) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(EvidenceBounds(router))
    return registry


def test_a_scorecards_bounds_are_those_that_a_gate_goes_by(router: Router, registry: CollectorRegistry) -> None:
    router.learn(Snapshot(1, (CARD,)))
    assert registry.get_sample_value("weighbridge_pass_at_1", PLACE) == 140 / 164
    assert registry.get_sample_value("weighbridge_pass_at_1_lower", PLACE) == pytest.approx(0.8006, abs=1e-3)
    upper = registry.get_sample_value("weighbridge_pass_at_1_upper", PLACE)
    assert upper is not None and 140 / 164 < upper < 0.91


def test_a_newer_scorecard_takes_the_place_of_the_old_one(router: Router, registry: CollectorRegistry) -> None:
    router.learn(Snapshot(1, (CARD,)))
    before = registry.get_sample_value("weighbridge_pass_at_1_lower", PLACE)
    newer = replace(CARD, run_id="run-2", measured_at="2026-02-01T00:00:00Z", pass_at_1=100 / 164)
    router.learn(Snapshot(2, (CARD, newer)))
    after = registry.get_sample_value("weighbridge_pass_at_1_lower", PLACE)
    assert before is not None and after is not None and after < 0.6 < before


def test_nothing_is_told_of_other_revisions_parts_of_suites_and_published_figures(
    router: Router, registry: CollectorRegistry
) -> None:
    others = (
        replace(CARD, revision="older"),
        replace(CARD, suite="part", partial=True),
        replace(CARD, suite="paper", origin="published"),
        replace(CARD, suite="none", pass_at_1=None, tasks=0, scored=0, no_answer=164),
        replace(CARD, route="gone"),
    )
    router.learn(Snapshot(1, others))
    assert [sample for family in registry.collect() for sample in family.samples] == []
