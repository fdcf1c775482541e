"""What a child process arranges for itself. Linux."""

import ctypes
import os
import resource
import signal

_PR_SET_PDEATHSIG = 1


def open_as_many_files_as_allowed() -> None:
    """A request has two connections, and shells start with a limit of 1,024 files: the administrator's is higher."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def die_with_parent(parent: int, signum: int = signal.SIGTERM) -> None:
    """Called in the child: the kernel sends it ``signum`` when the process ``parent`` is gone."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signum) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it died before we asked
        os.kill(os.getpid(), signum)
