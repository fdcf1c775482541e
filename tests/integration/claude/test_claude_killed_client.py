"""A client that is killed takes its request to Claude with it, on every wire."""

import pytest

from tests.fixtures.gateway import Gateway
from tests.fixtures.killed_client import ASKED, KilledClient
from tests.fixtures.messages_server import MessagesServer, Says, text


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ASKED)
def test_a_killed_client_ends_the_providers_work(
    gateway: Gateway, messages: MessagesServer, path: str, stream: bool
) -> None:
    messages.answers = [Says((text("one two three four five six"),), events=6, ending="stalled")]
    client = KilledClient(gateway, path, "claude", stream)
    client.ask()
    (received,) = messages.wait_for(1)
    if stream:
        client.read_until(b"one")
    client.kill(received.gone)
