"""Metrics: what a settled request counts, under names as Prometheus wants them."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from gateway.fleet.fleet import Fleet
from gateway.ledger.events import AttemptDetail, Settled
from gateway.routing.router import Router
from gateway.telemetry.evidence_bounds import evidence_bounds
from gateway.telemetry.fleet_health import FleetHealth
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.reload_counts import ReloadCounts
from gateway.telemetry.spool_lag import SpoolLag
from gateway.telemetry.watched import Watched


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def settled(**changes: Any) -> Settled:
    fields: dict[str, Any] = {
        "id": "a", "at": 2.0, "tenant": "t", "asked": "auto", "policy": "auto", "wire": "chat", "route": "big",
        "revision": "r", "outcome": "ok", "status": 200, "cache": "miss", "streamed": False, "input_tokens": 100,
        "output_tokens": 20, "cached_input_tokens": 60, "usage_source": "provider", "cost_nanousd": 5_000_000_000,
        "ttft_ms": 30.0, "total_ms": 700.0, "cache_write_tokens": 10,
        "attempts": [
            AttemptDetail("small", "http://x", "r", "refused", 1.0),
            AttemptDetail("small", "http://x", "r", "status", 1.0, 503),
            AttemptDetail("big", "http://y", "r", "ok", 1.0),
        ],
    }  # fmt: skip
    return Settled(**{**fields, **changes})


def test_a_settled_request_is_counted(registry: CollectorRegistry) -> None:
    Metrics(registry).settled(settled())

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"weighbridge_{name}", labels)

    by_outcome = {"route": "big", "policy": "auto", "wire": "chat", "outcome": "ok", "cache": "miss"}
    assert value("requests_total", **by_outcome) == 1
    assert value("tokens_total", route="big", kind="input") == 100
    assert value("tokens_total", route="big", kind="output") == 20
    assert value("cached_input_tokens_total", route="big") == 60
    assert value("cache_write_tokens_total", route="big") == 10
    assert value("cost_nanousd_total", route="big") == 5_000_000_000
    assert value("attempts_total", route="small", outcome="status") == 1
    assert value("retries_total", route="small", reason="refused") == 1
    assert value("retries_total", route="big", reason="status") == 1
    assert value("time_to_first_token_seconds_bucket", route="big", le="0.05") == 1
    assert value("request_duration_seconds_sum", route="big") == pytest.approx(0.7)


def test_a_hit_has_no_first_token_no_tokens_and_no_attempts(registry: CollectorRegistry) -> None:
    Metrics(registry).settled(settled(cache="hit", attempts=[], ttft_ms=None, input_tokens=0, output_tokens=0))
    counted = {sample.name for family in registry.collect() for sample in family.samples if sample.value}
    assert "weighbridge_requests_total" in counted
    assert not {name for name in counted if "first_token" in name or "attempts" in name or "retries" in name}


async def test_names_are_conventional_and_documented(registry: CollectorRegistry, tmp_path: Path) -> None:
    Metrics(registry)
    registry.register(FleetHealth(Fleet({}, {})))
    (tmp_path / "reloads").write_bytes(msgspec.json.encode({"accepted": 1}))
    registry.register(ReloadCounts(tmp_path / "reloads"))
    registry.register(SpoolLag(tmp_path))
    router = Router(Fleet({}, {}), {}, {})
    registry.register(Watched(router))
    bounds = text_string_to_metric_families((await evidence_bounds(router)).decode())
    families = {f.name + ("_total" if f.type == "counter" else ""): f for f in (*registry.collect(), *bounds)}
    page = (Path(__file__).parents[3] / "docs" / "telemetry.md").read_text()
    assert set(families) == set(re.findall(r"`(weighbridge_[a-z_0-9]+)`", page))
    for name, family in families.items():
        assert family.type != "histogram" or name.endswith("_seconds")
        assert family.documentation
