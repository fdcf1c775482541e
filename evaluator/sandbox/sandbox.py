"""Where untrusted code runs: one interface for every kind of isolation."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self


class SandboxError(Exception):
    """The sandbox is missing or broke: never the judged code's fault. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a sample may use. Time is the caller's to watch: it leaves the run's context, and everything dies."""

    memory_bytes: int = 2 << 30
    """Of all its processes and temporary files together."""
    processes: int = 64
    """Processes and threads."""
    tmp_bytes: int = 64 << 20
    """Size of /tmp, the only place that can be written."""
    open_files: int = 256


@dataclass(frozen=True, slots=True)
class Program:
    """What to run: found through the sandbox's own PATH, in an empty working directory, with a clean environment."""

    argv: tuple[str, ...]
    stdin: bytes = b""
    warm: str | None = None
    """Python source whose ``main()`` does what ``argv`` does: a sandbox may load it once and fork it for every run."""


class Run(Protocol):
    """A started program."""

    async def read(self) -> bytes:
        """The next bytes of its standard output; empty at the end, when every process that held it is gone."""
        ...

    async def exit_status(self) -> int:
        """Of the program, once its output has ended; 128 and more where a signal killed it."""
        ...

    def stderr(self) -> str:
        """The last of its standard error so far, for a person."""
        ...

    def cpu_seconds(self) -> float | None:
        """CPU time so far of what its first process has started and still runs; None where that cannot be known."""
        ...

    def out_of_memory(self) -> bool:
        """Whether the memory limit has killed one of its processes; False also where that cannot be known."""
        ...


class Sandbox(Protocol):
    """Entered once, by one judge; then any number of programs may run at once."""

    @property
    def name(self) -> str: ...

    @property
    def brings_tools(self) -> bool:
        """Whether its compilers and interpreters are its own, whatever this machine has; known once entered."""
        ...

    @property
    def limits_by(self) -> str:
        """What holds its limits, for a person; known once entered."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def start(self, program: Program, limits: Limits) -> AbstractAsyncContextManager[Run]:
        """Runs the program. Leaving the context kills whatever is left of it: no process, file or cgroup remains.

        Raises SandboxError where the sandbox itself cannot start.
        """
        ...
