"""What became of one part of a sample's check."""

from dataclasses import dataclass

from evaluator.verdict import Status


@dataclass(frozen=True, slots=True)
class Outcome:
    status: Status
    detail: str = ""
    """One line for a person."""
    final: bool = True
    """False for a timeout that may not be the code's fault: it is run again, alone."""


def one_line(payload: bytes) -> str:
    """What a program said, short enough for a detail."""
    return " ".join(payload.decode(errors="replace").split())[:300]
