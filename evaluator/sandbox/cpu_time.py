"""CPU time of processes, from /proc."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_UTIME = 11
"""Place of the user time among the fields after the command's name; the system time is next (proc(5), field 14)."""


def of_descendants(pid: int) -> float:
    """Seconds on a CPU of all that live below process ``pid``; what has ended does not count."""
    total = 0.0
    for child in _children(pid):
        total += _own(child) + of_descendants(child)
    return total


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _own(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[_UTIME]) + int(fields[_UTIME + 1])) / _TICKS
