"""However a program asks for memory, its limit holds, and where the sandbox can know, it says so."""

import asyncio

import pytest

from evaluator.sandbox import Program, Sandbox
from tests.fixtures.sandboxes import SMALL, python

pytestmark = pytest.mark.asyncio(loop_scope="module")

_CHUNK = "b'x' * (1 << 20)"
BOMBS = {
    "heap": "x = bytearray(1 << 30); print('alive')",
    "memfd": f"import os\nfd = os.memfd_create('x')\nfor _ in range(1024): os.write(fd, {_CHUNK})\nprint('alive')",
    "children": "import os, time\nfor i in range(8):\n  if os.fork() == 0:\n    x = bytearray(b'x' * (120 << 20))\n"
    "    time.sleep(20); os._exit(0)\nfor _ in range(8):\n  if os.wait()[1]: os._exit(1)\nprint('alive')",
    "System V": "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.shmat.restype = ctypes.c_void_p\nfor _ in range(16):\n"
    "  segment = libc.shmget(0, 64 << 20, 0o1600)\n  at = libc.shmat(segment, None, 0)\n"
    "  if segment < 0 or at == ctypes.c_void_p(-1).value: raise MemoryError\n"
    "  ctypes.memset(ctypes.c_void_p(at), 1, 64 << 20)\nprint('alive')",
    "anonymous mappings": "import mmap\nheld = []\nfor _ in range(64):\n  held.append(mmap.mmap(-1, 16 << 20))\n"
    f"  for _ in range(16): held[-1].write({_CHUNK})\nprint('alive')",
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_memory_is_bounded(sandbox: Sandbox, bomb: str) -> None:
    if sandbox.limits_by == "rlimit":
        pytest.skip("no memory cgroup: each process is bounded by itself")
    async with sandbox.start(Program(("python3", "-S", "-c", BOMBS[bomb])), SMALL) as run:
        said = b""
        async with asyncio.timeout(100):
            while chunk := await run.read():
                said += chunk
            status = await run.exit_status()
        assert b"alive" not in said
        assert status != 0
        assert run.out_of_memory() or "MemoryError" in run.stderr()


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
async def test_temporary_files_are_bounded(sandbox: Sandbox, folder: str) -> None:
    code = """
import errno, os, sys
path = sys.argv[1] + "/big"
try:
    with open(path, "wb") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
except OSError as error:
    print(errno.errorcode[error.errno])
print(os.path.getsize(path) <= 16 << 20)
"""
    assert await python(sandbox, code, folder) == "ENOSPC\nTrue"
