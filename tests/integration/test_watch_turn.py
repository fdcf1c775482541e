"""Of gateways that share a Valkey one has the turn to watch, until it ends or gives it back."""

import asyncio
from pathlib import Path

import pytest

from gateway.processes.watch_turn import LASTS_S, WatchTurn
from gateway.valkey import Valkey, ValkeyError
from tests.fixtures.keys import shared_valkey


def test_one_has_the_turn_until_it_gives_it_back_and_it_ends_by_itself(tmp_path: Path) -> None:
    async def turns(url: str) -> None:
        valkey = Valkey(url, connect_s=20, reply_s=20)
        one, two = WatchTurn(valkey), WatchTurn(valkey)
        assert await one.asked() and await one.asked()
        assert not await two.asked()
        await two.given_back()  # it is not its own
        assert await one.asked() and not await two.asked()
        (key,) = await valkey.ask("KEYS", "weighbridge:watch:*")
        assert 0 < await valkey.ask("PTTL", key) <= LASTS_S * 1000
        await one.given_back()
        assert await two.asked() and not await one.asked()
        await valkey.close()

    with shared_valkey(tmp_path) as url:
        asyncio.run(turns(url))


def test_without_valkey_nobody_says_whose_turn_it_is(tmp_path: Path) -> None:
    async def asked() -> None:
        await WatchTurn(Valkey(f"unix://{tmp_path}/none.sock", connect_s=5, reply_s=5)).asked()

    with pytest.raises(ValkeyError):
        asyncio.run(asked())
