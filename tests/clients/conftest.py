"""Clients, each at a desk of its own, and the gateways that they ask."""

from collections.abc import Iterator

import pytest

from tests.clients.desk import Programs, install
from tests.clients.houses import House, claude_house, vllm_house


@pytest.fixture(scope="session")
def codex() -> Programs:
    return install("codex")


@pytest.fixture(scope="session")
def comply() -> Programs:
    return install("comply")


@pytest.fixture(scope="session")
def programs() -> Programs:
    return install("all")


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with vllm_house(tmp_path_factory.mktemp("vllm-house")) as house:
        yield house


@pytest.fixture(scope="session")
def claude(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with claude_house(tmp_path_factory.mktemp("claude-house")) as house:
        yield house


@pytest.fixture(params=["vllm", "claude"])
def house(request: pytest.FixtureRequest) -> House:
    """Each of both in turn."""
    found: House = request.getfixturevalue(request.param)
    return found
