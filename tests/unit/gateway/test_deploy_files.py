"""deploy/compose.yaml and what it mounts: whole, true to the gateway's own names, and without a registry's."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from gateway.config import load_config
from gateway.ledger.events import AttemptDetail, Settled
from gateway.telemetry.metrics import Metrics

DEPLOY = Path(__file__).parents[3] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROVISIONING = DEPLOY / "compose/grafana/provisioning"
DASHBOARD = json.loads((DEPLOY / "compose/grafana/dashboards/weighbridge.json").read_text())
SETTLED = Settled(
    id="r", at=0.0, tenant="t", asked="auto", policy="auto", wire="chat", route="small", revision="v", outcome="ok",
    status=200, cache="hit", streamed=False, input_tokens=1, output_tokens=1, cached_input_tokens=1,
    usage_source="provider", cost_nanousd=1, ttft_ms=1.0, total_ms=1.0,
    attempts=[AttemptDetail("small", "http://h", "v", outcome, 1.0) for outcome in ("timeout", "ok")],
)  # fmt: skip


def queries() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """The sample names that the gateway exports, each with its labels."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.settled(SETTLED)
    metrics.problem("code")
    samples = [sample for family in registry.collect() for sample in family.samples]
    found: dict[str, set[str]] = {}
    for sample in samples:
        found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_the_issues_services_are_there() -> None:
    assert set(SERVICES) == {"gateway", "valkey", "postgres", "collector", "prometheus", "grafana"}


@pytest.mark.parametrize("name", SERVICES)
def test_everything_a_service_mounts_is_there(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source = volume.split(":")[0]
        if source.startswith("."):
            assert (DEPLOY / source).exists(), volume
        else:
            assert source in COMPOSE["volumes"]


def test_the_gateways_build_files_are_there() -> None:
    build = SERVICES["gateway"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    for source in " ".join(copied).split():
        if source != "wheel[s]":
            assert (DEPLOY.parent / source).exists(), source


@pytest.mark.parametrize("name", SERVICES)
def test_images_name_no_registry_and_a_version(name: str) -> None:
    image = SERVICES[name]["image"]
    assert "." not in image.split("/")[0] or "/" not in image
    assert name == "gateway" or re.search(r":v?\d", image)


def test_the_base_image_is_an_argument_without_a_registry() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE) == ["${BASE}", "${BASE}"]
    default = re.search(r"^ARG BASE=(\S+)", dockerfile, re.MULTILINE)
    assert default is not None
    assert "/" not in default[1]


def test_only_the_gateway_and_grafana_can_be_reached_and_only_from_this_machine() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(ports) == {"gateway", "grafana"}
    assert all(port.startswith("127.0.0.1:") for published in ports.values() for port in published)


def test_postgres_does_not_start_by_itself_because_nothing_uses_it_yet() -> None:
    assert SERVICES["postgres"]["profiles"] == ["postgres"]
    assert all("postgres" not in service.get("depends_on", []) for service in SERVICES.values())


def test_the_gateways_configuration_is_valid_with_what_compose_sets() -> None:
    given = {"WEIGHBRIDGE_API_KEY": "k", "VLLM_BASE_URL": "http://a100-1:8000", "VLLM_MODEL": "m"}
    assert set(given) <= set(SERVICES["gateway"]["environment"])
    config = load_config(DEPLOY / "compose/weighbridge.yaml", given)
    assert config.cache.url == "redis://valkey:6379/0"
    assert config.server.port == 8080
    assert config.warnings == ()
    assert config.store_url is None
    url = "postgresql://weighbridge:secret@postgres:5432/weighbridge"
    shared = load_config(DEPLOY / "compose/weighbridge.yaml", {**given, "WEIGHBRIDGE_STORE_URL": url})
    assert shared.store_url == url
    assert "WEIGHBRIDGE_STORE_URL" in SERVICES["gateway"]["environment"]


def test_the_collector_listens_where_the_gateway_sends() -> None:
    collector = yaml.safe_load((DEPLOY / "compose/collector.yaml").read_text())
    port = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rsplit(":", 1)[1]
    assert SERVICES["gateway"]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://collector:{port}"
    for pipeline in collector["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= set(collector[kind])


def test_prometheus_scrapes_the_gateway() -> None:
    (job,) = yaml.safe_load((DEPLOY / "compose/prometheus.yml").read_text())["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["gateway:8080"]}]
    assert "metrics_path" not in job  # /metrics, which is Prometheus' default and ours


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    (source,) = yaml.safe_load((PROVISIONING / "datasources/prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards/weighbridge.yaml").read_text())["providers"]
    mounted = [volume.split(":") for volume in SERVICES["grafana"]["volumes"]]
    assert any(target == provider["options"]["path"] and "dashboards" in source for source, target, _ in mounted)


@pytest.mark.parametrize("query", queries())
def test_the_dashboard_asks_for_metrics_and_labels_that_are_exported(query: str, exported: dict[str, set[str]]) -> None:
    names = set(re.findall(r"weighbridge_\w+", query))
    assert names
    assert names <= set(exported)
    labels = {label for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(", ")}
    labels |= set(re.findall(r"[{,](\w+)=~?\"", query))
    for name in names:
        assert labels <= exported[name], name


def test_panels_do_not_overlap_and_have_an_id_each() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
