"""What every sandbox must hold, proved from inside and outside. Each sandbox of SANDBOXES goes through all of it."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from evaluator.judging.records import Records
from evaluator.sandbox import Bubblewrap, Limits, Program, Sandbox, SandboxError, cgroup

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)")

SANDBOXES: dict[str, Callable[[], Sandbox]] = {
    "bubblewrap": Bubblewrap,
    "bubblewrap-without-cgroups": lambda: Bubblewrap(use_cgroups=False),
}
SMALL = Limits(memory_bytes=192 << 20, processes=24, tmp_bytes=8 << 20)


@pytest.fixture(params=SANDBOXES)
async def sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    async with SANDBOXES[request.param]() as box:
        yield box


async def output(sandbox: Sandbox, *argv: str, stdin: bytes = b"", within: float = 20) -> str:
    """What a program that ends by itself wrote to standard output."""
    async with sandbox.start(Program(argv, stdin), SMALL) as run:
        chunks = []
        async with asyncio.timeout(within):
            while chunk := await run.read():
                chunks.append(chunk)
        return b"".join(chunks).decode() + run.stderr()


async def python(sandbox: Sandbox, code: str, **more: float) -> str:
    return (await output(sandbox, "python3", "-S", "-c", code, **more)).strip()  # type: ignore[arg-type]


def processes_with(marker: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if marker.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


async def test_runs_a_program_with_its_input(sandbox: Sandbox) -> None:
    assert await output(sandbox, "cat", stdin=b"x" * 3_000_000) == "x" * 3_000_000
    assert await output(sandbox, "sh", "-c", "pwd; ls -A") == "/tmp\n"


async def test_several_at_once_do_not_see_each_other(sandbox: Sandbox) -> None:
    code = "import os,time; open('mine','w'); time.sleep(.3); print(os.listdir('.'), len(os.listdir('/proc/1/task')))"
    assert await asyncio.gather(*(python(sandbox, code) for _ in range(4))) == ["['mine'] 1"] * 4


async def test_a_missing_program_is_told(sandbox: Sandbox) -> None:
    assert "no-such-program" in await output(sandbox, "no-such-program")


async def test_the_interpreter_is_ours(sandbox: Sandbox) -> None:
    assert await python(sandbox, "import sys; print(sys.version)") == sys.version


async def test_nothing_of_the_host_is_there(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    code = f"""
import glob, os
seen = repr(dict(os.environ))
for path in glob.glob("/proc/[0-9]*/environ") + ["/etc/passwd", "/etc/shadow", {str(secret)!r}, {__file__!r}]:
    try:
        seen += open(path, errors="replace").read()
    except OSError:
        pass
print("hunter2" in seen, "root:" in seen, "Sandbox" in seen, len(glob.glob("/proc/[0-9]*")) < 8)
"""
    assert await python(sandbox, code) == "False False False True"


async def test_only_tmp_can_be_written_and_only_so_far(sandbox: Sandbox) -> None:
    code = """
import os
for path in ("/x", "/usr/x", "/bin/x", "/proc/x", "/dev/x", "/etc/x"):
    try:
        open(path, "w")
        print("wrote", path)
    except OSError:
        pass
try:
    with open("/tmp/big", "wb") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
except OSError as error:
    print(error.errno)
print(os.path.getsize("/tmp/big") <= 8 << 20)
"""
    assert await python(sandbox, code) == "28\nTrue"


async def test_there_is_no_network(sandbox: Sandbox) -> None:
    code = """
import socket
for family, address in ((socket.AF_INET, ("1.1.1.1", 53)), (socket.AF_INET, ("127.0.0.1", PORT)),
                        (socket.AF_UNIX, "\\0weighbridge-test")):
    try:
        socket.socket(family).connect(address)
        print("connected", address)
    except OSError:
        pass
try:
    print(socket.getaddrinfo("example.com", 80))
except OSError:
    pass
print(sorted(name for _, name in socket.if_nameindex()))
"""
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    abstract = await asyncio.start_unix_server(lambda _r, w: w.close(), "\0weighbridge-test")
    async with server, abstract:
        port = server.sockets[0].getsockname()[1]
        assert await python(sandbox, code.replace("PORT", str(port))) == "['lo']"


async def test_no_privilege_and_none_to_be_had(sandbox: Sandbox) -> None:
    status = await output(sandbox, "cat", "/proc/self/status")
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    assert [int(lines[kind], 16) for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == [0, 0, 0, 0]
    assert lines["NoNewPrivs"].strip() == "1"
    assert lines["Seccomp"].strip() == "2"
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(os.getuid() == 0, libc.unshare(0x10000000), ctypes.get_errno(), libc.mount(b"x", b"/tmp", b"tmpfs", 0, None),
      libc.ptrace(0, 0, 0, 0))
"""
    assert await python(sandbox, code) == "False -1 1 -1 -1"


