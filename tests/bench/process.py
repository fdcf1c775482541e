"""Processes under measurement: started on a free port, waited for, their CPU and memory read from /proc."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from gateway.processes.process import die_with_parent

Clock = Mapping[tuple[int, str], int]
"""Nanoseconds on a CPU by process and thread."""

START_WITHIN_S = 120


class NotReady(Exception):
    """A system did not start; the message ends with what it said."""


CPUS = os.sched_getaffinity(0)
MEASURED_CPU = {max(CPUS)}
OTHER_CPUS = CPUS - MEASURED_CPU or CPUS
"""What is measured has a CPU to itself, where there are two."""


def ends_with_us() -> Callable[[], None]:
    """For a child to call: however the run ends, nothing that it started goes on."""
    return partial(die_with_parent, os.getpid())


def _begins_anywhere(parent: int) -> None:
    os.sched_setaffinity(0, CPUS)
    die_with_parent(parent)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], folder: Path, env: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """The process, its output in ``folder/log``; it is ended, and its group with it, at the end of the block."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            env=env,
            start_new_session=True,
            preexec_fn=partial(_begins_anywhere, os.getpid()),
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_ready(process: "subprocess.Popen[bytes]", port: int, path: str, folder: Path) -> None:
    """Until GET ``path`` is answered with 200. Raises ``NotReady``."""
    deadline = time.monotonic() + START_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:
        if _status(port, path) == 200:
            return
        time.sleep(0.01)
    raise NotReady(f"{process.args!r}: {(folder / 'log').read_text(errors='replace')[-2000:]}")


def _status(port: int, path: str) -> int | None:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n".encode())
            return int(connection.recv(4096).split(b" ", 2)[1])
    except (OSError, IndexError, ValueError):
        return None


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found


def command_line(pid: int) -> str:
    """Empty where the process has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def clock(pids: Iterable[int]) -> Clock:
    """From schedstat, which counts nanoseconds: the ticks of /proc/PID/stat are 10 ms."""
    times = {}
    for pid in pids:
        for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                times[pid, file.parent.name] = int(file.read_text().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                continue  # the thread ended meanwhile
    return times


def cpu_us(before: Clock, after: Clock) -> float:
    """Microseconds on a CPU between two readings; threads that began in between count whole."""
    return sum(now - before.get(thread, 0) for thread, now in after.items()) / 1000


def pin(pids: Iterable[int], cpus: set[int]) -> None:
    """All threads that they have, and what those start."""
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError):  # it ended meanwhile
                os.sched_setaffinity(int(thread.name), cpus)


def rss_mb(pids: Iterable[int]) -> float:
    """Resident memory in MB (10^6 bytes); pages that processes share count for each."""
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
    return sum(int(status.split("VmRSS:")[1].split()[0]) * 1024 for status in statuses) / 1e6
