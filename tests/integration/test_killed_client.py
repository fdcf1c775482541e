"""A client that is killed takes its upstream request with it, on every wire."""

import asyncio

import pytest

from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway
from tests.fixtures.killed_client import ASKED, KilledClient
from tests.fixtures.upstream import Behaviour, Received, Upstream, event

FIRST = {
    "/v1/chat/completions": event(up.chunk("one")),
    "/v1/completions": event({"object": "text_completion", "choices": [{"index": 0, "text": "one"}]}),
    "/v1/responses": event({"type": "response.output_text.delta", "item_id": "msg_1", "delta": "one"}),
    "/v1/messages": event(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "one"}}
    ),
}  # fmt: skip


def goes_on_for_minutes(first: bytes) -> Behaviour:
    """``first`` comes at once where a stream is asked for."""

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        if received.json["stream"]:
            writer.write(up.SSE_HEAD)
            await up.write_chunk(writer, first)
        await asyncio.sleep(300)

    return behave


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ASKED)
def test_a_killed_client_ends_the_upstreams_work(gateway: Gateway, upstream: Upstream, path: str, stream: bool) -> None:
    upstream.behaviour = goes_on_for_minutes(FIRST[path])
    client = KilledClient(gateway, path, "small", stream)
    client.ask()
    (received,) = upstream.wait_for(1)
    if stream:
        client.read_until(b"one")
    client.kill(received.gone)
