"""The section `store`: an address that is checked, and that nobody is shown."""

from pathlib import Path

import pytest

from gateway.config import ConfigError, parse_config
from gateway.processes.reload import needs_restart

FILE = """routes:
  small: {backend: vllm, model: m, replicas: [http://127.0.0.1:9]}
store: {url: "${STORE}"}
"""
PASSWORD = "canary-0815"


def parsed(url: str) -> str | None:
    return parse_config(FILE, Path("weighbridge.yaml"), {"STORE": url}).store_url


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:{PASSWORD}@db:5432/name?sslmode=verify-full",
        f"postgres://user:{PASSWORD}@db/name",
        "postgresql:///name?host=/run/postgresql",
        "postgresql://user@[::1]:5432/name",
    ],
)
def test_addresses_of_a_postgres_are_taken(url: str) -> None:
    assert parsed(url) == url


def test_without_one_it_is_sqlite() -> None:
    assert parsed("") is None


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://user:{PASSWORD}@db/name",
        f"postgresql+asyncpg://user:{PASSWORD}@db/name",
        f"postgresql://user:{PASSWORD}@db:54x2/name",
        f"postgresql://user:{PASSWORD}@db",
        f"postgresql://user:{PASSWORD}@db:5432/",
        f"user={PASSWORD} dbname=name",
        f"postgresql://user:{PASSWORD}\u00e9@db/name",
    ],
)
def test_others_are_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parsed(url)
    (problem,) = refused.value.problems
    assert str(problem).startswith("weighbridge.yaml:3: store.url: ")
    assert PASSWORD not in str(problem)


def test_the_address_is_in_no_text_of_the_configuration() -> None:
    config = parse_config(FILE, Path("weighbridge.yaml"), {"STORE": f"postgresql://user:{PASSWORD}@db/name"})
    assert PASSWORD not in repr(config)


def test_another_store_waits_for_a_restart() -> None:
    configs = [parse_config(FILE, Path("w.yaml"), {"STORE": f"postgresql://db/{name}"}) for name in ("one", "two")]
    assert needs_restart(configs[0], configs[1]) == ["store.url"]
