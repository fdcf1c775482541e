"""sandboxd as a process: who it is, what it has, and what it does with clients that ask too much or make no sense."""

import asyncio
import json
import os
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluator.sandbox import Limits, Program, Remote, SandboxError, wire
from evaluator.sandbox.launch import OWN_UID
from tests.fixtures.sandboxes import SMALL, gone, output, processes_with, serving

WEIGHBRIDGE = str(Path(sys.executable).with_name("weighbridge"))
SLEEP = Program(("sleep", "1000"))


@pytest.fixture
def path() -> Iterator[Path]:
    with serving({"kind": "bubblewrap"}, parallel=2, waiting=1) as path:
        yield path


def daemons(path: Path) -> list[Path]:
    """The /proc folders of sandboxd itself (not of the process that started it): whoever listens at the socket."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [Path("/proc", pid) for pid in children if pid in processes_with("sandboxd")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give it a user of its own")
async def test_it_has_a_user_of_its_own_and_no_secrets(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_API_KEY", "hunter2")
    with serving({"kind": "bubblewrap"}) as second:
        async with Remote(second) as box:
            assert "bubblewrap" in box.name
            found = daemons(path)
            assert len(found) == 2
            for process in found:
                status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
                assert status["Uid"].split() == [str(OWN_UID)] * 4
                assert (int(status["CapEff"], 16), int(status["CapBnd"], 16)) == (0, 0)
                assert status["Groups"].split() == []
                names = {entry.split(b"=")[0] for entry in (process / "environ").read_bytes().split(b"\0") if entry}
                assert names <= {b"PATH", b"LANG", b"PYTHONPATH", b"HOME", b"PWD"}
                assert os.readlink(process / "ns/net") != os.readlink("/proc/self/ns/net")  # noqa: PTH115


def test_only_the_user_who_started_it_may_ask(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_it_refuses_when_it_is_full_and_serves_again(path: Path) -> None:
    async with Remote(path) as box:

        async def hold() -> None:
            while True:
                try:
                    async with box.start(SLEEP, SMALL) as run:
                        await run.read()
                except SandboxError:  # what is tried below had its place for a moment
                    await asyncio.sleep(0.01)

        holding = [asyncio.create_task(hold()) for _ in range(3)]  # two run, one waits

        async def refused() -> bool:
            try:
                await asyncio.wait_for(output(box, "true"), 0.5)
            except SandboxError as error:
                return "full" in str(error)
            except TimeoutError:
                pass
            return False

        async with asyncio.timeout(60):
            while not await refused():
                pass
        for task in holding:
            task.cancel()
        await asyncio.gather(*holding, return_exceptions=True)
        async with asyncio.timeout(60):
            while await refused():
                pass
        assert await output(box, "echo", "again") == "again\n"


async def test_one_that_waits_has_its_turn(path: Path) -> None:
    async with Remote(path) as box:
        said = await asyncio.gather(*(output(box, "sh", "-c", f"sleep 0.2; echo {i}") for i in range(3)))
    assert said == ["0\n", "1\n", "2\n"]


async def test_a_client_that_leaves_kills_its_run(path: Path) -> None:
    marker = uuid.uuid4().hex
    reader, writer = await asyncio.open_unix_connection(path)
    await wire.send_program(writer, Program(("sh", "-c", f"echo up; sleep 1000; : {marker}")), SMALL)
    while (frame := await wire.receive(reader)) and frame[0] != wire.OUTPUT:
        pass
    assert processes_with(marker)
    writer.transport.abort()
    await gone(lambda: processes_with(marker))


async def test_no_run_is_longer_than_its_longest() -> None:
    marker = uuid.uuid4().hex
    with serving({"kind": "bubblewrap"}, seconds=3.0) as path:
        async with Remote(path) as box, box.start(Program(("sh", "-c", f"sleep 1000; : {marker}")), SMALL) as run:
            with pytest.raises(SandboxError, match="ends a run after 3 s"):
                await run.read()
    assert processes_with(marker) == []


LIMITS = {"memory_bytes": 1 << 28, "processes": 8, "tmp_bytes": 1 << 20, "open_files": 64}


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"R" + (1 << 30).to_bytes(4, "big"),
        b"R\0\0\0\2{]",
        b"R\0\0\0\2[]",
        *(
            wire.RUN + len(head).to_bytes(4, "big") + head + wire.INPUT_END + bytes(4)
            for head in (
                json.dumps(asked).encode()
                for asked in (
                    {"argv": [], "limits": LIMITS},
                    {"argv": ["true", 1], "limits": LIMITS},
                    {"argv": ["true"], "limits": {**LIMITS, "memory_bytes": 1 << 50}},
                    {"argv": ["true"], "limits": {**LIMITS, "processes": -1}},
                    {"argv": ["true"], "limits": {**LIMITS, "processes": True}},
                    {"argv": ["true"], "limits": {**LIMITS, "more": 1}},
                    {"argv": ["true"]},
                    {"argv": ["true"], "limits": LIMITS, "warm": 1},
                )
            )
        ),
    ],
)
async def test_what_makes_no_sense_is_refused(path: Path, said: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(said)
    writer.write_eof()
    async with asyncio.timeout(60):
        frame = await wire.receive(reader)
    writer.close()
    assert frame is not None
    assert frame[0] == wire.REFUSED
    assert b"does not understand" in frame[1]
    async with Remote(path) as box:
        assert await output(box, "echo", "well") == "well\n"


async def test_a_word_that_no_program_can_be_given_breaks_nothing(path: Path) -> None:
    async with Remote(path) as box:
        with pytest.raises(SandboxError):
            await output(box, "echo", "a\0b")
        assert await output(box, "echo", "well") == "well\n"


async def test_without_one_it_says_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="start it: weighbridge sandboxd"):
        async with Remote(tmp_path / "none"):
            pass


async def test_one_that_dies_is_told(tmp_path: Path) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await wire.receive(reader)
        writer.close()

    async with await asyncio.start_unix_server(hang_up, tmp_path / "socket"):
        with pytest.raises(SandboxError, match="has gone"):
            async with Remote(tmp_path / "socket"):
                pass


def test_a_second_at_the_same_socket_is_refused(path: Path) -> None:
    done = subprocess.run([WEIGHBRIDGE, "sandboxd", "--socket", path], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert f"another sandboxd serves at {path}" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="as root")
def test_a_user_who_is_not_there(tmp_path: Path) -> None:
    command = [WEIGHBRIDGE, "sandboxd", "--socket", tmp_path / "s", "--user", "no-such-user"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "no user no-such-user" in done.stderr


async def test_its_limits_are_the_callers(path: Path) -> None:
    async with Remote(path) as box:
        limits = Limits(memory_bytes=64 << 20, processes=8, tmp_bytes=1 << 20, open_files=32)
        async with box.start(Program(("sh", "-c", "ulimit -n; df -k /tmp | tail -1")), limits) as run:
            said = b""
            while chunk := await run.read():
                said += chunk
            assert await run.exit_status() == 0
    assert said.split()[0] == b"32"
    assert b" 1024 " in said
