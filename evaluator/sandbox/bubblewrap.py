"""Bubblewrap: namespaces, a read-only root, a system call filter; limits by cgroup, else by rlimit."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from evaluator.sandbox import cgroup, cpu_time, prepared, seccomp
from evaluator.sandbox.sandbox import Limits, Program, SandboxError
from evaluator.sandbox.warm import WarmRun, Zygote, memory_file

INSTALL = "install it: apt-get install bubblewrap"

_READ_ONLY = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
    "/etc/alternatives", "/etc/ld.so.cache", "/etc/gnucobol", "/etc/java-17-openjdk", "/etc/mono", "/etc/php",
)  # fmt: skip
_TMP, _SHM = "/tmp", "/dev/shm"  # noqa: S108 (inside the sandbox)
_FIRST_UID = 1_900_000_000
"""Run by root, samples get uids from here: nobody's, so that no other user's file or process is within their reach."""

_ZYGOTE_TMP_BYTES = 1 << 20
_READ_BYTES = 1 << 18
_STDERR_BYTES = 4096

# Joins the cgroups and sets the limits, then becomes the rest of the command.
_LAUNCH = """
while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done
shift
ulimit -c 0
ulimit -n "$1"
[ -z "$2" ] || ulimit -v "$2"
[ -z "$3" ] || ulimit -u "$3" 2>/dev/null || ulimit -p "$3"
shift 3
exec "$@"
"""


class Bubblewrap:
    """``packages``: a folder of Python packages that solutions may import (numpy), apart from the standard library.

    ``use_cgroups=False`` leaves rlimits alone to bound memory (per process) and processes.
    """

    name = "bubblewrap"
    brings_tools = False

    def __init__(self, *, packages: Path | None = None, use_cgroups: bool = True) -> None:
        self._packages = packages
        self._use_cgroups = use_cgroups
        self._groups: cgroup.Groups | None = None
        self._started = 0
        self._command: list[str] = []
        self._filter = seccomp.program()
        self.zygotes: dict[str, Zygote] = {}

    @property
    def limits_by(self) -> str:
        """``cgroup v1``, ``cgroup v2`` or ``rlimit``; known once entered."""
        return f"cgroup v{self._groups.version}" if self._groups else "rlimit"

    @property
    def prepared(self) -> Path:
        return prepared.folder()

    async def __aenter__(self) -> Self:
        binary = shutil.which("bwrap")
        if binary is None:
            raise SandboxError(f"bubblewrap (bwrap) is missing; {INSTALL}")
        if os.geteuid() == 0 and shutil.which("setpriv") is None:
            raise SandboxError("setpriv is missing; install it: apt-get install util-linux")
        self._command = [binary, *_arguments(self._packages)]
        self._groups = await asyncio.to_thread(cgroup.find) if self._use_cgroups else None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for zygote in self.zygotes.values():
            await zygote.close()
        if self._groups:
            await asyncio.to_thread(self._groups.close)

    @asynccontextmanager
    async def start(self, program: Program, limits: Limits) -> AsyncIterator["BubblewrapRun | WarmRun"]:
        slot = self._take_slot(limits)
        try:
            starting = asyncio.create_task(self._spawn(program, limits, slot))
            try:
                run = await asyncio.shield(starting)
                await run.started()
                yield run
            finally:
                await asyncio.shield((await starting).end())  # also when we were cancelled in mid-start
        finally:
            if self._groups and slot:
                self._groups.give_back(slot)

    def _zygote(self, source: str) -> Zygote:
        if source not in self.zygotes:
            options = ["--size", str(_ZYGOTE_TMP_BYTES), "--tmpfs", _TMP, "--chdir", _TMP, "--remount-ro", "/"]
            self.zygotes[source] = Zygote([*self._command, *options], source, self._filter)
        return self.zygotes[source]

    def _take_slot(self, limits: Limits) -> cgroup.Group | None:
        if self._groups is None:
            return None
        try:
            return self._groups.take(limits.memory_bytes, limits.processes)
        except OSError as error:
            raise SandboxError(f"no cgroup can be made: {error}") from error

    async def _spawn(self, program: Program, limits: Limits, slot: cgroup.Group | None) -> "BubblewrapRun | WarmRun":
        self._started += 1
        if program.warm is not None and slot is not None and os.geteuid() == 0:
            return await self._zygote(program.warm).start(limits, program.stdin, _FIRST_UID + self._started, slot)
        info_read, info_write = os.pipe()
        filter_fd = memory_file("seccomp", self._filter or b"")
        options = ["--size", str(limits.tmp_bytes), "--perms", "1777", "--tmpfs", _TMP, "--chdir", _TMP]
        options += ["--remount-ro", "/", "--info-fd", str(info_write)]
        options += ["--seccomp", str(filter_fd)] if self._filter else []
        command = [*_launcher(limits, slot), *self._command, *options, "--", *_drop_root(self._started), *program.argv]
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env={}, pass_fds=(info_write, filter_fd),
                limit=_READ_BYTES, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            os.close(info_read)
            raise SandboxError(f"bubblewrap cannot be started: {error}") from error
        finally:
            os.close(info_write)
            os.close(filter_fd)
        return BubblewrapRun(process, info_read, program.stdin, slot)


class BubblewrapRun:
    """A started program; see ``sandbox.Run``."""

    def __init__(self, process: Process, info_fd: int, stdin: bytes, slot: cgroup.Group | None) -> None:
        assert process.stdin and process.stdout and process.stderr
        self._process = process
        self._stdout = process.stdout
        self._stderr = bytearray()
        self._slot = slot
        self._kills_before = slot.kills() if slot else 0
        self._init_pid = asyncio.create_task(_read_init_pid(info_fd))
        self._listening = asyncio.create_task(self._listen(process.stderr))
        process.stdin.write(stdin)
        process.stdin.close()

    async def started(self) -> None:
        """Raises SandboxError where bubblewrap could not make the sandbox."""
        if await asyncio.shield(self._init_pid) is None:
            await asyncio.shield(self._listening)
            raise SandboxError(f"bubblewrap cannot make a sandbox: {self.stderr() or 'it died at once'}")

    async def read(self) -> bytes:
        return await self._stdout.read(_READ_BYTES)

    async def exit_status(self) -> int:
        status = await self._process.wait()
        return status if status >= 0 else 128 - status

    def stderr(self) -> str:
        return self._stderr.decode(errors="replace").strip()

    def cpu_seconds(self) -> float | None:
        pid = self._init_pid.result() if self._init_pid.done() else None
        return cpu_time.of_descendants(pid) if pid is not None else None

    def out_of_memory(self) -> bool:
        return self._slot is not None and self._slot.kills() > self._kills_before

    async def end(self) -> None:
        """Kills the sandbox's first process, and with it all of its process namespace; returns when all are gone."""
        pid = await self._init_pid
        if pid is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while await self._stdout.read(_READ_BYTES):  # asyncio hears of the exit only when its pipes are drained
            pass
        await self._listening
        await self._process.wait()

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        while chunk := await stderr.read(_STDERR_BYTES):
            self._stderr = (self._stderr + chunk)[-_STDERR_BYTES:]


