"""What every sandbox must hold, proved from inside and outside. Each kind goes through all of it."""

import asyncio
import contextlib
import sys
import uuid
from pathlib import Path

import pytest

from evaluator.judging.records import Records
from evaluator.sandbox import Bubblewrap, Program, Sandbox, SandboxError
from tests.fixtures.sandboxes import SMALL, output, processes_with, python

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_runs_a_program_with_its_input(sandbox: Sandbox) -> None:
    assert await output(sandbox, "cat", stdin=b"x" * 3_000_000) == "x" * 3_000_000
    assert await output(sandbox, "sh", "-c", "pwd; ls -A") == "/tmp\n"


async def test_arguments_arrive_as_they_are(sandbox: Sandbox) -> None:
    words = ["", " ", "a'b\"c", "$HOME `id` \\", "two\nlines\n", "-n", "\udcff", "é"]
    assert await python(sandbox, "import sys; print(ascii(sys.argv[1:]))", *words) == ascii(words)


async def test_output_is_bytes(sandbox: Sandbox) -> None:
    code = r"import sys; b = bytes(range(256)) * 64; sys.stdout.buffer.write(b); sys.stderr.buffer.write(b)"
    async with sandbox.start(Program(("python3", "-S", "-c", code)), SMALL) as run:
        said = b""
        while chunk := await run.read():
            said += chunk
        assert said == bytes(range(256)) * 64
        assert await run.exit_status() == 0
        assert "\ufffd" in run.stderr()


@pytest.mark.parametrize(
    ("code", "status"), [("pass", 0), ("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 128 + 9)]
)
async def test_the_exit_status_comes_back(sandbox: Sandbox, code: str, status: int) -> None:
    async with sandbox.start(Program(("python3", "-S", "-c", code)), SMALL) as run:
        assert await run.read() == b""
        assert await run.exit_status() == status
        assert not run.out_of_memory()


async def test_it_may_leave_its_input_unread(sandbox: Sandbox) -> None:
    assert await output(sandbox, "echo", "not for me", stdin=b"x" * 3_000_000) == "not for me\n"


async def test_several_at_once_do_not_see_each_other(sandbox: Sandbox) -> None:
    code = "import os,time; open('mine','w'); time.sleep(.3); print(os.listdir('.'), len(os.listdir('/proc/1/task')))"
    assert await asyncio.gather(*(python(sandbox, code) for _ in range(4))) == ["['mine'] 1"] * 4


async def test_one_after_the_other_finds_nothing(sandbox: Sandbox) -> None:
    for _ in range(3):
        code = (
            "import os; print(os.listdir('/tmp'), os.listdir('/dev/shm')); open('/tmp/x','w'); open('/dev/shm/x','w')"
        )
        assert await python(sandbox, code) == "[] []"


async def test_a_missing_program_is_told(sandbox: Sandbox) -> None:
    assert "no-such-program" in await output(sandbox, "no-such-program")


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
        if not sandbox.name.startswith("gvisor"):  # whose processes the host's /proc does not name
            assert len(processes_with(marker)) >= 3
    assert processes_with(marker) == []


async def test_daemons_die_with_the_program(sandbox: Sandbox) -> None:
    """The program ends; what it left behind, its output still open, ends with it."""
    code = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(1000)\nprint('done')"
    marker = uuid.uuid4().hex
    assert await python(sandbox, code, marker) == "done"
    assert processes_with(marker) == []


async def test_an_output_flood_is_held_back(sandbox: Sandbox) -> None:
    marker = uuid.uuid4().hex
    flood = "import sys\nwhile True: print('x' * 100000); print('e' * 1000, file=sys.stderr)"
    async with sandbox.start(Program(("python3", "-S", "-c", flood, marker)), SMALL) as run:
        assert 0 < len(await run.read()) <= 1 << 20
        await asyncio.sleep(0.5)
        assert len(run.stderr()) <= 4096
    assert processes_with(marker) == []


async def test_fifty_thousand_files(sandbox: Sandbox, request: pytest.FixtureRequest) -> None:
    slow = sandbox.name == "gvisor" and "full" not in request.config.option.markexpr  # 0.3 ms a file
    count = 5_000 if slow else 50_000
    said = await python(sandbox, f"[open(f'/tmp/{{i}}', 'w').close() for i in range({count})]; print('made')")
    assert said == "made" or "Error" in said or said == ""


async def test_cancelling_kills(sandbox: Sandbox) -> None:
    marker = uuid.uuid4().hex

    async def forever() -> None:
        async with sandbox.start(Program(("sh", "-c", f"sleep 1000; : {marker}")), SMALL) as run:
            await run.read()

    async def soon(delay: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await forever()

    await asyncio.gather(*(soon(0.05 * i) for i in range(1, 8)))
    assert processes_with(marker) == []


async def test_the_interpreter_is_ours(sandbox: Sandbox) -> None:
    if not isinstance(sandbox, Bubblewrap):
        pytest.skip("it has a Python of its own")
    assert await python(sandbox, "import sys; print(sys.version)") == sys.version


async def test_without_cgroups_a_process_is_still_bounded() -> None:
    async with Bubblewrap(use_cgroups=False) as box:
        assert box.limits_by == "rlimit"
        assert "MemoryError" in await python(box, "bytearray(1 << 30)")


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
