"""The sandbox as every command uses it, so that `judge` and `replay` say the same of the same code."""

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click

from evaluator.sandbox import Bubblewrap, Docker, Limits, Program, Remote, Run, Sandbox, SandboxError
from evaluator.sandbox.prepared import HoldsPrepared
from gateway.cli.failure import ConfigFailure
from gateway.cli.sandbox_probe import probe

KINDS = ("bubblewrap", "docker", "gvisor")
STRONGEST_FIRST = tuple(reversed(KINDS))
_REMOTE = "sandboxd:"

packages_option: Callable[[Any], Any] = click.option(
    "--packages",
    envvar="WEIGHBRIDGE_PACKAGES",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Python packages that solutions may import besides the standard library (numpy, say): what "
    "`pip install --target DIR` made. [env: WEIGHBRIDGE_PACKAGES]",
)


def _known(_context: click.Context, _option: click.Parameter, kind: str) -> str:
    if kind in (*KINDS, "auto") or kind.startswith(_REMOTE):
        return kind
    raise click.BadParameter(f"there are {', '.join(KINDS)}, {_REMOTE}SOCKET and auto")


sandbox_option: Callable[[Any], Any] = click.option(
    "--sandbox",
    "kind",
    envvar="WEIGHBRIDGE_SANDBOX",
    metavar="KIND",
    default="bubblewrap",
    callback=_known,
    show_default=True,
    help="Where the code runs: bubblewrap, docker, gvisor, sandboxd:SOCKET, or auto, the strongest that proves itself "
    "here. [env: WEIGHBRIDGE_SANDBOX]",
)


def sandbox(packages: Path | None, kind: str = "bubblewrap") -> Sandbox:
    """Raises ConfigFailure."""
    if kind == "auto":
        kinds = ("bubblewrap",) if packages else STRONGEST_FIRST
        return Strongest([partial(sandbox, packages, each) for each in kinds])
    if kind == "bubblewrap":
        return Bubblewrap(packages=packages)
    if packages is not None:
        raise ConfigFailure(f"--packages is for --sandbox bubblewrap: {kind} has packages of its own")
    if kind.startswith(_REMOTE):
        return Remote(kind.removeprefix(_REMOTE))
    return Docker(runtime="runsc" if kind == "gvisor" else None, warm=os.cpu_count() or 1)


class Strongest:
    """The first of ``candidates`` that a probe does not get out of; which one is known once entered."""

    def __init__(self, candidates: Sequence[Callable[[], Sandbox]]) -> None:
        self._candidates = candidates
        self._chosen = candidates[-1]()

    @property
    def name(self) -> str:
        return self._chosen.name

    @property
    def brings_tools(self) -> bool:
        return self._chosen.brings_tools

    @property
    def limits_by(self) -> str:
        return self._chosen.limits_by

    @property
    def prepared(self) -> Path:
        if isinstance(self._chosen, HoldsPrepared):
            return self._chosen.prepared
        raise SandboxError(f"{self.name} shows no prepared files")

    async def __aenter__(self) -> Self:
        problems = []
        for candidate in self._candidates:
            found = await probe(candidate())
            if found.isolates:
                self._chosen = await candidate().__aenter__()
                return self
            problems.append(f"{found.name}: {found.problem}")
        raise SandboxError(f"no sandbox isolates here; {'; '.join(problems)}")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._chosen.__aexit__(kind, error, traceback)

    def start(self, program: Program, limits: Limits) -> AbstractAsyncContextManager[Run]:
        return self._chosen.start(program, limits)
