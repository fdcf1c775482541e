"""Rows "reset or malformed SSE mid-stream" and "truncated JSON; endless response".

The client is told, what was produced is billed, and nothing of it is kept.
"""

import asyncio

import httpx
import pytest

from tests.fixtures import upstream as up
from tests.fixtures.fault_proxy import Fault, FaultProxy, closes_after, passes, resets_after
from tests.fixtures.gateway import Gateway
from tests.fixtures.spoken import CHAT, MESSAGES, PROMPT_TOKENS, Spoken
from tests.fixtures.upstream import Upstream

IN, OUT = 1_000, 2_000
LAST = b"word2"


def is_told_and_billed(gateway: Gateway, wire: Spoken, answer: httpx.Response, pieces: int) -> None:
    """A stream that broke after so many pieces."""
    assert answer.status_code == 200
    assert f"word{pieces - 1}" in answer.text
    assert wire.end not in answer.text
    assert wire.error(answer)["type"] in ("upstream_error", "api_error")
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    assert (row["outcome"], row["usage"]["output_tokens"]) == ("broken_stream", pieces)
    assert row["usage_source"] == ("last_seen" if wire is MESSAGES else "estimated")
    if wire is MESSAGES:
        assert row["usage"]["input_tokens"] == PROMPT_TOKENS
    assert row["cost_nanousd"] == row["usage"]["input_tokens"] * IN + pieces * OUT > pieces * OUT
    (attempt,) = row["attempts"]
    assert attempt["cost_nanousd"] == row["cost_nanousd"]


def is_not_kept(gateway: Gateway, upstream: Upstream, wire: Spoken, *, stream: bool, model: str) -> None:
    upstream.behaviour = wire.says()
    again = wire.ask(gateway, "hi", stream=stream, model=model)
    assert (again.status_code, again.headers["x-weighbridge-cache"]) == (200, "miss")


@pytest.mark.parametrize("fault", [resets_after(LAST), closes_after(LAST)], ids=["reset", "closed"])
def test_a_connection_that_breaks_in_the_middle(
    troubled: Gateway, upstream: Upstream, proxy: FaultProxy, wire: Spoken, fault: Fault
) -> None:
    upstream.behaviour, proxy.fault = wire.says(9), fault
    answer = wire.ask(troubled, "hi", stream=True, model="proxied")
    assert answer.status_code == 200
    # What stands behind the mark in its event did not come, so its event did not.
    is_told_and_billed(troubled, wire, answer, 2)
    proxy.fault = passes
    is_not_kept(troubled, upstream, wire, stream=True, model="proxied")


BREAKS = {
    "malformed": b"data: {not json\n\n",
    "not of the wire": b"data: 17\n\n",
    "no end": b"",
    "error event": up.event({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}),
}


@pytest.mark.parametrize("how", BREAKS)
def test_events_that_are_none(troubled: Gateway, upstream: Upstream, wire: Spoken, how: str) -> None:
    pieces = [wire.more(f"word{number} ") for number in range(3)]
    parts = [part for part in (*wire.begins, *pieces, BREAKS[how]) if part]  # an empty chunk would be the end
    upstream.behaviour = up.streams(*parts)
    answer = wire.ask(troubled, "hi", stream=True, model="one")
    if how == "error event" and wire is MESSAGES:
        assert wire.error(answer)["type"] == "overloaded_error"  # the provider's own words
        assert wire.end not in answer.text
    else:
        is_told_and_billed(troubled, wire, answer, 3)
    is_not_kept(troubled, upstream, wire, stream=True, model="one")


@pytest.mark.parametrize("how", ["json", "connection"])
def test_truncated_json_is_asked_for_once_more_and_then_502(
    troubled: Gateway, upstream: Upstream, proxy: FaultProxy, wire: Spoken, how: str
) -> None:
    upstream.behaviour = wire.says(9)
    proxy.fault = closes_after(LAST)
    if how == "json":
        proxy.fault, upstream.behaviour = passes, up.answers_json(b'{"id": "x", "content": [{"type')
    answer = wire.ask(troubled, "hi", stream=False, model="proxied")
    assert (answer.status_code, len(upstream.received)) == (502, 2)
    assert wire.error(answer)["type"] in ("upstream_error", "api_error")
    row = troubled.ledger(answer.headers["x-weighbridge-request-id"])
    assert (row["outcome"], row["cost_nanousd"], row["usage_source"]) == ("upstream_broken", 0, "unknown")
    assert [attempt["outcome"] for attempt in row["attempts"]] == ["malformed", "malformed"]
    proxy.fault = passes
    is_not_kept(troubled, upstream, wire, stream=False, model="proxied")


def test_truncated_json_once_is_mended(troubled: Gateway, upstream: Upstream, wire: Spoken) -> None:
    async def at_first(received: up.Received, writer: asyncio.StreamWriter) -> None:
        first = len(upstream.received) == 1
        await (up.answers_json(b'{"id": "x') if first else wire.says(2))(received, writer)

    upstream.behaviour = at_first
    answer = wire.ask(troubled, "hi", stream=False, model="one")
    assert (answer.status_code, len(upstream.received)) == (200, 2)
    row = troubled.ledger(answer.headers["x-weighbridge-request-id"])
    assert row["cost_nanousd"] == PROMPT_TOKENS * IN + 2 * OUT


def test_an_endless_stream_is_cut_and_billed_as_far_as_it_came(
    troubled: Gateway, upstream: Upstream, wire: Spoken
) -> None:
    async def endless(_: up.Received, writer: asyncio.StreamWriter) -> None:
        writer.write(up.SSE_HEAD)
        for part in wire.begins:
            await up.write_chunk(writer, part)
        while not writer.is_closing():
            await up.write_chunk(writer, wire.more("again and "))

    upstream.behaviour = endless
    answer = wire.ask(troubled, "hi", stream=True, model="one")
    assert len(answer.content) < 2 * 20_000
    pieces = answer.text.count("again and ")
    assert wire.end not in answer.text and wire.error(answer)
    row = troubled.ledger(answer.headers["x-weighbridge-request-id"])
    assert (row["outcome"], row["usage"]["output_tokens"]) == ("broken_stream", pieces)
    assert row["cost_nanousd"] == row["usage"]["input_tokens"] * IN + pieces * OUT
    is_not_kept(troubled, upstream, wire, stream=True, model="one")


def test_an_endless_body_is_cut_asked_for_once_more_and_then_502(
    troubled: Gateway, upstream: Upstream, wire: Spoken
) -> None:
    async def endless(_: up.Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            await up.write_chunk(writer, b" " * 4096)

    upstream.behaviour = endless
    answer = wire.ask(troubled, "hi", stream=False, model="one")
    assert (answer.status_code, len(upstream.received)) == (502, 2)
    row = troubled.ledger(answer.headers["x-weighbridge-request-id"])
    assert (row["cost_nanousd"], row["usage_source"]) == (0, "unknown")
    is_not_kept(troubled, upstream, wire, stream=False, model="one")


@pytest.mark.parametrize("wire", [CHAT], ids=["chat"])
def test_an_endless_event_is_cut_before_it_begins(troubled: Gateway, upstream: Upstream, wire: Spoken) -> None:
    async def endless(_: up.Received, writer: asyncio.StreamWriter) -> None:
        writer.write(up.SSE_HEAD)
        while not writer.is_closing():
            await up.write_chunk(writer, b"data: " + b"x" * 4096)

    upstream.behaviour = endless
    answer = wire.ask(troubled, "hi", stream=True, model="one")
    assert (answer.status_code, len(upstream.received)) == (502, 2)
