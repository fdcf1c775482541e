"""Of gateways that share a Valkey one watches at a time: two would decide over each other, and pay twice."""

import secrets
from pathlib import Path

from gateway.script import Script
from gateway.valkey import Valkey

ASK_EVERY_S = 1.0
LASTS_S = 5.0
"""Who does not ask for so long has ended: then it is another's turn."""

_HOLDER = "weighbridge:watch:turn"


class WatchTurn:
    """Both methods raise ``ValkeyError``."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._script = Script(Path(__file__).parent / "turn.lua")
        self._id = secrets.token_hex(8)

    async def asked(self) -> bool:
        """Whether it is this gateway's turn, which lasts from now on."""
        return await self._ask(round(LASTS_S * 1000))

    async def given_back(self) -> None:
        await self._ask(0)

    async def _ask(self, ms: int) -> bool:
        return bool(await self._script.run(self._valkey, [_HOLDER], [self._id, ms]))
