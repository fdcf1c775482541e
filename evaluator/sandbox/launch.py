"""Starts sandboxd: makes its socket, takes from the process what untrusted code's neighbour must not have, minds it.

Run by root, the child gets a user of its own (with a control group that it may divide), a network namespace without a
network, and an environment of four names; it dies with us. Without root it gets all but the user.
"""

import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator.sandbox import cgroup
from evaluator.sandbox.sandbox import SandboxError

OWN_UID = 1_899_999_999
"""Sandboxd's user, where it is root who starts it: nobody's, next to those of the samples."""

_ROOM = Path(__file__).resolve().parents[2]
_PYTHONS = (sys.executable, "/usr/bin/python3")
_IS_NEW = "import sys; sys.exit(sys.version_info < (3, 11))"
_JOIN = 'while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift; exec "$@"'


@dataclass(frozen=True, slots=True)
class Service:
    """What to serve where. ``sandbox``: as ``sandboxd.made`` takes it. ``user``: a name or number; None keeps ours."""

    path: Path
    sandbox: Mapping[str, object]
    parallel: int
    waiting: int
    seconds: float
    user: str | None = None
    group: str | None = None
    """Whose members may ask, beside the socket's owner; None: nobody."""


class Launched:
    """A sandboxd that runs; to be closed."""

    def __init__(self, service: Service) -> None:
        """Raises ``SandboxError``, ``OSError``."""
        self._path = service.path
        self._groups: cgroup.Groups | None = None
        drop, uid = _drop(service.user)
        python = _python(uid)
        with _listen(service) as listening:
            join = self._own_group(uid) if uid else []
            serve = [python, "-P", "-B", "-m", "evaluator.sandbox.sandboxd", f"--fd={listening.fileno()}"]
            serve += [f"--sandbox={json.dumps(dict(service.sandbox))}", f"--parallel={service.parallel}"]
            serve += [f"--waiting={service.waiting}", f"--seconds={service.seconds}"]
            mind = ["setpriv", "--pdeathsig", "KILL", *drop, "--"]
            command = [*_without_network(), "sh", "-c", _JOIN, "sh", *join, "--", *mind, *serve]
            self._child = subprocess.Popen(command, env=_environment(), cwd="/", pass_fds=(listening.fileno(),))

    def wait(self) -> int:
        """Its exit status; SIGTERM and SIGINT end it in order."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._child.terminate())
        return self._child.wait()

    def close(self) -> None:
        self._child.terminate()
        self._child.wait()
        self._path.unlink(missing_ok=True)
        if self._groups:
            self._groups.close()

    def _own_group(self, uid: int) -> Sequence[str]:
        """Makes a control group that the user may divide. The files by which it is joined; none where it cannot be."""
        self._groups = cgroup.find()
        return self._groups.make().give(uid) if self._groups else []


def _listen(service: Service) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX)
    try:
        if service.path.is_socket():
            with socket.socket(socket.AF_UNIX) as other:
                if other.connect_ex(str(service.path)) == 0:
                    raise SandboxError(f"another sandboxd serves at {service.path}")
            service.path.unlink()
        service.path.parent.mkdir(parents=True, exist_ok=True)
        previous = os.umask(0o177)
        try:
            listening.bind(str(service.path))
        finally:
            os.umask(previous)
        if service.group:
            shutil.chown(service.path, group=service.group)
            service.path.chmod(0o660)
        listening.listen(service.parallel + service.waiting)
    except BaseException:
        listening.close()
        raise
    return listening


def _drop(user: str | None) -> tuple[Sequence[str], int]:
    """How to become that user, and its number; 0: nothing changes."""
    if user is None or os.geteuid() != 0:
        return [], 0
    caps = ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
    if user.isdecimal():
        return [f"--reuid={user}", f"--regid={user}", "--clear-groups", *caps], int(user)
    try:
        known = pwd.getpwnam(user)
    except KeyError as error:
        raise SandboxError(f"there is no user {user}") from error
    return [f"--reuid={known.pw_uid}", f"--regid={known.pw_gid}", "--init-groups", *caps], known.pw_uid


def _python(uid: int) -> str:
    """A Python that the user can run, with our code in its reach."""
    if uid == 0:
        return sys.executable
    if not _reachable(_ROOM):
        raise SandboxError(f"user {uid} cannot read {_ROOM}; install Weighbridge elsewhere, or say --user root")
    for python in map(Path, _PYTHONS):
        reachable = python.exists() and _reachable(python.resolve()) and _reachable(python.absolute())
        if reachable and subprocess.run([python, "-c", _IS_NEW], check=False).returncode == 0:
            return str(python)
    raise SandboxError(f"user {uid} can run no Python 3.11 or newer: install one (python3) for all, or say --user root")


def _reachable(path: Path) -> bool:
    """Whether everybody may pass all folders above, and read it."""
    folders = all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)
    return folders and bool(path.stat().st_mode & stat.S_IROTH)


def _without_network() -> Sequence[str]:
    """A prefix for the command; empty where this machine does not let us make the namespace."""
    prefix = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-current-user", "--net"]
    works = subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode == 0
    return [*prefix, "--"] if works else []


def _environment() -> dict[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(_ROOM),
        "HOME": "/",
    }
