"""Runs inside bubblewrap as root of nothing but its namespaces: forks a fresh sandbox from a warm interpreter.

Standard library only; nothing that is judged runs in this process, and nothing of a sample passes through it. The
host speaks on a socket, descriptor ``sys.argv[1]``. First {"source", "filter"}: what is loaded once, and the call
filter in hexadecimal. Then for each run {"files", "tmp", "uid"} with the descriptors [stdin, stdout, stderr, status,
*cgroup.procs]; it calls the source's ``main()``. On its ``status`` socket a run says "up" as its own first process, so
that the host learns from the kernel which one that is, and at its end the exit status.
"""

from __future__ import annotations

import array
import ctypes
import json
import os
import resource
import signal
import socket
import sys

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = (
    0x20000,
    0x4000000,
    0x8000000,
    0x20000000,
    0x40000000,
)
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 2, 4, 8, 0x4000, 0x40000
PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 4, 22, 24, 38
SECCOMP_MODE_FILTER = 2
LAST_CAPABILITY = 63
SHM_BYTES = 16 << 20
MAX_DESCRIPTORS = 16

libc = ctypes.CDLL(None, use_errno=True)


class Filter(ctypes.Structure):
    """``struct sock_fprog`` of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def must(result: int, what: str) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what} failed")


def mount(kind: str, where: str, flags: int, options: str = "") -> None:
    must(libc.mount(kind.encode(), where.encode(), kind.encode(), flags, options.encode() or None), f"mount {where}")


def serve(control: socket.socket, warm: dict[str, object], program: bytes) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever minds a run is nobody's to wait for
    size = socket.CMSG_SPACE(MAX_DESCRIPTORS * 4)
    while True:
        message, ancillary, _, _ = control.recvmsg(4096, size)
        if not message:
            return
        descriptors = array.array("i")
        for _, _, data in ancillary:
            descriptors.frombytes(data)
        if os.fork() == 0:
            try:
                control.close()
                mind(json.loads(message), list(descriptors), warm, program)
            finally:
                os._exit(1)
        for descriptor in descriptors:
            os.close(descriptor)


def mind(job: dict[str, int], descriptors: list[int], warm: dict[str, object], program: bytes) -> None:
    """Starts the run in new namespaces, waits for its end, says how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    must(libc.unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET), "unshare")
    pid = os.fork()
    if pid == 0:
        try:
            isolate(job, descriptors, program)
            warm["main"]()  # type: ignore[operator]
            os._exit(0)
        finally:
            os._exit(1)
    for descriptor in (*descriptors[:3], *descriptors[4:]):
        os.close(descriptor)
    os.read(descriptors[3], 1)  # the host knows the process: from now on its id may become another's
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    os.write(descriptors[3], str(code if code >= 0 else 128 - code).encode())
    os._exit(0)


def isolate(job: dict[str, int], descriptors: list[int], program: bytes) -> None:
    """From root in the zygote's namespaces to a user of its own who can do nothing but compute."""
    stdin, stdout, stderr, status, *groups = descriptors
    for group in groups:
        os.write(group, b"0")
    must(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "mount /")
    mount("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, f"mode=1777,size={job['tmp']}")  # noqa: S108
    mount("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, f"mode=1777,size={SHM_BYTES}")  # noqa: S108
    mount("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    os.chdir("/tmp")  # noqa: S108
    os.setsid()
    socket.socket(fileno=os.dup(status)).send(b"up")
    for number, descriptor in enumerate((stdin, stdout, stderr)):
        os.dup2(descriptor, number)
    os.closerange(3, 4096)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (job["files"], job["files"]))
    for capability in range(LAST_CAPABILITY + 1):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # numbers that this kernel does not know fail
    os.setgroups([])
    os.setresgid(job["uid"], job["uid"], job["uid"])
    os.setresuid(job["uid"], job["uid"], job["uid"])
    must(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # as after an exec: its own /proc/self is its own
    if program:
        fprog = Filter(len(program) // 8, program)
        must(libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(fprog), 0, 0), "seccomp")


def main() -> None:
    control = socket.socket(fileno=int(sys.argv.pop()))
    first = json.loads(control.recv(1 << 20))
    warm: dict[str, object] = {"__name__": "warm"}
    exec(compile(first["source"], "warm.py", "exec"), warm)  # noqa: S102
    control.send(b"ready")
    serve(control, warm, bytes.fromhex(first["filter"]))


if __name__ == "__main__":
    main()
