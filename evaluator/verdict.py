"""What the judge says of one sample."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Every sample ends in exactly one of these. Only the first five are scored."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    TIMEOUT = "timeout"
    COMPILE_ERROR = "compile_error"
    NO_CODE = "no_code"
    NO_ANSWER = "no_answer"
    UNSCORABLE = "unscorable"

    @property
    def scored(self) -> bool:
        return self not in (Status.NO_ANSWER, Status.UNSCORABLE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judge's word on one sample. ``base`` and ``plus`` are None for suites without that split.

    ``plus`` is the status of the plus tests alone; ``status`` passes only when all tests do.
    """

    task_id: str
    sample: int
    status: Status
    base: Status | None = None
    plus: Status | None = None
    detail: str = ""
    """One line for a person: the failing input, the error's name. Never an expected value's full dump."""
