"""A Docker engine: the SDK's blocking calls in threads, its errors as ours. The only file that imports the SDK."""

import asyncio
import contextlib
import functools
import os
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from evaluator.sandbox.sandbox import SandboxError

LABEL = "weighbridge.judge"
INSTALL = "install it: apt-get install docker.io, and pip install 'weighbridge[docker]'"

_T = TypeVar("_T")
_CALLS_AT_ONCE = 32
_CALL_SECONDS = 60
_WAIT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Ended:
    """How a container ended. ``out_of_memory``: the engine says that its memory limit killed one of its processes."""

    status: int
    out_of_memory: bool


class Engine:
    """``host``: as in DOCKER_HOST, which is taken where it is None; then Docker's own default."""

    def __init__(self, host: str | None = None) -> None:
        self.host = host or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
        self._threads: ThreadPoolExecutor | None = None
        self._client: Any = None
        self._errors: tuple[type[Exception], ...] = ()
        self._unknown: tuple[type[Exception], ...] = ()

    async def __aenter__(self) -> Self:
        try:
            import docker  # noqa: PLC0415 (an extra; 0.1 s)
            import requests  # noqa: PLC0415
        except ImportError as error:
            raise SandboxError(f"the Docker SDK is missing; {INSTALL}") from error
        if self.is_local and not _answers(self.host.removeprefix("unix://")):
            raise SandboxError(f"no Docker engine answers at {self.host}; {INSTALL}")
        self._errors = (docker.errors.DockerException, requests.RequestException, OSError)
        self._unknown = (docker.errors.NotFound,)
        self._threads = ThreadPoolExecutor(_CALLS_AT_ONCE, "docker")
        connect = functools.partial(
            docker.APIClient, version="auto", timeout=_CALL_SECONDS, max_pool_size=_CALLS_AT_ONCE
        )
        try:
            self._client = await self._call(connect, base_url=self.host)
        except SandboxError as error:
            self._threads.shutdown()
            raise SandboxError(f"no Docker engine answers at {self.host}; {INSTALL}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._call(self._client.close)
        assert self._threads
        self._threads.shutdown()

    @property
    def is_local(self) -> bool:
        """Whether its containers' processes are processes of this machine."""
        return self.host.startswith("unix://")

    async def runtimes(self) -> set[str]:
        return set((await self._call(self._client.info))["Runtimes"])

    async def image_id(self, image: str) -> str | None:
        """The digest of what the image is; None where there is none of that name."""
        found = await self._call(self._client.images, image, quiet=True)
        return str(found[0]).removeprefix("sha256:") if found else None

    async def create(self, image: str, command: list[str], runtime: str | None, **options: Any) -> str:
        """A new container's id; ``options`` are the SDK's, those of its host configuration under ``host``."""
        host = self._client.create_host_config(runtime=runtime, **options.pop("host"))
        create = functools.partial(self._client.create_container, use_config_proxy=False)
        made = await self._call(create, image, command, host_config=host, **options)
        return str(made["Id"])

    async def attach(self, container: str) -> socket.socket:
        """A stream to its standard input; from it, its standard output and error in frames (Engine API, "attach")."""
        streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        found = await self._call(self._client.attach_socket, container, params=streams)
        own = socket.socket(fileno=os.dup(found.fileno()))
        found._response.close()  # the SDK keeps there what owns the connection
        own.setblocking(False)
        return own

    async def start(self, container: str) -> None:
        await self._call(self._client.start, container)

    async def process(self, container: str) -> int:
        """The id of its first process, on the engine's machine; 0 where it has ended."""
        return int((await self._call(self._client.inspect_container, container))["State"]["Pid"])

    async def wait(self, container: str) -> Ended:
        """Returns when it has ended."""
        await self._call(self._client.wait, container, timeout=_WAIT_SECONDS)
        state: Mapping[str, Any] = (await self._call(self._client.inspect_container, container))["State"]
        return Ended(int(state["ExitCode"]), bool(state["OOMKilled"]))

    async def remove(self, container: str) -> None:
        """Kills it, and returns when it is gone, which it may have been before."""
        await self._call(self._remove, container)

    def _remove(self, container: str) -> None:
        with contextlib.suppress(*self._unknown):
            self._client.remove_container(container, force=True, v=True)

    async def labels(self) -> dict[str, str]:
        """The label ``LABEL`` of every container that has one, by the container's id."""
        found = await self._call(self._client.containers, all=True, filters={"label": LABEL})
        return {container["Id"]: container["Labels"][LABEL] for container in found}

    async def _call(self, function: Callable[..., _T], *words: Any, **options: Any) -> _T:
        call = functools.partial(function, *words, **options)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except self._errors as error:
            raise SandboxError(f"the Docker engine failed: {error}") from error


def _answers(path: str) -> bool:
    """Whether somebody listens there; asked ahead, as the SDK leaves sockets open that could not connect."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def own_label() -> str:
    """Says which judge made a container: this process, in a form that a later one can tell dead from alive."""
    return f"{socket.gethostname()} {_boot()} {os.getpid()} {_started(os.getpid())}"


def is_dead(label: str) -> bool:
    """Whether the judge that made a container is gone: one of this machine, and no such process runs any more."""
    host, boot, pid, started = label.split(" ")
    return host == socket.gethostname() and (boot != _boot() or _started(int(pid)) != started)


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _started(pid: int) -> str:
    """When a process began, in clock ticks since the boot; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
