"""`hedge` as the file says it, and what is said of its faults."""

import pytest

from gateway.config import ConfigError, parse_config
from policies.hedge import Hedge

ROUTES = "routes:\n  a: {backend: vllm, model: m, replicas: [http://a, http://b]}\n"


def hedge(settings: str) -> Hedge | None:
    return parse_config(f"{ROUTES}policies:\n  p: {{{settings}}}\n", "c.yaml", {}).policies["p"].hedge


def test_both_forms_arrive() -> None:
    assert hedge("objective: cheapest") is None
    assert hedge("hedge: {after_ms: 800}") == Hedge(800)
    assert hedge("hedge: {after: p95}") == Hedge(None)


@pytest.mark.parametrize(
    ("settings", "place", "message"),
    [
        ("hedge: {}", "hedge", "needs to know when"),
        ("hedge: {after: p95, after_ms: 5}", "hedge", "not both"),
        ("hedge: {after: p99}", "hedge.after", "'p99' is not"),
        ("hedge: {after_ms: 0}", "hedge.after_ms", "is not above 0"),
        ("verify: examples, hedge: {after: p95}", "hedge", "does not go with `verify`"),
    ],
)
def test_each_fault_is_named(settings: str, place: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        hedge(settings)
    [problem] = caught.value.problems
    assert f"policies.p.{place}" in str(problem)
    assert message in problem.message
