"""The section `keys` of the config file."""

from pathlib import Path

import pytest

from gateway.config import Config, ConfigError, parse_config
from gateway.keys.key import Allowance, Budget

ROUTES = "routes: {small: {backend: vllm, model: m, replicas: [http://127.0.0.1:8000]}}\n"


def load(tmp_path: Path, keys: str) -> Config:
    return parse_config(f"{ROUTES}keys: {keys}\n", tmp_path / "weighbridge.yaml", {"SECRET": "s3cret-canary"})


def test_teams_and_customers_have_allowances(tmp_path: Path) -> None:
    teams = "{red: {month: 5000, rpm: 600}, blue: {day: {usd: 0.10, hard: false}, tpm: 5, parallel: 2}}"
    keys = load(tmp_path, f"{{admin_key: a, secret: '${{SECRET}}', teams: {teams}, customers: {{acme: {{}}}}}}").keys
    assert keys is not None
    assert keys.shared.teams == {
        "red": Allowance(rpm=600, month=Budget(5_000_000_000_000)),
        "blue": Allowance(tpm=5, parallel=2, day=Budget(100_000_000, hard=False)),
    }
    assert keys.shared.customers == {"acme": Allowance()}
    assert (keys.admin_key, keys.secret) == ("a", "s3cret-canary")
    assert "canary" not in repr(keys)


@pytest.mark.parametrize(
    ("keys", "faults"),
    [
        ("{}", ["keys.admin_key", "keys.secret"]),
        ("5", ["keys"]),
        ("{admin_key: a}", ["keys.secret"]),
        ('{admin_key: [s3cret-canary], secret: "s3cret-canary\\t"}', ["keys.admin_key", "keys.secret"]),
        ("{admin_key: a, secret: s, teams: {x: {month: -5}}}", ["keys.teams.x.month.usd"]),
        ("{admin_key: a, secret: s, teams: {x: {rpm: 0, day: {usd: 5, hard: 7}}}}", ["keys.teams.x"]),
        ("{admin_key: a, secret: s, team: {}}", ["keys.team"]),
    ],
)
def test_faults_are_named_and_no_secret_is_shown(tmp_path: Path, keys: str, faults: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, keys)
    said = [problem.key for problem in refused.value.problems]
    assert all(any(place.startswith(fault) for place in said) for fault in faults), said
    assert "canary" not in str(refused.value)
