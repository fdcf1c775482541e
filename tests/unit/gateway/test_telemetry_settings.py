"""Where spans go: our config, and OpenTelemetry's environment variables."""

import logging
from pathlib import Path

import pytest

from gateway.telemetry.otlp_settings import OtlpSettings, otlp_settings


def settings(endpoint: str | None = None, **env: str) -> OtlpSettings:
    found = otlp_settings(endpoint, env)
    assert found is not None
    return found


def test_without_an_endpoint_there_are_no_spans() -> None:
    assert otlp_settings(None, {}) is None
    assert otlp_settings(None, {"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_TRACES_SAMPLER": "always_on"}) is None


@pytest.mark.parametrize("off", [{"OTEL_SDK_DISABLED": "True"}, {"OTEL_TRACES_EXPORTER": "none"}])
def test_the_standard_switches_turn_spans_off(off: dict[str, str]) -> None:
    assert otlp_settings("http://collector:4318", off) is None


def test_the_common_endpoint_is_a_base_and_the_traces_own_a_whole_address() -> None:
    assert settings(OTEL_EXPORTER_OTLP_ENDPOINT="http://c:4318/").url == "http://c:4318/v1/traces"
    assert settings(OTEL_EXPORTER_OTLP_ENDPOINT="https://c/otlp").url == "https://c/otlp/v1/traces"
    both = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://d/spans"}
    assert settings(**both).url == "http://d/spans"
    assert settings("http://ours:4318", **both).url == "http://ours:4318/v1/traces"


def test_defaults_are_those_of_the_specification() -> None:
    assert settings("http://c") == OtlpSettings("http://c/v1/traces", {}, 10.0, False, None, 5.0, 512, 2048)


def test_the_traces_own_variables_go_before_the_common_ones() -> None:
    found = settings(
        "http://c",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=common",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS="Authorization=Bearer%20a%3Db, x-team = us ,",
        OTEL_EXPORTER_OTLP_TIMEOUT="3",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_BSP_SCHEDULE_DELAY="250",
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE="10",
        OTEL_BSP_MAX_QUEUE_SIZE="20",
    )
    assert found.headers == {"authorization": "Bearer a=b", "x-team": "us"}
    assert (found.timeout_s, found.gzip, found.every_s, found.batch, found.queue) == (3, True, 0.25, 10, 20)


@pytest.mark.parametrize("endpoint", ["localhost:4317", "collector", "http://", "http://h:x", "grpc://h:4317"])
def test_an_endpoint_that_cannot_be_is_said_and_ignored(endpoint: str, caplog: pytest.LogCaptureFixture) -> None:
    assert otlp_settings(None, {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}) is None
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize("number", ["soon", "0", "-1"])
def test_a_number_that_cannot_be_is_said_and_the_default_counts(number: str, caplog: pytest.LogCaptureFixture) -> None:
    assert settings("http://c", OTEL_EXPORTER_OTLP_TIMEOUT=number).timeout_s == 10
    assert "OTEL_EXPORTER_OTLP_TIMEOUT" in str(vars(caplog.records[0]))


def test_another_protocol_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert settings("http://c", OTEL_EXPORTER_OTLP_PROTOCOL="grpc").url == "http://c/v1/traces"
    assert "http/protobuf" in caplog.text


def test_a_header_that_cannot_be_sent_is_left_out_and_its_value_said_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    found = settings("http://c", OTEL_EXPORTER_OTLP_HEADERS="a b=secret-1,x=secret-2%0d%0a,=secret-3,y=kept")
    assert found.headers == {"y": "kept"}
    assert len(caplog.records) == 3
    assert "secret" not in caplog.text
    assert "kept" not in repr(found)


def test_the_address_is_shown_without_credentials() -> None:
    found = settings(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="https://user:secret@c:4318/v1/traces?token=secret")
    assert found.shown == "https://c:4318/v1/traces"


def test_a_certificate_that_cannot_be_used_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    for env in (
        {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(tmp_path / "none.pem")},
        {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(broken)},
    ):
        assert otlp_settings("https://c", env) is None
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
