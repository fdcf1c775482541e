"""What every kind of trouble is tried with: a wire, and a second server."""

from collections.abc import Iterator

import pytest

from tests.fixtures.spoken import WIRES, Spoken
from tests.fixtures.upstream import Upstream


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> Spoken:
    return WIRES[request.param]


@pytest.fixture(scope="session")
def second_server() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def second(second_server: Upstream) -> Upstream:
    second_server.behaviour = WIRES["chat"].says()
    second_server.received.clear()
    return second_server
