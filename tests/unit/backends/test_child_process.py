"""Children that end with us: real processes, real signals."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backends.child_process import ChildProcess

FAMILY = """
import os, signal, subprocess, sys, time
{before}
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpid(), other.pid, flush=True)
time.sleep(600)
"""
"""Prints its own process id and that of a child which survives it."""

PARENT = """
import sys, time
from pathlib import Path
from backends.child_process import ChildProcess
ChildProcess([sys.executable, "-c", sys.argv[1]], log=Path(sys.argv[2]), grace_s=1)
time.sleep(600)
"""


def family(before: str = "") -> str:
    return FAMILY.format(before=before)


def process_ids(log: Path) -> list[int]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if log.is_file() and log.read_text().endswith("\n"):
            return [int(word) for word in log.read_text().split()]
        time.sleep(0.02)
    raise AssertionError("the child never said who it is")


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not any(map(alive, pids)):
            return True
        time.sleep(0.02)
    return False


def test_stopping_ends_the_child_and_its_own_children(tmp_path: Path) -> None:
    child = ChildProcess([sys.executable, "-c", family()], log=tmp_path / "log")
    pids = process_ids(tmp_path / "log")
    assert child.poll() is None
    assert child.stop() == 128 + signal.SIGTERM
    assert not any(map(alive, pids))


def test_a_child_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    stubborn = family("signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    with ChildProcess([sys.executable, "-c", stubborn], log=tmp_path / "log", grace_s=0.2) as child:
        pids = process_ids(tmp_path / "log")
    assert child.poll() == 128 + signal.SIGKILL
    assert not any(map(alive, pids))


def test_a_crashed_child_takes_its_own_children_with_it(tmp_path: Path) -> None:
    with ChildProcess([sys.executable, "-c", family()], log=tmp_path / "log") as child:
        pids = process_ids(tmp_path / "log")
        os.kill(pids[0], signal.SIGKILL)
        assert gone(pids)
        assert child.stop() == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_when_we_die_the_child_and_its_own_children_die_too(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log"
    with subprocess.Popen([sys.executable, "-c", PARENT, family(), str(log)]) as parent:
        pids = process_ids(log)
        parent.send_signal(number)
    assert gone(pids)


def test_a_signal_to_the_minder_ends_everything(tmp_path: Path) -> None:
    with ChildProcess([sys.executable, "-c", family()], log=tmp_path / "log") as child:
        pids = process_ids(tmp_path / "log")
        minder = int(Path(f"/proc/{pids[0]}/stat").read_text().rsplit(")", 1)[1].split()[1])
        os.kill(minder, signal.SIGTERM)
        assert gone(pids)
        assert child.stop() == 128 + signal.SIGTERM


def test_the_exit_status_is_the_childs(tmp_path: Path) -> None:
    with ChildProcess([sys.executable, "-c", "raise SystemExit(7)"]) as child:
        while child.poll() is None:
            time.sleep(0.02)
        assert child.stop() == child.stop() == 7


def test_the_log_holds_both_streams_and_its_end_can_be_read(tmp_path: Path) -> None:
    code = "import os; [os.write(2 - i % 2, f'{i}\\n'.encode()) for i in range(9)]"
    child = ChildProcess([sys.executable, "-c", code], log=tmp_path / "log")
    while child.poll() is None:
        time.sleep(0.02)
    child.stop()
    assert child.last_lines(2) == ["7", "8"]
    assert len((tmp_path / "log").read_text().split()) == 9


def test_the_childs_environment_is_what_is_given(tmp_path: Path) -> None:
    code = "import os; print(sorted(os.environ.get(name, '-') for name in ('GIVEN', 'HOME')))"
    child = ChildProcess([sys.executable, "-c", code], env={"GIVEN": "yes"}, log=tmp_path / "log")
    while child.poll() is None:
        time.sleep(0.02)
    child.stop()
    assert child.last_lines(1) == ["['-', 'yes']"]
