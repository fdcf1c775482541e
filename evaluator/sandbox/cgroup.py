"""Memory and process limits by control group, version 1 or 2, found out by really making one.

Groups are made per slot and used again. A watchdog removes them: a shell that waits for the judge to end, be it by
SIGKILL.
"""

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path("/sys/fs/cgroup")

_WATCHDOG = """
trap '' HUP INT TERM
while read -r _; do :; done
for prefix in "$@"; do
  for group in "$prefix"*; do
    tries=0
    while [ -d "$group" ] && ! rmdir "$group"/*/ "$group" 2>/dev/null && [ $tries -lt 100 ]; do
      for procs in "$group"/*/cgroup.procs "$group/cgroup.procs"; do
        [ ! -e "$procs" ] || while read -r pid; do kill -9 "$pid"; done <"$procs"
      done
      tries=$((tries + 1))
      sleep 0.05
    done
  done
done
"""


@dataclass(frozen=True, slots=True)
class Group:
    """One slot's group: a directory (version 2) or one per controller (version 1)."""

    version: Literal[1, 2]
    directories: tuple[Path, ...]

    @property
    def procs(self) -> tuple[str, ...]:
        """Files; a process that writes 0 to each is in the group."""
        return tuple(str(directory / "cgroup.procs") for directory in self.directories)

    def give(self, uid: int) -> tuple[str, ...]:
        """Lets a user make groups of its own in this one, which has no limits; files as ``procs``, for its process.

        Version 2 has no processes where there are groups below, so the process gets one beside those to come.
        """
        inner = [directory / "inner" for directory in self.directories] if self.version == 2 else []
        for directory in inner:
            directory.mkdir()
        for directory in (*self.directories, *inner):
            for path in (directory, *directory.glob("cgroup.*"), *directory.glob("tasks")):
                os.chown(path, uid, -1)
        return tuple(str(directory / "cgroup.procs") for directory in inner or self.directories)

    def take(self, process: int) -> None:
        """Moves a running process and all that it has started here. Raises OSError."""
        self._take(process)
        for pid in _descendants(process):
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                self._take(pid)

    def _take(self, pid: int) -> None:
        for procs in self.procs:
            Path(procs).write_text(str(pid))

    def limit(self, memory_bytes: int, processes: int) -> None:
        memory, pids = self.directories[0], self.directories[-1]
        (pids / "pids.max").write_text(str(processes))
        if self.version == 2:
            (memory / "memory.max").write_text(str(memory_bytes))
            _write_if_there(memory / "memory.swap.max", "0")
            return
        swap = memory / "memory.memsw.limit_in_bytes"
        _write_if_there(swap, "-1")  # it must never be below the memory limit
        (memory / "memory.limit_in_bytes").write_text(str(memory_bytes))
        _write_if_there(swap, str(memory_bytes))

    def kills(self) -> int:
        """How often the memory limit has killed a process of this group."""
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        lines = (self.directories[0] / name).read_text().split("\n")
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


class Groups:
    """The groups of one judge."""

    def __init__(self, version: Literal[1, 2], parents: tuple[Path, ...]) -> None:
        self.version: Literal[1, 2] = version
        self.prefixes = tuple(parent / f"weighbridge-{os.getpid()}-{id(self):x}-" for parent in parents)
        self._made = 0
        self._free: list[Group] = []
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHDOG, "sh", *map(str, self.prefixes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={"PATH": "/usr/bin:/bin"},
        )

    def take(self, memory_bytes: int, processes: int) -> Group:
        """A used group that takes the limits, or a new one: what ran in it may be in its memory for a while.

        Raises OSError.
        """
        for group in tuple(self._free):
            with contextlib.suppress(OSError):
                group.limit(memory_bytes, processes)
                self._free.remove(group)
                return group
        group = self.make()
        group.limit(memory_bytes, processes)
        return group

    def give_back(self, group: Group) -> None:
        """Nothing runs in it any more."""
        self._free.append(group)

    def make(self) -> Group:
        """A new group, without limits. Raises OSError."""
        self._made += 1
        directories = tuple(Path(f"{prefix}{self._made}") for prefix in self.prefixes)
        for directory in directories:
            directory.mkdir()
        return Group(self.version, directories)

    def close(self) -> None:
        """Removes every group, killing what is left in them."""
        self._watchdog.communicate()


def find() -> Groups | None:
    """Groups that were proved to hold a process under both limits; None where this machine lets us make none."""
    for version, parents in _candidates():
        groups = Groups(version, parents)
        try:
            group = groups.make()
            group.limit(64 << 20, 8)
            enter = 'for procs in "$@"; do echo 0 >"$procs" || exit 1; done'
            subprocess.run(["/bin/sh", "-c", enter, "sh", *group.procs], check=True, capture_output=True, timeout=10)
        except (OSError, subprocess.SubprocessError):
            groups.close()
        else:
            return groups
    return None


def _candidates() -> list[tuple[Literal[1, 2], tuple[Path, ...]]]:
    """Where groups might be made, best first: below our own group, then below its ancestors."""
    own = _own_groups()
    found: list[tuple[Literal[1, 2], tuple[Path, ...]]] = []
    memory, pids = (_version_1(controller, own) for controller in ("memory", "pids"))
    if memory and pids:
        found.append((1, (memory, pids)))
    if (ROOT / "cgroup.controllers").exists():
        here = ROOT / own.get("", "/").lstrip("/")
        for parent in (here, *here.parents):
            if not parent.is_relative_to(ROOT):
                break
            with contextlib.suppress(OSError):
                (parent / "cgroup.subtree_control").write_text("+memory +pids")
            found.append((2, (parent,)))
    return found


def _own_groups() -> dict[str, str]:
    """Our own group by controller; the empty name is version 2's."""
    own = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        own.update(dict.fromkeys(controllers.split(","), path))
    return own


def _version_1(controller: str, own: dict[str, str]) -> Path | None:
    mount = ROOT / controller
    if controller not in own or not mount.is_dir():
        return None
    inner = mount / own[controller].lstrip("/")
    return inner if inner.is_dir() else mount  # in a container the path is the host's


def _descendants(process: int) -> list[int]:
    """Without those of a thread or process that ends meanwhile."""
    found = [int(pid) for thread in _threads(process) for pid in _read_if_there(thread / "children").split()]
    return found + [pid for child in found for pid in _descendants(child)]


def _threads(process: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{process}/task").iterdir())
    except OSError:
        return []


def _read_if_there(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _write_if_there(path: Path, text: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.write_text(text)
