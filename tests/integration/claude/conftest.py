"""A gateway with a route to a local Messages server. LiteLLM takes seconds to load, so most tests share one."""

from collections.abc import Iterator

import openai
import pytest

from tests.fixtures.gateway import Gateway, start_gateway
from tests.fixtures.messages_server import NEWEST, MessagesServer, Says, claude_route
from tests.fixtures.waiting import eventually


@pytest.fixture(scope="session")
def messages_session() -> Iterator[MessagesServer]:
    yield from MessagesServer().running()


@pytest.fixture
def messages(messages_session: MessagesServer) -> MessagesServer:
    """The session's server, well-behaved and with a clean memory."""
    messages_session.answers = [Says()]
    messages_session.received.clear()
    return messages_session


@pytest.fixture(scope="session")
def claude_session(messages_session: MessagesServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = {
        "routes": {
            "claude": claude_route(messages_session.url, headers={"Anthropic-Beta": "ours-2026", "X-Team": "a"}),
            "newest": claude_route(messages_session.url, model=NEWEST),
            "nowhere": claude_route("http://127.0.0.1:9"),
        },
    }
    gateway = start_gateway(tmp_path_factory.mktemp("claude"), config)
    # While LiteLLM is loaded the provider's answer may come too late: it is asked again after seconds.
    eventually(lambda: "id" in gateway.http.get("/v1/models/claude").json()["weighbridge"]["observed"])
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture(scope="session")
def hasty_claude_session(
    messages_session: MessagesServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    limits = {"first_token_s": 3, "gap_s": 2, "total_s": 10}
    config = {"routes": {"claude": claude_route(messages_session.url)}, "limits": limits}
    gateway = start_gateway(tmp_path_factory.mktemp("hasty-claude"), config)
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def gateway(claude_session: Gateway, messages: MessagesServer, request: pytest.FixtureRequest) -> Gateway:
    claude_session.topic = f"{request.node.name}: "
    return claude_session


@pytest.fixture
def hasty_gateway(hasty_claude_session: Gateway, messages: MessagesServer, request: pytest.FixtureRequest) -> Gateway:
    """It gives a provider up after seconds, which is too soon where an answer is wanted on a busy machine."""
    hasty_claude_session.topic = f"{request.node.name}: "
    return hasty_claude_session


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as client:
        yield client
