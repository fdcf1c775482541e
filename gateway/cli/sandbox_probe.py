"""Whether a sandbox isolates on this machine: found out by a program that tries to get out."""

import asyncio
from dataclasses import dataclass

from evaluator.sandbox import Limits, Program, Sandbox, SandboxError

_SECONDS = 20.0
_LIMITS = Limits(memory_bytes=128 << 20, processes=16)

# Each says what it could do that it must not, a word each.
_REACH = """
import ctypes, os, socket
def tries(name, action):
    try:
        action()
    except OSError:
        return
    print(name)
tries("network", lambda: socket.create_connection(("1.1.1.1", 53), 1))
tries("root-is-writable", lambda: open("/usr/probe", "w"))
tries("shadow", lambda: open("/etc/shadow"))
if os.path.exists(HOST):
    print("host-files")
if os.getuid() == 0:
    print("runs-as-root")
if len([name for name in os.listdir("/proc") if name.isdigit()]) > 6:
    print("host-processes")
if ctypes.CDLL(None).unshare(0x10000000) == 0:
    print("user-namespaces")
"""
_MEMORY = "x = bytearray(1 << 30); print('memory')"
_FORK = """
import os, time
for _ in range(300):
    if os.fork() == 0:
        time.sleep(2)
        os._exit(0)
print("processes")
"""


@dataclass(frozen=True, slots=True)
class Found:
    """``problem``: why it does not isolate; empty where it does."""

    name: str
    limits_by: str
    problem: str = ""

    @property
    def isolates(self) -> bool:
        return not self.problem


async def probe(sandbox: Sandbox) -> Found:
    """Enters and leaves it."""
    try:
        async with sandbox as box:
            reached = [word for code in (_reach(), _MEMORY, _FORK) for word in await _words(box, code)]
    except SandboxError as error:
        return Found(sandbox.name, "", str(error))
    problem = f"a probe could reach: {', '.join(reached)}" if reached else ""
    return Found(box.name, box.limits_by, problem)


def _reach() -> str:
    return f"HOST = {__file__!r}\n{_REACH}"


async def _words(box: Sandbox, code: str) -> list[str]:
    """What a probe prints."""
    said = b""
    async with box.start(Program(("python3", "-S", "-c", code)), _LIMITS) as run:
        try:
            async with asyncio.timeout(_SECONDS):
                while chunk := await run.read():
                    said += chunk
        except TimeoutError:
            return ["time-limit"]
    return said.decode().split()
