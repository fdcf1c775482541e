"""One point of `weighbridge doctor`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    found: str
    fix: str = ""
    """What to run or set where it is not ok."""
    needed: bool = True
    """Whether Weighbridge does not do without."""
