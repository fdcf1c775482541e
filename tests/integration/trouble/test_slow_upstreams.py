"""Row "stall before first token / mid-stream; slow-loris": tried again, then 504; midway an error event, at the gap
limit or the total deadline. Billed is what the server said, or what came.

Every case takes as long as its limit, so they are asked at the same time; first those that are sure to be tried again.
"""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from gateway.pipeline.retry import BUDGET_LEAST
from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway, start_gateway, vllm_route
from tests.fixtures.spoken import MESSAGES, PROMPT_TOKENS, WIRES, Spoken
from tests.fixtures.upstream import Behaviour, Upstream
from tests.fixtures.waiting import LONG_S

IN, OUT = 1_000, 2_000


def says_nothing(_: Spoken) -> Behaviour:
    async def behave(_: up.Received, __: asyncio.StreamWriter) -> None:
        await asyncio.sleep(300)

    return behave


def dribbles(before: int, part: bytes) -> "Any":
    """So many pieces of content, and then ``part`` for ever, which is no content and no end."""

    def of(wire: Spoken) -> Behaviour:
        async def behave(_: up.Received, writer: asyncio.StreamWriter) -> None:
            writer.write(up.SSE_HEAD)
            for piece in (*wire.begins, *(wire.more(f"word{number} ") for number in range(before))):
                await up.write_chunk(writer, piece)
            while not writer.is_closing():
                await up.write_chunk(writer, part)
                await asyncio.sleep(0.2)

        return behave

    return of


CASES: dict[str, tuple[Any, bool]] = {
    "silent-stream": (says_nothing, True),
    "silent-whole": (says_nothing, False),
    "no-content": (lambda wire: wire.stalls(0), True),
    "byte-by-byte-first": (dribbles(0, b"x"), True),
    "comments-first": (dribbles(0, b": alive\n\n"), True),
    "stalls-midway": (lambda wire: wire.stalls(2), True),
    "byte-by-byte-midway": (dribbles(2, b"x"), True),
    "comments-for-ever": (dribbles(2, b": alive\n\n"), True),
}
"""By name: what the server does, and whether a stream is asked for."""


RETRIED = [("silent-stream", "chat"), ("silent-stream", "messages"), ("no-content", "messages")]
"""As many as the retry budget always allows."""
assert len(RETRIED) == BUDGET_LEAST


class Asked:
    """All cases' answers."""

    def __init__(self, gateway: Gateway, upstream: Upstream) -> None:
        self.gateway = gateway
        self._upstream = upstream
        self.answers: dict[tuple[str, str], httpx.Response] = {}

    def ask(self) -> None:
        self._upstream.behaviour = _by_case
        every = [(case, name) for case in CASES for name in WIRES if (case, name) not in RETRIED]
        for together in (RETRIED, every):
            with ThreadPoolExecutor(len(together)) as threads:
                self.answers |= zip(together, threads.map(self._ask, together), strict=True)
        self.received = list(self._upstream.received)

    def _ask(self, which: tuple[str, str]) -> httpx.Response:
        case, name = which
        return WIRES[name].ask(self.gateway, f"<{case}>", stream=CASES[case][1], model="small")

    def of(self, case: str, wire: Spoken) -> tuple[httpx.Response, dict[str, Any], list[up.Received]]:
        """The answer, its row, and what its server was sent."""
        answer = self.answers[case, next(name for name in WIRES if WIRES[name] is wire)]
        row = self.gateway.ledger(answer.headers["x-weighbridge-request-id"])
        marks = (f"<{case}>".encode(), wire.path.encode())
        return answer, row, [each for each in self.received if all(mark in each.body for mark in marks)]


async def _by_case(received: up.Received, writer: asyncio.StreamWriter) -> None:
    case = next(case for case in CASES if f"<{case}>".encode() in received.body)
    wire = next(wire for wire in WIRES.values() if wire.path == received.path)
    await CASES[case][0](wire)(received, writer)


@pytest.fixture(scope="module")
def asked(upstream_server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    upstream_server.received.clear()
    limits = {"first_token_s": 1.5, "gap_s": 1, "total_s": 4}
    config = {"routes": {"small": vllm_route(upstream_server.url)}, "limits": limits}
    gateway = start_gateway(tmp_path_factory.mktemp("slow"), config)
    asked = Asked(gateway, upstream_server)
    asked.ask()
    yield asked
    assert gateway.stop() == 0


@pytest.mark.parametrize("case", ["silent-stream", "no-content", "byte-by-byte-first", "comments-first"])
def test_no_first_token_is_tried_again_and_then_504(asked: Asked, wire: Spoken, case: str) -> None:
    answer, row, received = asked.of(case, wire)
    assert (answer.status_code, wire.error(answer)["type"]) == (504, "timeout_error")
    least = 2 if any(case == retried and wire is WIRES[name] for retried, name in RETRIED) else 1
    assert least <= len(received) <= 3
    assert all(each.gone.wait(LONG_S) for each in received)
    outcomes = {attempt["outcome"] for attempt in row["attempts"]}
    assert (row["outcome"], outcomes) == ("upstream_timeout", {"timeout"})
    named = len(received) if wire is MESSAGES and case != "silent-stream" else 0  # its first event says what came in
    assert row["cost_nanousd"] == named * PROMPT_TOKENS * IN
    assert row["usage_source"] == ("last_seen" if named else "unknown")


def test_a_whole_answer_that_does_not_come_is_504_at_the_total_deadline(asked: Asked, wire: Spoken) -> None:
    answer, row, received = asked.of("silent-whole", wire)
    assert (answer.status_code, len(received)) == (504, 1)
    assert received[0].gone.wait(LONG_S)
    assert (row["cost_nanousd"], row["usage_source"]) == (0, "unknown")


@pytest.mark.parametrize("case", ["stalls-midway", "byte-by-byte-midway", "comments-for-ever"])
def test_a_stream_that_stops_ends_in_an_error_event(asked: Asked, wire: Spoken, case: str) -> None:
    """At the gap limit; where it goes on saying nothing, at the total deadline."""
    answer, row, received = asked.of(case, wire)
    assert (answer.status_code, wire.error(answer)["type"]) == (200, "timeout_error")
    assert "word1" in answer.text and wire.end not in answer.text
    assert len(received) == 1 and received[0].gone.wait(LONG_S)
    assert (row["outcome"], row["usage"]["output_tokens"]) == ("broken_stream", 2)
    assert row["cost_nanousd"] == row["usage"]["input_tokens"] * IN + 2 * OUT
    assert row["usage_source"] == ("last_seen" if wire is MESSAGES else "estimated")


def test_the_total_deadline_ends_what_goes_on_saying_nothing(asked: Asked, wire: Spoken) -> None:
    _, row, _ = asked.of("comments-for-ever", wire)
    assert row["total_ms"] >= 4_000


@pytest.mark.parametrize("case", ["stalls-midway", "comments-for-ever"])
def test_nothing_of_it_is_kept(asked: Asked, upstream: Upstream, wire: Spoken, case: str) -> None:
    upstream.behaviour = wire.says(1)
    again = wire.ask(asked.gateway, f"<{case}>", stream=True, model="small")
    assert again.headers.get("x-weighbridge-cache") != "hit"
