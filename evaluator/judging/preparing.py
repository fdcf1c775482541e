"""Has what languages want made once a machine: compiled in the sandbox, kept where all its programs see it."""

import asyncio
import io
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path

from evaluator.languages import Preparation
from evaluator.sandbox import Sandbox, SandboxError
from evaluator.sandbox.prepared import HoldsPrepared


class Preparing:
    """``make`` compiles a recipe and returns the archive of what it keeps. ``runs`` says whether a command ends well.

    Both raise SandboxError.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        make: Callable[[Preparation], Awaitable[bytes]],
        runs: Callable[[tuple[str, ...]], Awaitable[bool]],
    ) -> None:
        self._sandbox = sandbox
        self._make = make
        self._runs = runs
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._carried: dict[str, bytes | None] = {}

    async def ready(self, preparation: Preparation) -> bytes | None:
        """Returns when it is there, or was not to be had and is not needed. Raises SandboxError.

        What it returns is needed and must go with each program: the sandbox does not show it to them by itself.
        """
        async with self._turns[preparation.name]:
            if preparation.name not in self._carried:
                held = await self._held(preparation)
                self._carried[preparation.name] = None if held else await self._made_to_carry(preparation)
            return self._carried[preparation.name]

    async def _held(self, preparation: Preparation) -> bool:
        """Whether the sandbox's programs see it; a Docker engine may have another folder of that name than we."""
        try:
            if not isinstance(self._sandbox, HoldsPrepared):
                return False
            place = self._sandbox.prepared / preparation.name
            if not place.exists():
                await asyncio.to_thread(_keep, await self._make(preparation), place)
            return await self._runs(("test", "-d", preparation.folder))
        except (SandboxError, OSError):
            return not preparation.needed

    async def _made_to_carry(self, preparation: Preparation) -> bytes | None:
        if not preparation.needed:
            return None
        try:
            return await self._make(preparation)
        except SandboxError as error:
            raise SandboxError(f"{preparation.name} is missing: {error}") from error


def _keep(packed: bytes, place: Path) -> None:
    """As a whole or not at all; another process may have been first."""
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".making-") as made:
        folder = Path(made) / "files"
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            tar.extractall(folder, filter="data")
        folder.chmod(0o755)
        try:
            folder.rename(place)
        except OSError:
            if not place.exists():
                raise
