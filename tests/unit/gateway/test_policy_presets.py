"""The shipped rules of use, on the routes of docs/policies.md: they pick as the published comparison did."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import policy
from gateway.cli.failure import ConfigFailure, Failure
from gateway.config import Config, ConfigError, parse_config
from gateway.config.presets import PRESETS
from policies.compile import decide
from policies.costs import CostPerMonth
from policies.request import RequestTraits
from policies.snapshot import Snapshot
from tests.fixtures.json_server import json_server

ROOT = Path(__file__).parents[3]
ENV = {"ANTHROPIC_API_KEY": "sk-test"}
NOTHING = Snapshot()
PUBLISHED = Snapshot.decode((ROOT / "deploy/published/johal-2026.json").read_bytes())


@pytest.fixture(scope="module")
def config() -> Config:
    return parse_config(documented(), "docs.yaml", ENV)


def documented() -> str:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/policies.md").read_text(), re.DOTALL)
    return str(next(block for block in blocks if "preset:" in block))


def explained(*arguments: str) -> Result:
    return CliRunner().invoke(policy.command, ["explain", *arguments])


def explain(config: Config, name: str, evidence: Snapshot = PUBLISHED) -> dict[str, Any]:
    return decide(config.policies[name], config.routes.values(), evidence, RequestTraits()).explain()


def reasons(explanation: dict[str, Any], route: str) -> list[str]:
    row = next(row for row in explanation["routes"] if row["route"] == route)
    return [finding["reason"] for finding in row["findings"] if not finding["kept"]]


@pytest.mark.parametrize("evidence", [NOTHING, PUBLISHED])
@pytest.mark.parametrize(
    ("name", "chosen"),
    [("in-house", "llama-3.1-70b"), ("customers", "mixtral-8x22b"), ("legacy", "claude-3.5-sonnet")],
)
def test_the_presets_pick_as_the_comparison_did(config: Config, name: str, chosen: str, evidence: Snapshot) -> None:
    explanation = explain(config, name, evidence)
    assert explanation["chosen"] == chosen
    assert [row["route"] for row in explanation["routes"] if row["kept"]] == [chosen]
    assert config.warnings == ()


def test_the_presets_say_why(config: Config) -> None:
    in_house, customers, legacy = (explain(config, name) for name in ("in-house", "customers", "legacy"))
    assert reasons(in_house, "mixtral-8x22b") == [
        "not to be used for rust, which the policy requires",
        "3,000,000,000 tokens a month at $0.00220022 per 1,000 come to $6,600.66, above the required $5,000",
    ]
    assert reasons(in_house, "claude-3.5-sonnet")[0] == "residency is third_party, not the required self_hosted"
    assert reasons(customers, "llama-3.1-70b") == [
        "licence is llama-3.1-community; allowed: apache-2.0, bsd-2-clause, bsd-3-clause, mit"
    ]
    assert reasons(customers, "claude-3.5-sonnet")[1:] == [
        "weights are closed; open weights are required",
        "40,000 tokens a month at $0.021 per 1,000 come to $0.84, above the required $0.1",
    ]
    assert reasons(legacy, "llama-3.1-70b") == [
        "context window of 128,000 tokens is below the required 200,000",
        "not to be used for cobol, fortran, which the policy requires",
    ]


def test_only_the_policy_that_says_so_goes_by_published_figures(config: Config) -> None:
    figure = explain(config, "legacy")["routes"][0]["objective"]
    assert (figure["value"], figure["origin"], figure["run_id"]) == (0.939, "published", "johal-2026")
    assert figure["meaning"] == "mean pass@1 on humaneval+ v4 (python)"
    by_measured = replace(config.policies["legacy"], evidence="measured")
    decision = decide(by_measured, config.routes.values(), PUBLISHED, RequestTraits())
    assert decision.explain()["routes"][0]["objective"]["value"] is None


def test_published_figures_order_all_three_routes_as_published(config: Config) -> None:
    policy = replace(config.policies["legacy"], requirements=())
    decision = decide(policy, config.routes.values(), PUBLISHED, RequestTraits())
    assert [route.name for route in decision.routes] == ["claude-3.5-sonnet", "mixtral-8x22b", "llama-3.1-70b"]


def test_keys_beside_a_preset_go_before_its_own() -> None:
    route = "{backend: vllm, model: m, replicas: [http://h], residency: self_hosted, price: {input: 1, output: 1}}"
    own = "{preset: in-house-rust, objective: fastest, require: {cost: {per_month_usd: 7, tokens_per_month: 9}}}"
    policy = parse_config(f"routes: {{r: {route}}}\npolicies: {{p: {own}}}", "c.yaml", {}).policies["p"]
    assert policy.objective == "fastest"
    assert [requirement.name for requirement in policy.requirements] == ["residency", "languages", "cost_per_month"]
    assert policy.requirements[-1] == CostPerMonth(9, 7_000_000_000)


def test_an_unknown_preset_is_named_with_its_line() -> None:
    text = "routes: {r: {backend: vllm, model: m, replicas: [http://h]}}\npolicies:\n  p:\n    preset: in-house\n"
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "c.yaml", {})
    assert str(caught.value).startswith("c.yaml:4: policies.p.preset: 'in-house' is not one of in-house-rust,")
    assert "did you mean 'in-house-rust'?" in str(caught.value)


def test_presets_are_listed_with_their_rules() -> None:
    shown = CliRunner().invoke(policy.command, ["presets"]).output
    listed = json.loads(CliRunner().invoke(policy.command, ["presets", "--json"]).output)
    assert list(listed) == list(PRESETS) and all(name in shown for name in PRESETS)
    assert "COBOL and Fortran" in listed["legacy-languages"]["rule"]


@pytest.fixture
def gateway() -> Iterator[tuple[str, list[str]]]:
    seen: list[str] = []

    def answer(path: str, headers: Any) -> tuple[int, object]:
        seen.append(path)
        return 201, {"accepted": 9}

    with json_server(answer) as base_url:
        yield f"{base_url}/v1", seen


def test_published_figures_are_posted_as_scorecards(gateway: tuple[str, list[str]]) -> None:
    base_url, seen = gateway
    result = CliRunner().invoke(policy.command, ["published", "--base-url", base_url])
    assert result.output == "9 published scorecards loaded, for llama-3.1-70b, mixtral-8x22b, claude-3.5-sonnet\n"
    assert seen == ["/v1/scorecards"]


def test_published_figures_can_be_those_of_a_route_of_another_name() -> None:
    printed = CliRunner().invoke(policy.command, ["published", "--json", "--route", "sonnet=claude-3.5-sonnet"]).output
    cards = Snapshot.decode(printed).scorecards
    assert {(card.route, card.origin) for card in cards} == {("sonnet", "published")}
    assert sorted(card.pass_at_1 for card in cards if card.pass_at_1 is not None) == [0.918, 0.939]
    wrong = CliRunner().invoke(policy.command, ["published", "--json", "--route", "sonnet=claude-3.5-sonet"]).exception
    assert isinstance(wrong, ConfigFailure) and "did you mean 'claude-3.5-sonnet'?" in str(wrong)


def test_a_policy_is_explained_offline_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weighbridge.yaml"
    file.write_text(documented())
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
    text = explained("legacy", "--config", str(file)).output
    assert "chosen   claude-3.5-sonnet" in text and "0.939 mean pass@1 on humaneval+ v4 (python); published" in text
    assert "goes by published figures, and by no measured ones" in text
    lost = explained("in-house", "--config", str(file), "--language", "COB", "--needs", "tools", "--json")
    found = json.loads(lost.output)
    assert (found["chosen"], found["request"]["language"], found["request"]["needs"]) == (None, "cobol", ["tools"])
    assert isinstance(lost.exception, Failure)


def test_offline_faults_say_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "weighbridge.yaml"
    file.write_text("routes: {r: {backend: vllm, model: m, replicas: [http://h]}}\npolicies: {quick: {}}\n")
    unknown = explained("quik", "--config", str(file)).exception
    assert isinstance(unknown, ConfigFailure) and "has no policy 'quik'; did you mean 'quick'?" in str(unknown)
    missing = explained("quick", "--config", str(tmp_path / "no.yaml")).exception
    assert isinstance(missing, ConfigFailure) and "no.yaml" in str(missing)
