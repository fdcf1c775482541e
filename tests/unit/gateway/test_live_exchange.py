"""Gateways tell each other what their requests took, through a real Valkey."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.live.exchange import LASTS_S, LiveExchange, Told
from gateway.live.publish import publish_live
from gateway.live.sketch import ERROR, Sketch
from gateway.live.window import Window, times
from gateway.valkey import Valkey, ValkeyError
from policies.live import LiveTimes, decode_times
from tests.fixtures.keys import shared_valkey
from tests.fixtures.waiting import LONG_S


def told(ms: float, count: int, route: str = "small") -> Told:
    sketch = Sketch()
    for _ in range(count):
        sketch.add(ms)
    return Told(route, "rev", sketch.buckets, sketch.buckets)


def with_valkey(folder: Path, body: Callable[[Valkey], Awaitable[None]]) -> None:
    async def run(url: str) -> None:
        valkey = Valkey(url, connect_s=20, reply_s=20)
        try:
            await body(valkey)
        finally:
            await valkey.close()

    with shared_valkey(folder) as url:
        asyncio.run(run(url))


def test_each_hears_the_others_and_not_itself(tmp_path: Path) -> None:
    async def tell(valkey: Valkey) -> None:
        one, two, three = (LiveExchange(valkey) for _ in range(3))
        assert await one.others([told(100, 60)]) == ()
        assert await two.others([told(900, 40)]) == (told(100, 60),)
        assert sorted(times([each])[0].answers for each in await three.others([])) == [40, 60]
        assert await one.others([told(100, 70), told(5, 1, "large")]) == (told(900, 40),)  # newer words replace older
        (small,) = times([told(100, 60), *await one.others([])])
        assert (small.answers, small.first_tokens) == (100, 100)
        assert small.total_p50_ms == pytest.approx(100, rel=ERROR) and small.total_p99_ms == pytest.approx(
            900, rel=ERROR
        )

    with_valkey(tmp_path, tell)


def test_who_has_ended_is_forgotten_and_who_cannot_be_read_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    async def tell(valkey: Valkey) -> None:
        for name, row in {
            "ended": b'1 [["small","rev",{},{}]]',
            "negative": b'9999999999999 [["small","rev",{"1":-3},{}]]',
            "endless": b'9999999999999 [["small","rev",{"100000":1},{}]]',
            "newer": b'9999999999999 {"routes":[]}',
        }.items():
            await valkey.ask("HSET", "weighbridge:live", name, row)
        assert await LiveExchange(valkey).others([told(1, 1)]) == ()
        names = await valkey.ask("HKEYS", "weighbridge:live")
        assert b"ended" not in names and len(names) == 4
        assert 0 < await valkey.ask("PTTL", "weighbridge:live") <= LASTS_S * 1000

    with_valkey(tmp_path, tell)
    assert len([record for record in caplog.records if "cannot be read" in record.message]) == 3


def test_all_together_are_published_and_ones_own_while_valkey_is_away(tmp_path: Path) -> None:
    path = tmp_path / "live.json"

    async def published(answers: int) -> LiveTimes:
        async with asyncio.timeout(LONG_S):
            while not path.exists() or sum(each.answers for each in decode_times(path.read_bytes())) != answers:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return decode_times(path.read_bytes())[0] if answers else LiveTimes("", "")

    async def publish() -> None:
        with shared_valkey(tmp_path) as url:
            valkey = Valkey(url, connect_s=20, reply_s=20)
            other = LiveExchange(valkey)
            telling = asyncio.create_task(publish_live(Window(), path, 0.01, LiveExchange(valkey)))
            await other.others([told(100, 60)])
            assert (await published(60)).route == "small"
        await published(0)
        with pytest.raises(ValkeyError):
            await other.others([])
        telling.cancel()
        await valkey.close()

    asyncio.run(publish())
