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
    """``make`` compiles a recipe and returns the archive of what it keeps. It raises SandboxError."""

    def __init__(self, sandbox: Sandbox, make: Callable[[Preparation], Awaitable[bytes]]) -> None:
        self._sandbox = sandbox
        self._make = make
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ready(self, preparation: Preparation) -> None:
        """Returns when it is there, or was not to be had and is not needed. Raises SandboxError."""
        try:
            if not isinstance(self._sandbox, HoldsPrepared):
                raise SandboxError(f"{self._sandbox.name} holds no prepared files")
            place = self._sandbox.prepared / preparation.name
            async with self._turns[preparation.name]:
                if not place.exists():
                    await asyncio.to_thread(_keep, await self._make(preparation), place)
        except (SandboxError, OSError) as error:
            if preparation.needed:
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
