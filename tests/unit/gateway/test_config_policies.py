"""What a policy may say in the file, and what is said of its faults."""

import pytest

from gateway.config import ConfigError, parse_config
from policies.costs import CostPerMonth, MeasuredCost, PricePer1k
from policies.facts import HasCapabilities, OutputAtLeast
from policies.languages import OF_REQUEST
from policies.latency import Latency
from policies.policy import Policy
from policies.requirements import PassAt1

ROUTE = "routes:\n  r: {backend: vllm, model: m, replicas: [http://h], max_output_tokens: 9000%s}\n"
PRICE = ", price: {input: 1, output: 1}, capabilities: {tools: true, vision: false}"


def policy(settings: str, route: str = PRICE) -> Policy:
    return parse_config(f"{ROUTE % route}policies:\n  p: {settings}\n", "c.yaml", {}).policies["p"]


def test_every_requirement_arrives() -> None:
    month = "per_month_usd: 5, tokens_per_month: 7"
    cost = f"{{per_request_usd: 0.002, per_1k_tokens_usd: 0.0025, per_solved_task_usd: 1, {month}}}"
    gate = "{suite: s, at_least: 0.5, language: C++}"
    asked = f"pass_at_1: {gate}, output: 8000, capabilities: tools, ttft_p50_ms: 1, total_p50_ms: 2, cost: {cost}"
    found = policy(f"{{objective: weighted, weights: {{cheapest: 1, fastest: 0.5}}, require: {{{asked}}}}}")
    assert found.weights == (("cheapest", 1), ("fastest", 0.5)) and found.evidence == "measured"
    assert found.requirements == (
        OutputAtLeast(8000),
        HasCapabilities(frozenset({"tools"})),
        PricePer1k(2_500_000),
        CostPerMonth(7, 5_000_000_000),
        PassAt1("s", 0.5, "cpp"),
        Latency("ttft_p50_ms", 1, "s", "cpp"),
        Latency("total_p50_ms", 2, "s", "cpp"),
        MeasuredCost("cost_per_request", 2_000_000, "s", "cpp"),
        MeasuredCost("cost_per_solved_task", 1_000_000_000, "s", "cpp"),
    )


def test_a_gate_may_be_in_the_requests_own_language_and_pooled() -> None:
    found = policy("{require: {pass_at_1: {suite: s, at_least: 0.5, language: of_request, pooled: true}}}")
    assert found.requirements == (PassAt1("s", 0.5, OF_REQUEST, pooled=True),)


def test_a_policy_says_which_times_count() -> None:
    found = policy("{latency: worst, require: {ttft_p99_ms: 1, total_p50_ms: 2}}")
    assert found.requirements == (Latency("ttft_p99_ms", 1, source="worst"), Latency("total_p50_ms", 2, source="worst"))


def test_a_routes_capabilities_are_what_is_declared_and_a_vllm_follows_no_links_unless_it_is_said() -> None:
    config = parse_config(ROUTE % PRICE, "c.yaml", {})
    assert config.routes["r"].capabilities == {"tools": True, "vision": False, "linked_media": False}
    allowed = (ROUTE % PRICE).replace("vision: false", "vision: false, linked_media: true")
    assert parse_config(allowed, "c.yaml", {}).routes["r"].capabilities["linked_media"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("{objective: weighted}", "weights: missing: the objective is `weighted`; write what each measure counts,"),
        ("{otherwise: weighted, weights: {}}", "weights: missing: the objective is `weighted`; write what"),
        ("{weights: {cheapest: 1}}", "weights: belongs to the objective `weighted`; remove it, or write"),
        ("{objective: weighted, weights: {cheapest: 0}}", "weights.cheapest: '0' is not above 0"),
        ("{objective: weighted, weights: {cheap: 1}}", "weights.cheap: unknown key; did you mean 'cheapest'?"),
        ("{latency: alive}", "latency: 'alive' is not one of live, replayed, worst; did you mean 'live'?"),
        ("{evidence: guessed}", "evidence: 'guessed' is not one of measured, published;"),
        ("{require: {capabilities: [tool]}}", "require.capabilities.0: 'tool' is not one of tools, vision,"),
        (
            "{require: {pass_at_1: {suite: s, at_least: 0.5, pooled: true}}}",
            "require.pass_at_1.pooled: belongs to a gate in a language; write `language: of_request`",
        ),
        ("{require: {output: 0}}", "require.output: '0' is below 1;"),
        ("{require: {cost: {per_month_usd: 5}}}", "require.cost: a month's cost needs a sum and its number of tokens;"),
        ("{require: {cost: {per_token_usd: 5}}}", "require.cost.per_token_usd: unknown key; did you mean 'per_"),
        (
            "{require: {capabilities: vision}}",
            "can never match a route (r: does not declare vision, which the policy requires);",
        ),
        (
            "{require: {cost: {per_1k_tokens_usd: 0.0001}}}",
            "can never match a route (r: 1,000 tokens cost $0.001, above the required $0.0001);",
        ),
    ],
)
def test_a_faulty_policy_names_line_key_and_fix(settings: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        policy(settings)
    text = str(caught.value).removeprefix("c.yaml:4: policies.p")
    assert text.lstrip(".: ").startswith(problem)


def test_a_route_without_a_price_is_warned_of_where_a_policy_goes_by_it() -> None:
    text = (
        ROUTE % ""
        + "  s: {backend: vllm, model: m, replicas: [http://i], price: {input: 1, output: 1}}\npolicies: {p: "
    )
    by_price = (
        "{objective: weighted, weights: {cheapest: 1}}",
        "{objective: fastest, require: {cost: {per_1k_tokens_usd: 1}}}",
    )
    for settings in by_price:
        (warning,) = parse_config(f"{text}{settings}}}\n", "c.yaml", {}).warnings
        assert warning.location == ("routes", "r") and "free to the policy 'p'" in warning.message
    assert parse_config(f"{text}{{objective: fastest}}}}\n", "c.yaml", {}).warnings == ()
