"""A Lua script that Valkey runs: sent once, then named by its hash."""

from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any

from gateway.valkey import Command, Valkey, ValkeyError

_UNKNOWN = "NOSCRIPT"


class Script:
    """``files`` one after the other: what several scripts have in common stands in a file of its own."""

    def __init__(self, *files: Path) -> None:
        self._text = "".join(file.read_text() for file in files)
        self._sha1 = sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def load(self, valkey: Valkey) -> None:
        """So that ``run`` sends nothing twice. Raises ``ValkeyError``."""
        await valkey.ask("SCRIPT", "LOAD", self._text)

    async def run(self, valkey: Valkey, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """Its reply. Raises ``ValkeyError``."""
        try:
            return await valkey.ask(*self._command(keys, args))
        except ValkeyError as error:
            if not str(error).startswith(_UNKNOWN):
                raise
        return await valkey.ask("EVAL", self._text, len(keys), *keys, *args)

    async def run_all(
        self,
        valkey: Valkey,
        calls: Sequence[tuple[Sequence[str], Sequence[str | bytes | int]]],
        before: Sequence[Command] = (),
    ) -> None:
        """For the price of one round trip, after the commands ``before``. Raises ``ValkeyError``; some may have run
        then, and others not. May run ``before`` twice.
        """
        commands = [*before, *(self._command(keys, args) for keys, args in calls)]
        try:
            await valkey.ask_all(commands)
        except ValkeyError as error:
            if not str(error).startswith(_UNKNOWN):
                raise
            await valkey.ask_all([("SCRIPT", "LOAD", self._text), *commands])

    def _command(self, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Command:
        return ("EVALSHA", self._sha1, len(keys), *keys, *args)
