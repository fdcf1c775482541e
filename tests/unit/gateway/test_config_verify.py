"""`verify` as the file says it, and what is said of its faults."""

from pathlib import Path

import pytest

from gateway.config import ConfigError, parse_config
from policies.verify import Verification

ROUTES = "routes:\n  a: {backend: vllm, model: m, replicas: [http://a]}\n"


def verification(settings: str, more: str = "") -> Verification | None:
    config = parse_config(f"{ROUTES}{more}policies:\n  p: {{{settings}}}\n", "c.yaml", {})
    return config.policies["p"].verify


def test_the_short_form_and_the_long_one_arrive() -> None:
    assert verification("objective: cheapest") is None
    assert verification("verify: examples") == Verification("examples", 20_000.0)
    assert verification("verify: {by: examples, latency_ms: 500, max_cost_usd: 0.02, when_unavailable: decline}") == (
        Verification("examples", 500.0, 20_000_000, "decline")
    )
    found = verification("objective: most_accurate, verify: {by: confidence, at_least: -0.25}")
    assert found == Verification("confidence", 20_000.0, at_least=-0.25, best_first=True)


def test_answers_are_told_apart_by_what_they_were_verified_by() -> None:
    rules = [Verification("examples"), *(Verification("confidence", at_least=least) for least in (-0.25, -0.5))]
    assert [rule.mode for rule in rules] == ["examples", "confidence:-0.25", "confidence:-0.5"]


@pytest.mark.parametrize(
    ("settings", "place", "message", "fix"),
    [
        ("verify: exampels", "verify.by", "'exampels' is not one of examples, syntax, confidence", "examples"),
        ("verify: {latency_ms: 5}", "verify.by", "missing", "by: examples"),
        ("verify: {by: examples, latency_ms: 0}", "verify.latency_ms", "is not above 0", "20000"),
        ("verify: {by: examples, max_cost_usd: -1}", "verify.max_cost_usd", "is below 0", "0.02"),
        ("verify: {by: examples, when_unavailable: maybe}", "verify.when_unavailable", "not one of allow", "allow"),
        ("verify: {by: examples, at_least: -1}", "verify.at_least", "belongs to `by: confidence`", "remove it"),
        ("verify: confidence", "verify.at_least", "missing", "at_least: -0.25"),
        ("verify: {by: confidence, at_least: 0.5}", "verify.at_least", "is above 0", "-0.25"),
    ],
)
def test_each_fault_is_named_with_its_fix(settings: str, place: str, message: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        verification(settings)
    [problem] = caught.value.problems
    assert f"policies.p.{place}" in str(problem)
    assert message in problem.message and fix in problem.fix


def test_sandboxds_socket_is_beside_the_file_or_in_the_state_directory(tmp_path: Path) -> None:
    file = str(tmp_path / "c.yaml")
    assert parse_config(ROUTES, file, {"WEIGHBRIDGE_STATE_DIR": "/s"}).sandboxd == Path("/s/sandboxd.sock")
    assert parse_config(f"{ROUTES}state_dir: /t\n", file, {}).sandboxd == Path("/t/sandboxd.sock")
    assert parse_config(f"{ROUTES}sandboxd: run/x.sock\n", file, {}).sandboxd == tmp_path / "run/x.sock"
    assert parse_config(f"{ROUTES}sandboxd: /run/x.sock\n", file, {}).sandboxd == Path("/run/x.sock")
