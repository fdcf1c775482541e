"""What every kind of trouble is tried with: a wire, and a second server."""

from collections.abc import Iterator

import pytest

from tests.fixtures.fault_proxy import FaultProxy, passes
from tests.fixtures.gateway import Gateway, start_gateway, vllm_route
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


@pytest.fixture(scope="session")
def proxy_server(upstream_server: Upstream) -> Iterator[FaultProxy]:
    proxy = FaultProxy(lambda: upstream_server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def proxy(proxy_server: FaultProxy) -> FaultProxy:
    proxy_server.fault = passes
    return proxy_server


@pytest.fixture(scope="session")
def common_troubled_gateway(
    upstream_server: Upstream,
    second_server: Upstream,
    proxy_server: FaultProxy,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    """Each test that leaves something behind at a replica has a route of its own."""
    one, other = vllm_route(upstream_server.url), vllm_route(second_server.url)
    pair = {**vllm_route(upstream_server.url, second_server.url), "affinity": False}
    routes = {
        "one": one,
        "spare": other,
        "proxied": vllm_route(proxy_server.url),
        "refuses": vllm_route("http://127.0.0.1:9"),
        "nowhere": vllm_route("http://nowhere.invalid:8000"),
        **{f"{what}-{wire}": route for wire in WIRES for what, route in (("pair", pair), ("all", pair), ("own", one))},
    }
    policies = {f"{name}-or-spare": {"fallback": [name, "spare"]} for name in routes if name != "spare"}
    limits = {"max_answer_bytes": 20_000, "max_body_bytes": 1_000_000, "total_s": 100}
    config = {"routes": routes, "policies": policies, "limits": limits}
    gateway = start_gateway(tmp_path_factory.mktemp("troubled"), config)
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def troubled(
    common_troubled_gateway: Gateway, upstream: Upstream, second: Upstream, request: pytest.FixtureRequest
) -> Gateway:
    common_troubled_gateway.topic = f"{request.node.name}: "
    return common_troubled_gateway
