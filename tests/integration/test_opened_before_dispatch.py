"""Nothing is sent upstream before the ledger knows of it."""

import asyncio
import json

from tests.fixtures.gateway import Serve, vllm_route
from tests.fixtures.upstream import Received, Upstream, says


def test_the_open_line_is_in_the_spool_when_the_upstream_is_asked(serve: Serve, upstream: Upstream) -> None:
    gateway = serve({"routes": {"small": vllm_route(upstream.url)}})
    seen: list[list[tuple[str, str]]] = []

    async def look(received: Received, writer: asyncio.StreamWriter) -> None:
        files = sorted((gateway.state_dir / "spools").glob("[!.]*/*.jsonl"))
        events = [json.loads(line) for file in files for line in file.read_bytes().splitlines()]
        seen.append([(event["event"], event["id"]) for event in events])
        await says("hello")(received, writer)

    upstream.behaviour = look
    asked = [gateway.chat(f"{number}", stream=number % 2 == 0) for number in range(4)]
    names = [answer.headers["x-weighbridge-request-id"] for answer in asked]
    for number, events in enumerate(seen):
        assert ("open", names[number]) in events
        assert [name for kind, name in events if kind == "open"] == names[: number + 1]
    for name in names:
        assert gateway.ledger(name)["outcome"] == "ok"
