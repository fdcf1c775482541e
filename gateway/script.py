"""A Lua script that Valkey runs: sent once, then named by its hash."""

from hashlib import sha1
from pathlib import Path
from typing import Any

from gateway.valkey import Valkey, ValkeyError


class Script:
    def __init__(self, path: Path) -> None:
        self._text = path.read_text()
        self._sha1 = sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, valkey: Valkey, keys: list[str], args: list[str | bytes | int]) -> Any:
        """Its reply. Raises ``ValkeyError``."""
        try:
            return await valkey.ask("EVALSHA", self._sha1, len(keys), *keys, *args)
        except ValkeyError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
        return await valkey.ask("EVAL", self._text, len(keys), *keys, *args)
