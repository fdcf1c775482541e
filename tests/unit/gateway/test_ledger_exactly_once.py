"""Exactly one terminal row a request, whatever happens: workers die, lines are torn, the parent starts again."""

import asyncio
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from backends.usage import Usage
from gateway.ledger.drain import Drain
from gateway.ledger.events import AttemptDetail, Event, Opened, Settled
from gateway.ledger.spool import Spool
from gateway.store import roll_up, spend
from gateway.store.schema import requests
from gateway.store.spend import Days
from gateway.store.store import Store

EXAMPLES = count()
TODAY = 20_000 * 86_400.0
LONG_AGO = TODAY - 40 * 86_400

endings = st.sampled_from(["settled", "settled apart", "killed", "hit", "torn", "settled twice"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("request"), endings, st.integers(0, 10**9), st.booleans()),
        st.tuples(st.just("drain"), st.booleans()),  # whether by a parent that has just started
        st.tuples(st.just("worker dies")),
        st.tuples(st.just("roll up"), st.integers(1, 5)),
    ),
    max_size=25,
)


class House:
    """A parent and its one worker, as far as the ledger goes."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.example = next(EXAMPLES)
        self.numbers = count()
        self.costs: dict[str, int] = {}
        self.open: set[str] = set()
        self.drain = Drain(folder, store)
        self.spool = self._spool()

    def _spool(self) -> Spool:
        return Spool(self.folder, f"{self.example}-{next(self.numbers)}")

    def request(self, ending: str, nanousd: int, old: bool) -> None:
        name = f"{self.example}-{next(self.numbers)}"
        opened, settled = self._events(name, nanousd if ending != "hit" else 0, LONG_AGO if old else TODAY)
        paid = settled.attempts[0]
        if ending == "settled apart":
            settled = _replaced(settled, attempts=[paid, paid], cost_nanousd=2 * nanousd)
        if ending != "hit":
            self.spool.append(opened)
        if ending in ("killed", "torn"):
            self.open.add(name)
            if ending == "torn":
                self._append_half(settled)
        else:
            for _ in range(2 if ending == "settled twice" else 1):
                self.spool.append(settled)
        self.costs[name] = 0 if name in self.open else settled.cost_nanousd

    def _events(self, name: str, nanousd: int, at: float) -> tuple[Opened, Settled]:
        paid = AttemptDetail("small", "http://x", "r", "ok", 1.0, 200, nanousd, usage=Usage(1, 1))
        fields: dict[str, Any] = {
            "id": name, "at": at, "tenant": "t", "asked": "auto", "policy": "auto", "wire": "chat", "route": "small",
            "revision": "r", "outcome": "ok", "status": 200, "cache": "miss", "streamed": False, "input_tokens": 1,
            "output_tokens": 1, "cached_input_tokens": 0, "usage_source": "provider", "cost_nanousd": nanousd,
            "ttft_ms": 1.0, "total_ms": 2.0, "attempts": [paid],
        }  # fmt: skip
        return Opened(name, at, "t", "auto", "auto", "chat"), Settled(**fields)

    def _append_half(self, event: Event) -> None:
        """The disk was full in the middle of the line."""
        (segment,) = (self.folder / f"{self.spool._folder.name}").glob("*.jsonl")
        with segment.open("ab") as file:
            file.write(self.spool._encode(event)[:50] + b"\n")

    async def step(self, what: str, *how: Any) -> None:
        if what == "request":
            self.request(*how)
        elif what == "drain":
            self.drain = Drain(self.folder, self.store) if how[0] else self.drain
            await self.drain.once()
        elif what == "worker dies":
            self.spool.close()
            self.spool = self._spool()
        else:
            await self.store.write(partial(roll_up.roll_up, before=TODAY - 86_400, most=how[0]))

    async def end(self) -> None:
        self.spool.close()
        await Drain(self.folder, self.store).once()


def _replaced(settled: Settled, **changes: Any) -> Settled:
    return Settled(**{name: getattr(settled, name) for name in settled.__struct_fields__} | changes)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def store(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = runner.run(Store.open(tmp_path_factory.mktemp("once") / "db"))
    yield store
    runner.run(store.close())


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
@example([("request", "settled", 7, True), ("drain", False), ("roll up", 5), ("drain", True), ("worker dies",)])
@example([("request", "killed", 7, True), ("request", "torn", 7, True), ("worker dies",), ("drain", True)])
@example([("request", "settled apart", 7, True), ("drain", False), ("roll up", 1), ("request", "hit", 0, True)])
def test_every_request_has_one_terminal_row_or_is_in_one_sum(
    runner: asyncio.Runner, store: Store, tmp_path: Path, steps: list[tuple[Any, ...]]
) -> None:
    house = House(store, tmp_path / f"{next(EXAMPLES)}")
    before = runner.run(store.read(summed))

    async def live() -> None:
        for step in steps:
            await house.step(*step)
        await house.end()

    runner.run(live())
    after = runner.run(store.read(summed))
    assert after["requests"] - before["requests"] == len(house.costs)
    assert after["cost_nanousd"] - before["cost_nanousd"] == sum(house.costs.values())
    assert after["uncounted"] - before["uncounted"] == len(house.open)
    assert runner.run(store.read(unsettled)) == []


def summed(connection: Any) -> dict[str, int]:
    rows = spend.spend(connection, Days(0, 10**6), ())
    return {name: sum(row[name] for row in rows) for name in ("requests", "cost_nanousd", "uncounted")}


def unsettled(connection: Any) -> list[str]:
    return list(connection.execute(select(requests.c.id).where(requests.c.outcome.is_(None))).scalars())
