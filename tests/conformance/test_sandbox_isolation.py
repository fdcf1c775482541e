"""What a program finds of the world outside its sandbox: nothing. Each kind goes through all of it."""

import asyncio
import io
import socket
import tarfile
from pathlib import Path

import pytest

from evaluator.sandbox import Sandbox
from evaluator.sandbox.files import making_files, with_files
from tests.fixtures.sandboxes import SMALL, output, python

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_nothing_of_the_host_is_there(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    code = f"""
import glob, os
seen = repr(dict(os.environ))
paths = glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/1/root/tmp/*") + glob.glob("/proc/1/fd/*")
for path in [*paths, "/etc/shadow", "/proc/1/mem", {str(secret)!r}, {__file__!r}]:
    try:
        seen += os.readlink(path) if os.path.islink(path) else open(path, errors="replace").read()
    except (OSError, MemoryError):
        pass
print("hunter2" in seen, "root:" in seen, "Sandbox" in seen, {socket.gethostname()!r} == os.uname().nodename)
print(sorted(name for name in os.listdir("/proc") if name.isdigit()))
"""
    said = (await python(sandbox, code)).splitlines()
    assert said[0] == "False False False False"
    assert len(said[1].split()) < 8  # processes


async def test_only_its_temporary_folders_can_be_written(sandbox: Sandbox) -> None:
    code = """
import os
for folder in ("/", "/usr", "/bin", "/usr/bin", "/proc", "/dev", "/etc", "/sys", "/var", "/var/tmp", "/root", "/run"):
    try:
        open(folder + "/x", "w")
        print("wrote", folder)
    except OSError:
        pass
"""
    assert await python(sandbox, code) == ""


async def test_there_is_no_network(sandbox: Sandbox, tmp_path: Path) -> None:
    code = """
import socket, sys
def tries(family, kind, address):
    try:
        with socket.socket(family, kind) as mine:
            mine.settimeout(5)
            mine.connect(address)
            mine.send(b"x")
        print("reached", address)
    except OSError:
        pass
port, path = int(sys.argv[1]), sys.argv[2]
for address in (("1.1.1.1", 53), ("127.0.0.1", port), ("169.254.169.254", 80)):
    tries(socket.AF_INET, socket.SOCK_STREAM, address)
tries(socket.AF_INET, socket.SOCK_DGRAM, ("1.1.1.1", 53))
tries(socket.AF_INET6, socket.SOCK_STREAM, ("::1", port))
tries(socket.AF_UNIX, socket.SOCK_STREAM, "\\0weighbridge-test")
tries(socket.AF_UNIX, socket.SOCK_STREAM, path)
tries(socket.AF_UNIX, socket.SOCK_STREAM, "/var/run/docker.sock")
try:
    print(socket.getaddrinfo("example.com", 80))
except OSError:
    pass
print(sorted(name for _, name in socket.if_nameindex()))
"""
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    abstract = await asyncio.start_unix_server(lambda _r, w: w.close(), "\0weighbridge-test")
    named = await asyncio.start_unix_server(lambda _r, w: w.close(), tmp_path / "socket")
    (tmp_path / "socket").chmod(0o777)
    async with server, abstract, named:
        port = server.sockets[0].getsockname()[1]
        assert await python(sandbox, code, str(port), str(tmp_path / "socket")) == "['lo']"


async def test_no_privilege_and_none_to_be_had(sandbox: Sandbox) -> None:
    status = await output(sandbox, "cat", "/proc/self/status")
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    assert [int(lines[kind], 16) for kind in ("CapInh", "CapPrm", "CapEff")] == [0, 0, 0]
    assert lines.get("NoNewPrivs", "1").strip() == "1"  # gVisor does not say
    assert lines["Seccomp"].strip() == "2"
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(os.getuid() == 0, set(os.getgroups()) <= {os.getgid()}, 0 in os.getgroups())
print(libc.mount(b"x", b"/tmp", b"tmpfs", 0, None), libc.setuid(0), libc.chroot(b"/tmp"))
for kind in (0x10000000, 0x20000, 0x40000000, 0x20000000, 0x10000000 | 0x20000):  # user, mount, network, process
    print(libc.unshare(kind), ctypes.get_errno(), end=" ")
"""
    assert await python(sandbox, code) == "False True False\n-1 -1 -1\n" + " ".join(["-1 1"] * 5)


async def test_nobody_looks_into_an_unreadable_neighbour(sandbox: Sandbox) -> None:
    """Tests that run beside a solution hold a secret word: in a process whose program cannot be read."""
    code = """
import ctypes, os, subprocess, time
libc = ctypes.CDLL(None, use_errno=True)
subprocess.run("cp /bin/sleep neighbour; chmod 111 neighbour", shell=True)
try:
    neighbour = subprocess.Popen(["./neighbour", "1000"])
except PermissionError:  # gVisor
    os.chmod("neighbour", 0o555)
    neighbour = subprocess.Popen(["./neighbour", "1000"])
time.sleep(0.2)
pid = neighbour.pid
try:
    open(f"/proc/{pid}/mem", "rb")
    print("memory")
except OSError:
    pass
for name in ("maps", "environ"):
    try:
        print(name) if open(f"/proc/{pid}/{name}").read(1) and os.path.exists("/proc/1/mem") else None
    except OSError:
        pass
print(libc.ptrace(16, pid, None, None), libc.process_vm_readv(pid, None, 0, None, 0, 0))  # 16: PTRACE_ATTACH
neighbour.kill()
"""
    said = await python(sandbox, code)
    if sandbox.name == "gvisor":  # shows it in /proc, as docs/sandbox.md says; tracing is refused there, too
        assert said.endswith("-1 -1")
    else:
        assert said == "-1 -1"


async def test_a_setuid_program_gives_nothing(sandbox: Sandbox) -> None:
    code = """
import os, subprocess
found = [path for path in ("/usr/bin/passwd", "/usr/bin/su", "/bin/mount") if os.path.exists(path)]
shell = "cp /usr/bin/id /tmp/id; chmod 6755 /tmp/id; /tmp/id -u"
print(subprocess.run(["sh", "-c", shell], capture_output=True, text=True).stdout.strip() == str(os.getuid()))
"""
    assert await python(sandbox, code) == "True"


async def test_links_and_pipes_are_no_way_out(sandbox: Sandbox, tmp_path: Path) -> None:
    """What compiling leaves may be a link to a file of the host's, a pipe, or a path that leads up."""
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    script = f"ln -s {secret} link; ln -s ../../etc/shadow up; mkfifo pipe; mkdir d; ln -s /proc/1/environ d/environ"
    program = making_files(b"\0" * 10240, ("sh", "-c", script), ("link", "up", "pipe", "d"))
    async with sandbox.start(program, SMALL) as run, asyncio.timeout(100):
        packed = b""
        while chunk := await run.read():
            packed += chunk
        assert await run.exit_status() == 0
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert {entry.name: entry.type for entry in tar} == {
            "link": tarfile.SYMTYPE,
            "up": tarfile.SYMTYPE,
            "pipe": tarfile.FIFOTYPE,
            "d": tarfile.DIRTYPE,
            "d/environ": tarfile.SYMTYPE,
        }
    reading = with_files(packed, ("sh", "-c", "cat link up 2>/dev/null; cat d/environ | tr '\\0' ' '; ls"))
    async with sandbox.start(reading, SMALL) as run, asyncio.timeout(100):
        said = b""
        while chunk := await run.read():
            said += chunk
    assert b"hunter2" not in said
    assert said.endswith(b"d\nlink\npipe\nup\n")
