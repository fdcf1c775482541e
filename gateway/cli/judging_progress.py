"""How far judging is: a line on standard error now and then; on a terminal one that changes."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from evaluator.verdict import Status, Verdict

_SECONDS = 2.0


class JudgingProgress:
    def __init__(self, total: int) -> None:
        self.total = total
        self.judged = 0
        self.passed = 0

    def count(self, verdict: Verdict) -> None:
        self.judged += 1
        self.passed += verdict.status is Status.PASS

    @asynccontextmanager
    async def shown(self) -> AsyncIterator[None]:
        reporting = asyncio.create_task(self._report())
        try:
            yield
        finally:
            reporting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reporting

    async def _report(self) -> None:
        end = "\r" if sys.stderr.isatty() else "\n"
        started = time.monotonic()
        while True:
            await asyncio.sleep(_SECONDS)
            line = f"judged {self.judged}/{self.total}, {self.passed} pass"
            if self.judged:
                line += f", about {(self.total / self.judged - 1) * (time.monotonic() - started):.0f} s left"
            else:
                line += ", running canonical solutions first"
            click.echo(line.ljust(60) + end, err=True, nl=False)
