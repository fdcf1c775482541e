"""Evidence as files: what the parent writes, a worker learns, bounds included."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from backends.price import Price
from backends.recorded import RecordedBackend
from backends.route import Route
from gateway.fleet.fleet import Fleet
from gateway.routing import evidence
from gateway.routing.evidence import EvidenceFile
from gateway.routing.router import Router
from gateway.telemetry.evidence_bounds import evidence_bounds
from policies.scorecard import Scorecard, Unit
from policies.snapshot import Snapshot

ROUTE = Route("small", "recorded", "m", Price(1, 1))
PASSES, TASKS = 139, 163
"""Of no other test: bounds are remembered."""


CARDS = (
    Scorecard(
        *("run", "small", ROUTE.revision.id, "once", "c0", "python", "2026-01-01T00:00:00Z"),
        *(TASKS, 1, TASKS, TASKS, 0, 0, PASSES / TASKS),
    ),
    Scorecard(
        *("run", "small", ROUTE.revision.id, "often", "c0", "python", "2026-01-01T00:00:00Z"),
        *(TASKS, 2, 2 * TASKS, 2 * TASKS, 0, 0, (PASSES - 0.5) / TASKS),
        units=(Unit(1, 1, PASSES - 1), Unit(0.5, 1, 1), Unit(0, 1, TASKS - PASSES)),
    ),
)


@pytest.fixture
def router() -> Router:
    return Router(Fleet({"small": ROUTE}, {"recorded": RecordedBackend()}), {}, {})


def lower(router: Router) -> dict[str, float]:
    families = text_string_to_metric_families(asyncio.run(evidence_bounds(router)).decode())
    samples = [sample for family in families for sample in family.samples]
    return {each.labels["suite"]: each.value for each in samples if each.name == "weighbridge_pass_at_1_lower"}


def test_a_worker_goes_by_the_bounds_that_it_is_told(tmp_path: Path, router: Router) -> None:
    files = tmp_path / "evidence.json", tmp_path / "bounds.json"
    watched = EvidenceFile(*files, tmp_path / "live.json", router)
    watched.look()
    assert not watched.known
    evidence.write(*files, Snapshot(3, CARDS))
    told = json.loads(files[1].read_text())
    assert len(told) == 4  # below and above, of each
    files[1].write_text(json.dumps(dict.fromkeys(told, 0.125)))
    watched.look()
    assert watched.known and router.evidence.version == 3 and router.evidence.scorecards == CARDS
    assert lower(router) == {"once": 0.125, "often": 0.125}


def test_without_bounds_they_are_computed(tmp_path: Path, router: Router) -> None:
    files = tmp_path / "evidence.json", tmp_path / "bounds.json"
    other = replace(CARDS[0], tasks=165, asked=165, scored=165, pass_at_1=139 / 165)
    evidence.write(*files, Snapshot(1, (other,)))
    files[1].write_text("{")
    EvidenceFile(*files, tmp_path / "live.json", router).look()
    assert 0.7 < lower(router)["once"] < 139 / 165


def test_evidence_that_cannot_be_read_leaves_the_last_in_force(tmp_path: Path, router: Router) -> None:
    files = tmp_path / "evidence.json", tmp_path / "bounds.json"
    watched = EvidenceFile(*files, tmp_path / "live.json", router)
    evidence.write(*files, Snapshot(1, CARDS))
    watched.look()
    files[0].unlink()
    files[0].write_text('{"scorecards": [{"run_id": 3}]}')
    watched.look()
    assert watched.known and router.evidence.version == 1