@pytest.mark.parametrize(
    "bomb",
    [
        "x = bytearray(1 << 30); print('alive')",
        "import os\nfd = os.memfd_create('x')\nfor _ in range(1024): os.write(fd, b'x' * (1 << 20))\nprint('alive')",
        "import os\nfor i in range(8):\n  if os.fork() == 0:\n    x = bytearray(b'x' * (120 << 20)); import time;"
        " time.sleep(1); os._exit(0)\nfor _ in range(8): print(os.wait()[1])",
    ],
    ids=["heap", "memfd", "children"],
)
async def test_memory_is_bounded(bomb: str) -> None:
    async with Bubblewrap() as box:
        if box.limits_by == "rlimit":
            pytest.skip("no memory cgroup can be made here")
        async with box.start(Program(("python3", "-S", "-c", bomb)), SMALL) as run:
            said = b""
            async with asyncio.timeout(20):
                while chunk := await run.read():
                    said += chunk
            assert b"alive" not in said
            assert run.out_of_memory()


async def test_without_cgroups_a_process_is_still_bounded() -> None:
    async with Bubblewrap(use_cgroups=False) as box:
        assert box.limits_by == "rlimit"
        assert "MemoryError" in await python(box, "bytearray(1 << 30)")


async def test_a_fork_bomb_ends_with_its_sandbox(sandbox: Sandbox) -> None:
    code = """
import os, sys
print("started", flush=True)
while True:
    try:
        os.fork()
    except OSError:
        pass
"""
    marker = uuid.uuid4().hex
    async with sandbox.start(Program(("python3", "-S", "-c", code, marker)), SMALL) as run:
        assert await run.read() == b"started\n"
        await asyncio.sleep(0.5)
        assert len(processes_with(marker)) <= SMALL.processes + 3
    assert processes_with(marker) == []


async def test_daemons_that_ignore_signals_die_with_the_run(sandbox: Sandbox) -> None:
    code = """
import os, signal, sys, time
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print("ready", flush=True)
        time.sleep(1000)
time.sleep(1000)
"""
    marker = uuid.uuid4().hex
    async with sandbox.start(Program(("python3", "-S", "-c", code, marker)), SMALL) as run:
        assert await run.read() == b"ready\n"
        assert processes_with(marker)
    assert processes_with(marker) == []


async def test_an_output_flood_is_held_back(sandbox: Sandbox) -> None:
    marker = uuid.uuid4().hex
    flood = "while True: print('x' * 100000)"
    async with sandbox.start(Program(("python3", "-S", "-c", flood, marker)), SMALL) as run:
        assert len(await run.read()) <= 1 << 20
        await asyncio.sleep(0.5)
    assert processes_with(marker) == []


async def test_fifty_thousand_files(sandbox: Sandbox) -> None:
    code = "[open(f'/tmp/{i}', 'w').close() for i in range(50_000)]; print('made')"
    said = await python(sandbox, code, within=60)
    assert said == "made" or "Error" in said or said == ""


async def test_cancelling_kills(sandbox: Sandbox) -> None:
    marker = uuid.uuid4().hex

    async def forever() -> None:
        async with sandbox.start(Program(("sleep", "1000", marker)), SMALL) as run:
            await run.read()

    async def soon(delay: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await forever()

    await asyncio.gather(*(soon(0.01 * i) for i in range(1, 12)))
    assert processes_with(marker) == []


def test_a_killed_judge_leaves_nothing() -> None:
    marker = uuid.uuid4().hex
    code = f"""
import asyncio
from evaluator.sandbox import Bubblewrap, Limits, Program
async def main():
    async with Bubblewrap() as box:
        async with box.start(Program(("sh", "-c", "echo up; sleep 1000; : {marker}")), Limits()) as run:
            print((await run.read()).decode(), flush=True)
            await asyncio.sleep(1000)
asyncio.run(main())
"""
    judge = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert judge.stdout is not None
    with judge:
        assert judge.stdout.readline() == "up\n"
        assert len(processes_with(marker)) > 1
        judge.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while processes_with(marker) or groups_of(judge.pid):
        assert time.monotonic() < deadline, (processes_with(marker), groups_of(judge.pid))
        time.sleep(0.05)


async def test_no_cgroup_remains() -> None:
    async with Bubblewrap() as box:
        await asyncio.gather(*(output(box, "true") for _ in range(3)))
        assert box.limits_by == "rlimit" or groups_of(os.getpid())
    assert groups_of(os.getpid()) == []


def groups_of(pid: int) -> list[Path]:
    """By ``os.walk``, which passes over a folder that goes while it looks."""
    prefix = f"weighbridge-{pid}-"
    folders = os.walk(cgroup.ROOT)
    return [Path(folder, name) for folder, names, _ in folders for name in names if name.startswith(prefix)]


async def test_a_missing_bubblewrap_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxError, match="apt-get install bubblewrap"):
        async with Bubblewrap():
            pass


async def test_a_sandbox_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    async with Bubblewrap(packages=tmp_path / "gone") as box:
        with pytest.raises(SandboxError, match=r"nothing runs in the sandbox: bwrap: .*gone"):
            async with box.start(Program(("true",)), SMALL) as run:
                await Records(run).ready()
