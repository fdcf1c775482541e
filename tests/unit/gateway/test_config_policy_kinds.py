"""Kinds of policies, shadows and sticking, as the file says them, and what is said of their faults."""

from pathlib import Path

import pytest

from gateway.config import Config, ConfigError, parse_config
from policies.kinds import Canary, Fallback, Shadow, Stick, Weighted
from policies.policy import Policy

ROUTES = """routes:
  a: {backend: vllm, model: m, replicas: [http://a], residency: self_hosted, price: {input: 1, output: 1}}
  b: {backend: vllm, model: m, replicas: [http://b], price: {input: 1, output: 1}}
  free: {backend: vllm, model: m, replicas: [http://f], residency: self_hosted}
"""
WHILE = "while: {pass_at_1: {suite: humaneval+, at_least: 0.8}}"


def config(settings: str) -> Config:
    return parse_config(f"{ROUTES}policies:\n  p: {settings}\n", "c.yaml", {})


def policy(settings: str) -> Policy:
    return config(settings).policies["p"]


def test_every_kind_arrives() -> None:
    assert policy("{weighted: {a: 90, b: 10}}").kind == Weighted((("a", 90.0), ("b", 10.0)))
    assert policy("{fallback: [b, a]}").kind == Fallback(("b", "a"))
    assert policy("{fallback: b}").kind == Fallback(("b",))
    canary = policy(f"{{canary: {{stable: a, candidate: b, start: 0.02, grow: 3, until: 0.5, every: 40, {WHILE}}}}}")
    assert canary.kind == Canary("a", "b", "humaneval+", None, 0.8, 0.95, 0.02, 3.0, 0.5, 40)
    against_stable = "while: {pass_at_1: {suite: humaneval+, language: C++, confidence: 0.9}}"
    found = policy(f"{{canary: {{stable: a, candidate: b, {against_stable}}}}}").kind
    assert found == Canary("a", "b", "humaneval+", "cpp", None, 0.9)
    assert policy("{objective: fastest}").kind is None


def test_a_shadow_and_sticking_go_beside_an_objective() -> None:
    found = policy("{objective: cheapest, shadow: {to: b, share: 0.05, usd_per_day: 1.5}, stick: {margin: 0.05}}")
    assert found.shadow == Shadow("b", 0.05, 1_500_000_000, 4)
    assert found.stick == Stick(0.05)


def test_a_presets_requirements_go_with_any_kind() -> None:
    found = parse_config(
        f"{ROUTES}policies:\n  p: {{preset: in-house-rust, weighted: {{a: 1, b: 1}}}}\n", "c.yaml", {}
    ).policies["p"]
    assert found.kind == Weighted((("a", 1.0), ("b", 1.0)))
    assert "residency" in [requirement.name for requirement in found.requirements]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("{weighted: {a: 1, c: 1}}", "weighted.c: no route is named 'c'; "),
        ("{weighted: {a: 0, b: 0}}", "weighted: no route has a weight above 0; write for example `weighted:"),
        ("{weighted: {a: -1}}", "weighted.a: '-1' is below 0.0;"),
        ("{weighted: {a: 1}, fallback: [b]}", "fallback: 'weighted' has said already how routes are picked; keep one"),
        ("{objective: fastest, fallback: [b]}", "objective: 'fallback' has said already how routes are picked; keep"),
        ("{fallback: [b], stick: {margin: 0.1}}", "stick: belongs to a policy with an objective, not to 'fallback';"),
        ("{fallback: [a, b, a]}", "fallback: a route stands here twice; keep its first place"),
        ("{fallback: []}", "fallback: this is empty;"),
        (f"{{canary: {{stable: a, candidate: a, {WHILE}}}}}", "canary.candidate: is the stable route itself; name"),
        (f"{{canary: {{stable: a, candidate: bb, {WHILE}}}}}", "canary.candidate: no route is named 'bb'; "),
        (f"{{canary: {{stable: a, candidate: b, grow: 1, {WHILE}}}}}", "canary.grow: '1' is not above 1.0;"),
        (f"{{canary: {{stable: a, candidate: b, start: 0.5, until: 0.1, {WHILE}}}}}", "canary.until: is below"),
        ("{canary: {stable: a, candidate: b}}", "canary.while: missing; write for example `while: {pass_at_1:"),
        ("{canary: {stable: a, candidate: b, whle: {}}}", "canary.whle: unknown key; did you mean 'while'?"),
        ("{shadow: {to: b}}", "shadow.usd_per_day: missing; write for example `usd_per_day: 1`"),
        ("{shadow: {to: d, usd_per_day: 1}}", "shadow.to: no route is named 'd'; "),
        ("{shadow: {to: b, share: 2, usd_per_day: 1}}", "shadow.share: '2' is above 1.0;"),
        (
            "{require: {residency: self_hosted}, shadow: {to: b, usd_per_day: 1}}",
            "shadow.to: can never be mirrored to: residency is third_party, not the required self_hosted;",
        ),
        (
            "{require: {residency: self_hosted}, fallback: [b]}",
            "can never match a route (b: residency is third_party, not the required self_hosted);",
        ),
        ("{stick: {margin: 1}}", "stick.margin: '1' is not below 1.0;"),
    ],
)
def test_a_faulty_kind_names_key_and_fix(settings: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policy(settings)
    texts = [str(each).removeprefix("c.yaml:6: policies.p").lstrip(".: ") for each in caught.value.problems]
    assert any(text.startswith(problem) for text in texts), texts


def test_only_policies_that_go_by_price_are_warned_of_routes_without_one() -> None:
    assert config("{fallback: [a, free]}").warnings == ()
    assert [warning.location for warning in config("{fallback: [a], otherwise: cheapest}").warnings] == [
        ("routes", "free")
    ]


def test_a_shadow_without_a_price_is_warned_of() -> None:
    (warning,) = config("{fallback: [a], shadow: {to: free, usd_per_day: 1}}").warnings
    assert warning.location == ("policies", "p", "shadow") and "no budget bounds it" in warning.message


def test_the_documented_policies_are_valid() -> None:
    page = (Path(__file__).parents[3] / "docs" / "policy-kinds.md").read_text()
    found = parse_config(page.split("```yaml\n")[1].split("```")[0], "c.yaml", {})
    assert {policy.kind_name for policy in found.policies.values()} == {"weighted", "fallback", "canary", "cheapest"}
    assert found.warnings == ()
