"""A run that is forked from a warm interpreter is as isolated as one that is started cold."""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from evaluator.sandbox import Bubblewrap, Limits, Program, Run, SandboxError
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="warm starts take root")

LOOK = """
import json, os, resource, socket
def status(*names):
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return {name: lines[name].strip() for name in names}
def tried(action):
    try:
        action()
    except OSError as error:
        return error.strerror
    return "done"
def main():
    seen = {
        "status": status("CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp", "Groups"),
        "first user": os.getuid() > 1_000_000 and os.getuid() == os.geteuid() == os.getgid(),
        "root": sorted(os.listdir("/")), "cwd": (os.getcwd(), os.listdir(".")), "dev": sorted(os.listdir("/dev")),
        "network": [name for _, name in socket.if_nameindex()], "host": socket.gethostname(),
        "processes": len([name for name in os.listdir("/proc") if name.isdigit()]) <= 4,
        "limits": [resource.getrlimit(name) for name in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)],
        "descriptors": [tried(lambda: os.fstat(number)) for number in range(3, 40)],
        "writes": [tried(lambda: open(path, "w")) for path in ("/etc/x", "/usr/x", "/x", "/dev/x", "/tmp/x")],
        "mounts": tried(lambda: os.chroot("/tmp")),
        "connects": tried(lambda: socket.create_connection(("1.1.1.1", 53), 0.2)),
        "tmp bytes": os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize,
        "environment": sorted(set(os.environ) - {"PWD", "OLDPWD", "SHLVL", "_"}),
        "stdin": os.read(0, 100).decode(),
    }
    os.write(1, json.dumps(seen).encode())
"""
COLD = ("python3", "-s", "-S", "-P", "-B", "-c", LOOK + "\nmain()")


@pytest.fixture
async def box() -> AsyncIterator[Bubblewrap]:
    async with Bubblewrap() as box:
        if box.limits_by == "rlimit":
            pytest.skip("no cgroups here, so every start is cold")
        yield box


def warm(source: str, stdin: bytes = b"") -> Program:
    return Program(("false",), stdin, warm=source)


async def output(run: Run) -> bytes:
    said = b""
    async with asyncio.timeout(100):
        while part := await run.read():
            said += part
    return said


async def said(box: Bubblewrap, program: Program, limits: Limits | None = None) -> str:
    async with box.start(program, limits or Limits()) as run:
        return (await output(run)).decode()


async def test_it_sees_what_a_cold_start_sees(box: Bubblewrap) -> None:
    limits = Limits(tmp_bytes=8 << 20, open_files=99)
    cold = json.loads(await said(box, Program(COLD, b"hello"), limits))
    forked = json.loads(await said(box, warm(LOOK, b"hello"), limits))
    assert forked == cold
    assert forked["status"]["CapEff"] == forked["status"]["CapBnd"] == "0000000000000000"
    assert forked["status"]["Seccomp"] == "2"


async def test_runs_share_nothing(box: Bubblewrap) -> None:
    source = """
import os, sys
sys.mark = []
def main():
    sys.mark.append(1)
    os.write(1, f"{len(sys.mark)} {os.listdir('/tmp')}".encode())
    open("/tmp/left", "w").close()
"""
    assert await asyncio.gather(*(said(box, warm(source)) for _ in range(4))) == ["1 []"] * 4


async def test_its_end_is_known(box: Bubblewrap) -> None:
    for body, status in (("pass", 0), ("os._exit(7)", 7), ("raise SystemExit(3)", 1)):
        async with box.start(warm(f"import os\ndef main():\n    {body}\n"), Limits()) as run:
            assert await output(run) == b""
            assert await run.exit_status() == status


async def test_leaving_kills_all_of_it(box: Bubblewrap) -> None:
    marker = uuid.uuid4().hex
    source = f"""
import os
def main():
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            os.execvp("sh", ["sh", "-c", "sleep 1000; : {marker}"])
    os.write(1, b"up")
    while True:
        pass
"""
    async with box.start(warm(source), Limits()) as run:
        assert await run.read() == b"up"
        async with asyncio.timeout(60):
            while len(processes_with(marker)) < 3:  # noqa: ASYNC110 (nobody tells of another's exec)
                await asyncio.sleep(0.01)
        assert (run.cpu_seconds() or 0) >= 0
    assert processes_with(marker) == []


async def test_whoever_leaves_while_it_starts_leaves_nothing(box: Bubblewrap) -> None:
    marker = uuid.uuid4().hex
    source = f"import os\ndef main():\n    os.execvp('sh', ['sh', '-c', 'sleep 1000; : {marker}'])\n"
    assert await said(box, warm("def main(): pass")) == ""
    for turns in range(12):
        running = asyncio.create_task(said(box, warm(source)))
        for _ in range(turns):
            await asyncio.sleep(0.001)
        running.cancel()
        await asyncio.wait({running})
        assert running.cancelled()
    assert processes_with(marker) == []


async def test_limits_hold(box: Bubblewrap) -> None:
    source = """
import os
def main():
    forked = 0
    try:
        while forked < 200:
            if os.fork() == 0:
                os.read(0, 1)
                __import__("time").sleep(100)
            forked += 1
    except OSError:
        pass
    os.write(1, str(forked < 40).encode())
    os._exit(0)
"""
    assert await said(box, warm(source), Limits(processes=32)) == "True"
    async with box.start(warm("def main():\n    x = bytearray(1 << 30)\n"), Limits(memory_bytes=64 << 20)) as run:
        assert await output(run) == b""
        assert await run.exit_status() == 137
        assert run.out_of_memory()


async def test_a_source_that_does_not_load_says_so(box: Bubblewrap) -> None:
    for _ in range(2):  # it is tried anew each time
        with pytest.raises(SandboxError, match=r"(?s)no warm sandbox can be made: .*NameError"):
            await said(box, warm("nonsense\ndef main(): pass\n"))
    assert await said(box, Program(("echo", "still here"))) == "still here\n"


async def test_a_zygote_that_died_is_replaced(box: Bubblewrap) -> None:
    source = f"import os\n# {uuid.uuid4().hex}\ndef main():\n    os.write(1, b'up')\n"
    assert await said(box, warm(source)) == "up"
    (zygote,) = box.zygotes.values()
    await zygote.close()
    assert await said(box, warm(source)) == "up"


def test_a_killed_judge_leaves_no_zygote() -> None:
    marker = uuid.uuid4().hex
    source = (
        f"import os\ndef main():\n    os.write(1, b'up')\n    os.execvp('sh', ['sh', '-c', 'sleep 1000; : {marker}'])\n"
    )
    code = f"""
import asyncio
from evaluator.sandbox import Bubblewrap, Limits, Program
async def main():
    async with Bubblewrap() as box:
        async with box.start(Program(("false",), warm={source!r}), Limits()) as run:
            print((await run.read()).decode(), flush=True)
            await asyncio.sleep(1000)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as judge:
        assert judge.stdout is not None
        assert judge.stdout.readline() == "up\n"
        eventually(lambda: bool(processes_with(marker)))
        judge.kill()
    eventually(lambda: not processes_with(marker))


def processes_with(marker: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes()
        except OSError:
            continue
        if marker.encode() in text and b"evaluator.sandbox" not in text:
            found.append(text.decode(errors="replace")[:200])
    return found
