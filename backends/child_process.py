"""A child process that never outlives us, however we end, and that takes everything it started with it.

Servers such as vLLM start processes of their own, which survive a SIGKILL of the server and do not belong to us. So a
small minder process stands between: it holds the read end of a pipe whose write end is ours alone, and when that
closes (we stopped the child, or we are gone) it terminates the child, waits ``grace_s``, and kills its process group.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class ChildProcess:
    """Starts ``argv`` at once; output goes to the file ``log``, or where our own goes."""

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, log: Path | None = None, grace_s: float = 10
    ) -> None:
        self.log = log
        minder = [sys.executable, "-I", __file__, str(grace_s), *argv]
        with nullcontext() if log is None else log.open("wb") as output:
            self._minder = subprocess.Popen(
                minder,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=env,
                start_new_session=True,  # Ctrl-C is for us: we end the children in order
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def poll(self) -> int | None:
        """The exit status (128 + n after signal n), or None while it runs."""
        return self._minder.poll()

    def stop(self) -> int:
        """Ends it and waits until nothing of it is left; returns the exit status. May be called twice."""
        assert self._minder.stdin is not None
        self._minder.stdin.close()
        return self._minder.wait()

    def last_lines(self, count: int) -> list[str]:
        """The end of the log; empty where there is none."""
        if self.log is None:
            return []
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]


def mind(grace_s: float, argv: Sequence[str]) -> int:
    """The minder: runs ``argv`` until it ends or our standard input does; returns its exit status."""
    over = threading.Event()
    for number in _STOP_SIGNALS:
        signal.signal(number, lambda *_: over.set())
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, process_group=0)
    for ending in (lambda: os.read(0, 1), child.wait):
        threading.Thread(target=_set_after, args=(ending, over), daemon=True).start()
    over.wait()
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(grace_s)
    _end_group(child.pid)
    status = child.wait()
    return status if status >= 0 else 128 - status


def _end_group(group: int) -> None:
    """Until the kernel knows nothing of it any more; orphans are reaped by init, which may take a moment."""
    deadline = time.monotonic() + 5
    with suppress(ProcessLookupError):
        while time.monotonic() < deadline:
            os.killpg(group, signal.SIGKILL)
            time.sleep(0.01)


def _set_after(ending: Callable[[], object], over: threading.Event) -> None:
    ending()
    over.set()


if __name__ == "__main__":
    # The thread that reads standard input may still be waiting: leave without waiting for it.
    os._exit(mind(float(sys.argv[1]), sys.argv[2:]))
