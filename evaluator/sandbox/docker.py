"""Docker: a container a program, made ahead, destroyed after it. With the runtime runsc it is gVisor."""

import asyncio
import contextlib
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from evaluator.sandbox import cgroup, prepared, seccomp
from evaluator.sandbox.docker_engine import LABEL, Engine, is_dead, own_label
from evaluator.sandbox.docker_run import WAITING, Container, DockerRun
from evaluator.sandbox.sandbox import Limits, Program, SandboxError

IMAGE = "weighbridge-sandbox"
BUILD = "build it: deploy/sandbox-image/build.sh"

_WATCHDOG = Path(__file__).with_name("docker_watchdog.py")
_FIRST_UID = 1_910_000_000
"""Containers get users from here on, each its own: nobody's, on the host as inside."""

_SHM_BYTES = 16 << 20
_KINDS = 3
"""For so many kinds of limits containers are kept ready; a judge uses two: for compiling and for running."""

_SENTRY_BYTES, _SENTRY_THREADS = 256 << 20, 128
"""What gVisor's own kernel may take of a group, beside its program."""

_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108 (inside the sandbox)
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class Docker:
    """``runtime``: one that the engine has, as "runsc"; None is its own choice. ``warm``: containers kept ready.

    A runtime that is told to ignore control groups (gVisor's ``--ignore-cgroups``) bounds neither memory nor processes.
    Its containers are then put into groups of our own, where we can make any and the engine is on this machine.
    """

    brings_tools = True

    def __init__(
        self, *, runtime: str | None = None, image: str = IMAGE, host: str | None = None, warm: int = 2
    ) -> None:
        self.name = "gvisor" if runtime == "runsc" else "docker"
        self._runtime = runtime
        self._image = image
        self._warm = warm
        self._engine = Engine(host)
        self._stack = AsyncExitStack()
        self._label = own_label()
        self._groups: cgroup.Groups | None = None
        self._ready: dict[Limits, deque[asyncio.Task[Container]]] = {}
        self._made = 0
        self._stuck: set[str] = set()
        self._prepared: Path | None = None

    @property
    def prepared(self) -> Path:
        """A folder for each image, whose compilers have made what is in it."""
        if self._prepared is None:
            raise SandboxError(f"no folder of this machine's is seen by containers of {self._engine.host}")
        return self._prepared

    @property
    def limits_by(self) -> str:
        return f"cgroup v{self._groups.version} around {self._runtime}" if self._groups else "the engine's cgroups"

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._engine)
            await self._check()
            for container, label in (await self._engine.labels()).items():
                if is_dead(label):
                    await self._remove(container)
            stack.push_async_callback(self._dismiss, self._watchdog())
            if self._runtime and self._engine.is_local:
                self._groups = await asyncio.to_thread(cgroup.find)
                if self._groups:
                    stack.push_async_callback(asyncio.to_thread, self._groups.close)
            stack.push_async_callback(self._discard_ready)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _check(self) -> None:
        if self._runtime and self._runtime not in await self._engine.runtimes():
            fix = "install gVisor (apt-get install runsc) and name it in /etc/docker/daemon.json; see docs/sandbox.md"
            raise SandboxError(f"the Docker engine has no runtime {self._runtime}; {fix}")
        image = await self._engine.image_id(self._image)
        if image is None:
            raise SandboxError(f"the Docker engine has no image {self._image}; {BUILD}")
        if self._engine.is_local:
            with contextlib.suppress(OSError):  # then what is needed goes with each program
                self._prepared = prepared.folder() / f"image-{image[:12]}"
                self._prepared.mkdir(exist_ok=True)

    def _watchdog(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-P", str(_WATCHDOG), self._engine.host, self._label]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)

    @asynccontextmanager
    async def start(self, program: Program, limits: Limits) -> AsyncIterator[DockerRun]:
        container = await self._take(limits)
        run = DockerRun(self._engine, container, program)
        try:
            yield run
        finally:
            await asyncio.shield(self._end(run, container))

    async def _take(self, limits: Limits) -> Container:
        ready = self._ready.pop(limits, None) or deque()
        self._ready[limits] = ready  # the latest kind is the last one
        if len(self._ready) > _KINDS:
            await self._discard(self._ready.pop(next(iter(self._ready))))
        making = ready.popleft() if ready else asyncio.create_task(self._make(limits))
        while len(ready) < self._warm:
            ready.append(asyncio.create_task(self._make(limits)))
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            ready.appendleft(making)
            raise

    async def _make(self, limits: Limits) -> Container:
        self._made += 1
        user = _FIRST_UID + self._made
        made = await self._engine.create(
            self._image,
            ["sh", "-c", WAITING],
            self._runtime,
            hostname="sandbox",
            user=f"{user}:{user}",
            working_dir="/tmp",  # noqa: S108
            environment=_ENVIRONMENT,
            labels={LABEL: self._label},
            stdin_open=True,
            host=_isolation(limits, self._prepared, own_kernel=self.name == "gvisor"),
        )
        try:
            stream = await self._engine.attach(made)
            try:
                await self._engine.start(made)
                process = await self._engine.process(made) if self._engine.is_local else 0
                return Container(made, stream, process, self._bound(process, limits))
            except BaseException:
                stream.close()
                raise
        except BaseException:
            await self._remove(made)
            raise

    def _bound(self, process: int, limits: Limits) -> cgroup.Group | None:
        """A group of ours that holds a container of a runtime that may ignore groups."""
        if self._groups is None:
            return None
        try:
            group = self._groups.take(limits.memory_bytes + _SENTRY_BYTES, 2 * limits.processes + _SENTRY_THREADS)
            group.take(process)
        except OSError as error:
            raise SandboxError(f"gVisor cannot be put into a cgroup: {error}") from error
        return group

    async def _end(self, run: DockerRun, container: Container) -> None:
        await run.end()
        await self._destroy(container)

    async def _destroy(self, container: Container) -> None:
        container.stream.close()
        await self._remove(container.id)
        if self._groups and container.group and container.id not in self._stuck:
            self._groups.give_back(container.group)

    async def _remove(self, container: str) -> None:
        """A container that the engine cannot remove just now is tried again when the next one goes, and at the end."""
        for each in (container, *self._stuck):
            self._stuck.add(each)
            with contextlib.suppress(SandboxError):
                await self._engine.remove(each)
                self._stuck.discard(each)

    async def _discard(self, ready: deque[asyncio.Task[Container]]) -> None:
        for container in await asyncio.gather(*ready, return_exceptions=True):
            if isinstance(container, Container):
                await self._destroy(container)

    async def _discard_ready(self) -> None:
        await asyncio.gather(*map(self._discard, self._ready.values()))
        self._ready.clear()

    async def _dismiss(self, watchdog: "subprocess.Popen[bytes]") -> None:
        """What is still left is the watchdog's, which tries for half a minute."""
        for container in tuple(self._stuck):
            await self._remove(container)
        await asyncio.to_thread(watchdog.communicate, b"" if self._stuck else b"nothing is left\n")


def _isolation(limits: Limits, prepared_files: Path | None, *, own_kernel: bool) -> dict[str, Any]:
    """The host configuration of every container; where the kernel is the host's, so is the engine's seccomp profile."""
    nofile = {"Name": "nofile", "Soft": limits.open_files, "Hard": limits.open_files}
    return {
        "network_mode": "none",
        "ipc_mode": "private",
        "read_only": True,
        "binds": {str(prepared_files): {"bind": prepared.PLACE, "mode": "ro"}} if prepared_files else {},
        "tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={limits.tmp_bytes}"},  # noqa: S108
        "shm_size": _SHM_BYTES,
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,  # no swap
        "pids_limit": limits.processes + 1,  # the shell that waits for it
        "ulimits": [nofile, {"Name": "core", "Soft": 0, "Hard": 0}],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges", *([f"seccomp={seccomp.docker_profile()}"] if own_kernel else [])],
        "log_config": {"Type": "none", "Config": {}},
    }
