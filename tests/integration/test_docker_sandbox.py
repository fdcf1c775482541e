"""The Docker sandbox where its engine lacks something, or breaks; and its warm containers."""

import asyncio
import subprocess

import pytest

from evaluator.sandbox import Docker, Limits, Program, SandboxError
from tests.fixtures.docker import BUILD_S
from tests.fixtures.docker import Docker as Client
from tests.fixtures.sandboxes import SMALL, gone, left_in, output

pytestmark = pytest.mark.timeout(BUILD_S)


async def test_without_an_engine_it_says_what_to_install() -> None:
    with pytest.raises(
        SandboxError, match=r"no Docker engine answers at unix:///no/socket; .*apt-get install docker.io"
    ):
        async with Docker(host="unix:///no/socket"):
            pass


async def test_without_the_image_it_says_how_to_build_it(sandbox_engine: Client) -> None:
    with pytest.raises(SandboxError, match=r"no image nobody/made; build it: deploy/sandbox-image/build.sh"):
        async with Docker(host=sandbox_engine.host, image="nobody/made"):
            pass


async def test_without_the_runtime_it_says_what_to_configure(sandbox_engine: Client) -> None:
    with pytest.raises(SandboxError, match=r"no runtime kata; .*daemon.json"):
        async with Docker(host=sandbox_engine.host, runtime="kata"):
            pass


async def test_containers_wait_for_programs_of_each_kind_of_limits(sandbox_engine: Client) -> None:
    kinds = [Limits(memory_bytes=(128 + i) << 20, tmp_bytes=(1 + i) << 20) for i in range(4)]
    async with Docker(host=sandbox_engine.host, warm=1) as box:
        for limits in [*kinds, kinds[0]]:
            async with box.start(Program(("sh", "-c", "df -k /tmp | tail -1")), limits) as run:
                assert f" {limits.tmp_bytes >> 10} ".encode() in await run.read()
        assert len(sandbox_engine("ps", "--quiet").stdout.split()) <= 3
    await gone(lambda: left_in(sandbox_engine))


async def test_a_container_that_others_remove_is_trouble_of_ours(sandbox_engine: Client) -> None:
    async with Docker(host=sandbox_engine.host, warm=0) as box:
        with pytest.raises(SandboxError, match="engine failed"):
            async with box.start(Program(("sh", "-c", "echo up; sleep 1000")), SMALL) as run:
                assert await run.read() == b"up\n"
                mine = sandbox_engine("ps", "--quiet", "--filter", "label=weighbridge.judge").stdout.split()
                await asyncio.to_thread(sandbox_engine, "rm", "--force", *mine)
                await run.read()
                await run.exit_status()
        assert await output(box, "echo", "again") == "again\n"


async def test_what_the_engine_cannot_remove_just_now_is_tried_again(sandbox_engine: Client) -> None:
    async with Docker(host=sandbox_engine.host, warm=0) as box:
        async with box.start(Program(("sh", "-c", "echo up; sleep 1000")), SMALL) as run:
            assert await run.read() == b"up\n"
            (mine,) = sandbox_engine("ps", "--quiet", "--no-trunc").stdout.split()
            files = sandbox_engine("inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", mine).stdout.strip()
            within(sandbox_engine, f"touch {files}/here && chattr +i {files}/here")  # now root cannot, either
        assert mine in sandbox_engine("ps", "--all", "--quiet", "--no-trunc").stdout.split()
        within(sandbox_engine, f"chattr -i {files}/here")
        assert await output(box, "echo", "again") == "again\n"
        assert sandbox_engine("ps", "--all", "--quiet").stdout.split() == []
    await gone(lambda: left_in(sandbox_engine))


def within(engine: Client, command: str) -> None:
    """Among the engine's mounts."""
    pid = (engine.folder / "pid").read_text().strip()
    subprocess.run(["nsenter", "--target", pid, "--mount", "sh", "-c", command], check=True)