async def _read_init_pid(info_fd: int) -> int | None:
    """The outer process id of the sandbox's first process, which bubblewrap writes before it lets it run."""
    loop = asyncio.get_running_loop()
    info = b""
    os.set_blocking(info_fd, False)
    try:
        while b"}" not in info:
            readable = loop.create_future()
            loop.add_reader(info_fd, readable.set_result, None)
            try:
                await readable
            finally:
                loop.remove_reader(info_fd)
            chunk = os.read(info_fd, 4096)
            if not chunk:
                return None
            info += chunk
    finally:
        os.close(info_fd)
    return int(json.loads(info)["child-pid"])


def _arguments(packages: Path | None) -> list[str]:
    """What is the same for every sample: namespaces, and a root that holds programs and nothing of ours."""
    python = Path(sys.base_prefix)
    readable = [Path(path) for path in _READ_ONLY]
    if not python.is_relative_to("/usr"):
        readable.append(python)
    arguments = ["--unshare-pid", "--unshare-ipc", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    arguments += ["--die-with-parent", "--new-session", "--hostname", "sandbox", "--clearenv"]
    if os.geteuid() != 0:
        arguments += ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    for parent in sorted({parent for path in readable for parent in path.parents} - {Path("/")}):
        arguments += ["--perms", "0755", "--dir", str(parent)]
    for path in readable:
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            arguments += ["--ro-bind", str(path), str(path)]
    evaluator = Path(__file__).resolve().parents[1]
    if any(evaluator.is_relative_to(path) for path in readable):
        arguments += ["--tmpfs", str(evaluator)]  # the built-in suite's answers
    if packages:
        arguments += ["--ro-bind", str(packages), "/packages", "--setenv", "PYTHONPATH", "/packages"]
    with contextlib.suppress(OSError):  # where it cannot be made, compiling takes longer
        arguments += ["--ro-bind", str(prepared.folder()), prepared.PLACE]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--size", str(16 << 20), "--perms", "1777", "--tmpfs", _SHM]
    arguments += ["--remount-ro", "/dev"]
    for name, value in _environment(python).items():
        arguments += ["--setenv", name, value]
    return arguments


def _environment(python: Path) -> dict[str, str]:
    return {
        "PATH": f"{python}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": _TMP,
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",  # the order of a set of strings must not decide a verdict by chance
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def _launcher(limits: Limits, slot: cgroup.Group | None) -> list[str]:
    memory, processes = ("", "") if slot else (str(limits.memory_bytes >> 10), str(limits.processes))
    groups = slot.procs if slot else ()
    return ["/bin/sh", "-c", _LAUNCH, "sh", *groups, "--", str(limits.open_files), memory, processes]


def _drop_root(number: int) -> list[str]:
    """Inside the sandbox: from root to a user of its own. Without root, bubblewrap's user namespace does it."""
    if os.geteuid() != 0:
        return []
    uid = str(_FIRST_UID + number)
    return ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
