"""``require: {budget_left: ...}`` in the file."""

import pytest

from gateway.config import ConfigError, parse_config
from policies.budget import BudgetAtLeast
from policies.policy import Policy

ROUTE = "routes:\n  r: {backend: vllm, model: m, replicas: [http://h]}\n"


def policy(budget_left: str) -> Policy:
    text = f"{ROUTE}policies:\n  p: {{require: {{budget_left: {budget_left}}}}}\n"
    return parse_config(text, "c.yaml", {}).policies["p"]


def test_it_arrives() -> None:
    assert policy("0.25").budget == BudgetAtLeast(share=0.25)
    assert policy("{usd: 10, routes: [r]}").budget == BudgetAtLeast(nanousd=10_000_000_000, routes=frozenset({"r"}))
    assert parse_config(f"{ROUTE}policies: {{p: {{}}}}\n", "c.yaml", {}).policies["p"].budget is None


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("{}", "needs a share or dollars, and not both"),
        ("{share: 0.1, usd: 1}", "needs a share or dollars, and not both"),
        ("{share: 0.1, routes: [s]}", "no route is named 's'"),
        ("0", "is not above 0"),
        ("25", "is above 1"),
        ("much", "number"),
    ],
)
def test_faults_are_told(written: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        policy(written)
