"""Nothing is sent upstream before the ledger knows of it."""

import asyncio
import json

import httpx

from tests.fixtures.gateway import Serve, vllm_route
from tests.fixtures.keys import OWN_KEY, Admin, asking, with_keys
from tests.fixtures.upstream import Received, Upstream, says
from tests.fixtures.waiting import eventually


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


def test_so_is_what_is_reserved(serve: Serve, upstream: Upstream) -> None:
    """It outlives the worker: the row of a killed one says how much may have been spent."""
    gateway = serve(with_keys(upstream.url), api_key=OWN_KEY)
    ask = asking(gateway, Admin(gateway).create("holder", month={"usd": 5})["key"])
    answers: list[httpx.Response] = []

    def answered() -> bool:
        answers.append(ask("hi", max_tokens=1_000))
        return answers[-1].status_code == 200

    eventually(answered)
    row = gateway.ledger(answers[-1].headers["x-weighbridge-request-id"])
    assert row["reserved_nanousd"] > row["cost_nanousd"] > 0
    unlimited = gateway.ledger(gateway.chat("hi").headers["x-weighbridge-request-id"])
    assert unlimited["reserved_nanousd"] is None
