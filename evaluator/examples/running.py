"""Runs a program in a sandbox, briefly."""

import asyncio
from dataclasses import dataclass

from evaluator.judging.turns import patience
from evaluator.sandbox import Limits, Program, Sandbox, SandboxError

KILLED = 128
"""Exit statuses from there on are a signal's: the code may have killed what ran it."""

_LIMITS = Limits(memory_bytes=512 << 20, tmp_bytes=16 << 20)
_MOST = 64 * 1024


class TooSlow(Exception):
    """The code, not the sandbox."""


@dataclass(frozen=True, slots=True)
class Running:
    """``run_seconds``: what a program may take, longer where the machine is busy; ``wait_seconds``: for a place."""

    sandbox: Sandbox
    run_seconds: float
    wait_seconds: float

    async def output(
        self, program: Program, *, more_seconds: float = 0.0, limits: Limits = _LIMITS, most: int = _MOST
    ) -> tuple[bytes, int]:
        """What it wrote, and its exit status; ``KILLED`` where it wrote more than ``most``. Raises ``SandboxError``,
        and ``TooSlow``.
        """
        output = bytearray()
        try:
            async with asyncio.timeout(self.wait_seconds) as limit, self.sandbox.start(program, limits) as run:
                limit.reschedule(None)
                try:
                    async with asyncio.timeout(self.run_seconds * patience() + more_seconds):
                        while len(output) <= most and (chunk := await run.read()):
                            output += chunk
                        status = await run.exit_status() if len(output) <= most else KILLED
                except TimeoutError:
                    raise TooSlow from None
        except TimeoutError as error:
            raise SandboxError(f"no place in the sandbox within {self.wait_seconds:g} s") from error
        return bytes(output), status
