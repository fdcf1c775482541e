"""Bounds of pass@1 as metrics, from the evidence in force."""

import asyncio
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from backends.price import Price
from backends.recorded import RecordedBackend
from backends.route import Route
from gateway.fleet.fleet import Fleet
from gateway.routing.router import Router
from gateway.telemetry.evidence_bounds import evidence_bounds
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


def told(router: Router) -> dict[str, float]:
    """Values by metric, of the only place."""
    families = text_string_to_metric_families(asyncio.run(evidence_bounds(router)).decode())
    samples = [sample for family in families for sample in family.samples]
    assert all(sample.labels == PLACE for sample in samples) and len(samples) in (0, 3)
    return {sample.name: sample.value for sample in samples}


def test_a_scorecards_bounds_are_those_that_a_gate_goes_by(router: Router) -> None:
    router.learn(Snapshot(1, (CARD,)))
    found = told(router)
    assert found["weighbridge_pass_at_1"] == 140 / 164
    assert found["weighbridge_pass_at_1_lower"] == pytest.approx(0.8006, abs=1e-3)
    assert 140 / 164 < found["weighbridge_pass_at_1_upper"] < 0.91


def test_a_newer_scorecard_takes_the_place_of_the_old_one(router: Router) -> None:
    router.learn(Snapshot(1, (CARD,)))
    before = told(router)["weighbridge_pass_at_1_lower"]
    newer = replace(CARD, run_id="run-2", measured_at="2026-02-01T00:00:00Z", pass_at_1=100 / 164)
    router.learn(Snapshot(2, (CARD, newer)))
    assert told(router)["weighbridge_pass_at_1_lower"] < 0.6 < before


def test_nothing_is_told_of_other_revisions_parts_of_suites_and_published_figures(router: Router) -> None:
    others = (
        replace(CARD, revision="older"),
        replace(CARD, suite="part", partial=True),
        replace(CARD, suite="paper", origin="published"),
        replace(CARD, suite="none", pass_at_1=None, tasks=0, scored=0, no_answer=164),
        replace(CARD, route="gone"),
    )
    router.learn(Snapshot(1, others))
    assert told(router) == {}


def test_whatever_a_suite_is_called_the_text_can_be_read(router: Router) -> None:
    router.learn(Snapshot(1, (replace(CARD, suite='a "b" \\n c'),)))
    (family, *_) = text_string_to_metric_families(asyncio.run(evidence_bounds(router)).decode())
    assert family.samples[0].labels["suite"] == 'a "b" \\n c'
