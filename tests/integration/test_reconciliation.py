"""The upstream's own log beside the ledger, after requests of every kind: the same, or within bounds."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from backends.price import Price, nano
from backends.usage import Usage
from tests.fixtures.gateway import Gateway, start_gateway, vllm_route
from tests.fixtures.metered_upstream import Logged, MeteredUpstream
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually

REQUESTS = 300
PRICE = Price(nano("3"), nano("15"), nano("0.3"), nano("3.75"))
KINDS = (
    ("chat", "fine", False), ("chat", "fine", True), ("chat", "break", True), ("chat", "count-break", True),
    ("chat", "endless", True), ("chat", "late", False), ("messages", "fine", False), ("messages", "fine", True),
    ("messages", "break", True), ("responses", "fine", False), ("responses", "fine", True),
    ("responses", "break", True),
)  # fmt: skip
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}


@dataclass(frozen=True)
class Asked:
    """One request as its client saw it: its prompt, its row, how many deltas it got, and whether it got its end."""

    prompt: str
    kind: str
    row: dict[str, Any]
    deltas: int


@dataclass(frozen=True)
class Books:
    gateway: Gateway
    log: dict[str, list[Logged]]
    asked: list[Asked]


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    """Clients, eight at a time; every tenth asks what was asked before."""
    upstream, metered = Upstream(), MeteredUpstream()
    upstream.behaviour = metered.behave
    price = {"input": 3, "output": 15, "cached_input": 0.3, "cache_write": 3.75}
    config = {"routes": {"small": vllm_route(upstream.url, price=price)}}
    gateway = start_gateway(tmp_path_factory.mktemp("books"), config, "--workers", "2")
    try:
        with ThreadPoolExecutor(8) as pool:
            heads = list(pool.map(lambda number: ask(gateway, number), range(REQUESTS)))
        asked = [Asked(prompt, kind, gateway.ledger(row), deltas) for prompt, kind, row, deltas in heads]
        yield Books(gateway, metered.log, asked)
    finally:
        assert gateway.stop() == 0
        upstream.close()


def ask(gateway: Gateway, number: int) -> tuple[str, str, str, int]:
    wire, kind, stream = KINDS[number % len(KINDS)]
    again = kind == "fine" and number // len(KINDS) % 3 == 2  # what was asked a round before
    about = number - len(KINDS) if again else number
    prompt = f"{'x' * (about * 7 % 500)} {kind} {about}"
    body: dict[str, Any] = {"model": "small", "stream": stream}
    said = [{"role": "user", "content": prompt}]
    body |= {"input": prompt, "store": False} if wire == "responses" else {"messages": said, "max_tokens": 50}
    with gateway.http.stream("POST", PATHS[wire], json=body) as answer:
        if not (kind == "late" and answer.status_code == 502):  # there may be too many retries under way
            assert answer.status_code == 200, answer.read()
        return prompt, kind, answer.headers["x-weighbridge-request-id"], _read(answer, kind)


def _read(answer: httpx.Response, kind: str) -> int:
    """How many deltas came. Whoever gets no end leaves after three."""
    deltas = 0
    for line in answer.iter_lines():
        deltas += line.startswith("data:") and '"a"' in line
        if kind == "endless" and deltas == 3:
            break
    return deltas


def usage(row: dict[str, Any]) -> tuple[int, int, int, int]:
    names = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens")
    tokens_in, out, cached, written = (row["usage"][name] for name in names)
    return tokens_in, out, cached, written


def usage_of(entry: Logged) -> tuple[int, int, int, int]:
    return entry.tokens_in, entry.tokens_out, entry.cached, entry.written


def test_what_the_provider_counted_is_its_own_log_request_by_request(books: Books) -> None:
    told = {prompt: [entry for entry in entries if entry.told] for prompt, entries in books.log.items()}
    rows = [asked for asked in books.asked if asked.row["usage_source"] == "provider"]
    for asked in rows:
        entry = told[asked.prompt].pop()
        assert usage(asked.row) == usage_of(entry)
        tokens_in, out, cached, written = usage_of(entry)
        fresh = tokens_in - cached - written
        assert asked.row["cost_nanousd"] == fresh * 3000 + cached * 300 + written * 3750 + out * 15_000
        assert asked.kind in ("fine", "late")
    assert not any(told.values())  # nothing that it counted is anywhere else
    assert len(rows) > REQUESTS / 3
    late = [asked.row["attempts"] for asked in rows if asked.kind == "late"]
    assert all([each["outcome"] for each in attempts] == ["status", "ok"] for attempts in late) and late


def test_the_rest_is_within_what_its_client_got_and_what_was_made(books: Books) -> None:
    untold = {prompt: entry for prompt, entries in books.log.items() for entry in entries if not entry.told}
    rows = [asked for asked in books.asked if asked.row["usage_source"] in ("last_seen", "estimated")]
    assert {asked.prompt for asked in rows} == untold.keys()
    for asked in rows:
        entry = untold[asked.prompt]
        tokens_in, out, *_ = usage(asked.row)
        assert asked.deltas <= out <= entry.tokens_out
        if asked.row["usage_source"] == "last_seen":
            assert usage(asked.row)[0::2] == (entry.tokens_in, entry.cached)
        else:
            assert entry.tokens_in / 2 <= tokens_in <= entry.tokens_in * 2
    assert {asked.kind for asked in rows} == {"break", "count-break", "endless"}


def test_every_request_has_one_row_and_what_was_asked_again_cost_nothing(books: Books) -> None:
    assert len({asked.row["id"] for asked in books.asked}) == REQUESTS
    kept = [asked.row for asked in books.asked if asked.row["cache"] in ("hit", "shared")]
    assert kept and all(row["cost_nanousd"] == 0 for row in kept)
    eventually(lambda: books.gateway.http.get("/v1/spend").json()["total"]["requests"] == REQUESTS)


def test_spend_lists_apart_what_the_provider_did_not_count(books: Books) -> None:
    eventually(lambda: books.gateway.http.get("/v1/spend").json()["total"]["requests"] == REQUESTS)
    told = [entry for entries in books.log.values() for entry in entries if entry.told]
    exact = sum(PRICE.cost(Usage(each.tokens_in, each.tokens_out, each.cached, each.written)) for each in told)
    rest = sum(asked.row["cost_nanousd"] for asked in books.asked if asked.row["usage_source"] != "provider")
    for by in ("source", "language", "day"):
        total = books.gateway.http.get("/v1/spend", params={"by": by}).json()["total"]
        assert (total["provider_nanousd"], total["estimated_nanousd"]) == (exact, rest)
        assert total["cost_nanousd"] == exact + rest
    rows = books.gateway.http.get("/v1/spend", params={"by": "source"}).json()["rows"]
    costs = {row["source"]: row["cost_nanousd"] for row in rows}
    assert costs.keys() - {"unknown"} == {"provider", "last_seen", "estimated", "cache"}
    assert (costs["provider"], costs["cache"], costs.get("unknown", 0)) == (exact, 0, 0)
