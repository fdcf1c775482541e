"""Row "client disconnects": the upstream is cancelled unless others read on; row 499; what was made is billed."""

import asyncio
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway
from tests.fixtures.spoken import MESSAGES, PROMPT_TOKENS, Spoken
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import LONG_S, eventually

IN, OUT = 1_000, 2_000


def read_until(answer: httpx.Response, parts: Iterator[str], mark: str) -> str:
    assert answer.status_code == 200
    said = ""
    while mark not in said:
        said += next(parts)
    return said


def in_flight(gateway: Gateway) -> float:
    found = re.search(r"^weighbridge_requests_in_flight (\S+)$", gateway.http.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return float(found[1])


def left(gateway: Gateway, answer: httpx.Response) -> dict[str, Any]:
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    assert (row["outcome"], row["status"]) == ("client_left", 499)
    return row


def test_in_the_middle_of_a_stream(troubled: Gateway, upstream: Upstream, wire: Spoken) -> None:
    upstream.behaviour = wire.stalls(2)
    body = wire.body(troubled, "hi", stream=True, model="one")
    with troubled.http.stream("POST", wire.path, json=body) as answer:
        parts = answer.iter_text()  # kept: with it the connection would end
        read_until(answer, parts, "word1")
        assert not upstream.received[0].gone.is_set()
    assert upstream.received[0].gone.wait(LONG_S)
    row = left(troubled, answer)
    assert (row["usage"]["output_tokens"], row["usage_source"]) == (2, "last_seen" if wire is MESSAGES else "estimated")
    if wire is MESSAGES:
        assert row["usage"]["input_tokens"] == PROMPT_TOKENS
    assert row["cost_nanousd"] == row["usage"]["input_tokens"] * IN + 2 * OUT > 2 * OUT
    assert [attempt["outcome"] for attempt in row["attempts"]] == ["client_left"]
    upstream.behaviour = wire.says()
    again = wire.ask(troubled, "hi", stream=True, model="one")
    assert again.headers["x-weighbridge-cache"] == "miss"


@pytest.mark.parametrize("stream", [False, True])
def test_before_anything_is_said(troubled: Gateway, second: Upstream, wire: Spoken, stream: bool) -> None:
    """Nothing was produced, so nothing is billed but what the server named."""
    second.behaviour = wire.stalls(0) if stream else says_nothing
    content = json.dumps(wire.body(troubled, "hi", stream=stream, model="spare")).encode()
    host, _, port = troubled.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST {wire.path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content)
        (received,) = second.wait_for(1)
    assert received.gone.wait(LONG_S)

    def rows() -> list[dict[str, Any]]:
        wanted = {"outcome": "client_left", "route": "spare", "wire": wire.name, "streamed": stream}
        return [row for row in troubled.logged("request") if row.items() >= wanted.items()]

    eventually(rows)
    (row,) = rows()
    assert (row["status"], row["output_tokens"]) == (499, 0)
    assert row["cost_nanousd"] in (0, PROMPT_TOKENS * IN if wire is MESSAGES and stream else 0)


async def says_nothing(_: up.Received, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(300)


def test_while_others_read_the_flight(troubled: Gateway, upstream: Upstream, wire: Spoken) -> None:
    go = threading.Event()
    first = b"".join((*wire.begins, wire.more("word0 "), wire.more("word1 ")))
    upstream.behaviour = up.streams_held(first, go, wire.more("word2 "), *wire.ends(3))
    body = wire.body(troubled, "hi", stream=True, model="one")
    with ExitStack() as stays:
        with troubled.http.stream("POST", wire.path, json=body) as leaver:
            leavers = leaver.iter_text()
            read_until(leaver, leavers, "word1")
            reader = stays.enter_context(troubled.http.stream("POST", wire.path, json=body))
            parts = reader.iter_text()
            said = read_until(reader, parts, "word1")
        assert reader.headers["x-weighbridge-cache"] == "shared"
        eventually(lambda: in_flight(troubled) == 1)
        assert not upstream.received[0].gone.is_set()
        go.set()
        said += "".join(parts)
    assert "word2" in said and wire.end in said
    assert len(upstream.received) == 1
    row = left(troubled, leaver)  # it began the flight, so that it pays for all of it
    assert (row["cost_nanousd"], row["usage_source"]) == (PROMPT_TOKENS * IN + 3 * OUT, "provider")
    shared = troubled.ledger(reader.headers["x-weighbridge-request-id"])
    assert (shared["outcome"], shared["cost_nanousd"], shared["cache"]) == ("ok", 0, "shared")
