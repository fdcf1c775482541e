"""What mirrored requests may cost a day: a file for each policy and day, which all workers of a machine count in.

It outlives restarts, so that a gateway which is restarted every hour has one budget and not 24.
"""

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

_LONGEST = 40  # digits; more would be damage


class DayBudget:
    """Amounts are nano-dollars; a day is UTC's. Raises OSError where the files cannot be written."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._now = now

    def take(self, policy: str, amount: int, most: int) -> str | None:
        """Reserves ``amount`` if the day's sum stays within ``most``; the day, or None."""
        day = time.strftime("%Y-%m-%d", time.gmtime(self._now()))
        return day if self._add(policy, day, amount, most) else None

    def settle(self, policy: str, day: str, difference: int) -> None:
        """It cost so much more, or less, than was reserved on that day."""
        self._add(policy, day, difference, None)

    def spent(self, policy: str) -> int:
        """Today, with what is reserved."""
        day = time.strftime("%Y-%m-%d", time.gmtime(self._now()))
        try:
            return _number((self._folder / _name(policy, day)).read_bytes())
        except FileNotFoundError:
            return 0

    def _add(self, policy: str, day: str, amount: int, most: int | None) -> bool:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / _name(policy, day)
        if not path.exists():
            self._forget_other_days(policy, path)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)  # held for microseconds
            total = _number(os.pread(file, _LONGEST, 0)) + amount
            if most is not None and total > most:
                return False
            os.pwrite(file, f"{max(0, total):>{_LONGEST}}".encode(), 0)
            return True
        finally:
            os.close(file)

    def _forget_other_days(self, policy: str, today: Path) -> None:
        for path in self._folder.glob(f"{_escaped(policy)}@*"):
            if path.name < today.name:
                with suppress(FileNotFoundError):  # another worker was quicker
                    path.unlink()


def _name(policy: str, day: str) -> str:
    return f"{_escaped(policy)}@{day}"


def _escaped(policy: str) -> str:
    """Without a character that means something in a path, in a pattern, or here."""
    return quote(policy, safe="")


def _number(data: bytes) -> int:
    """A file that was damaged counts as spent: nobody knows what was."""
    text = data.strip()
    if not text:
        return 0
    return int(text) if text.isdigit() else 10 ** (_LONGEST - 1)
