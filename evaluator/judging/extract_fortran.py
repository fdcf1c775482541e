"""Finds a Fortran program in a model's answer: by fences, and by the lines that begin and end program units."""

import re
from collections.abc import Sequence

from evaluator.languages.fortran import Fortran
from evaluator.suites import Task

_MAIN = re.compile(r"^\s*program\s+\w+", re.IGNORECASE | re.MULTILINE)
_UNIT = re.compile(
    r"^\s*(?:program|module|submodule|(?:pure\s+|elemental\s+|recursive\s+)*(?:subroutine|[\w() =*]*\bfunction))\s+\w+",
    re.IGNORECASE | re.MULTILINE,
)
_BEGINS = re.compile(
    r"\s*(?:!|use\s+\w|implicit\s+none\b|(?:integer|real|character|logical|complex|double\s+precision|type)\b.*::)",
    re.IGNORECASE,
)
_END = re.compile(r"^\s*end\s*(?:program|module|subroutine|function)?(?:\s+\w+)?\s*(?:!.*)?$", re.IGNORECASE)


def program(blocks: Sequence[tuple[str, str]], answer: str, task: Task) -> str | None:
    """A whole program, or None where there is no code. ``blocks``: the fenced blocks' tags and contents, in order."""
    if not blocks:
        return _from_text(answer)
    groups = (
        [code for tag, code in blocks if tag in Fortran.tags],
        [code for tag, code in blocks if not tag],
        [code for tag, code in blocks if tag and tag not in Fortran.tags],
    )
    for group in groups:
        for number, code in enumerate(group):
            if _MAIN.search(code):
                return "".join([*filter(_is_library, group[:number]), code, *filter(_is_library, group[number + 1 :])])
    return next(group[0] for group in groups if group)


def _is_library(code: str) -> bool:
    """Whether a block holds modules or procedures only, which the main program may need."""
    first = next((line for line in code.split("\n") if line.strip() and not line.lstrip().startswith("!")), "")
    return bool(_UNIT.match(first)) and not _MAIN.search(code)


def _from_text(answer: str) -> str | None:
    """From the first line that is Fortran to the last that ends a program unit, where one does."""
    lines = answer.split("\n")
    last = next((i for i in range(len(lines), 0, -1) if _END.match(lines[i - 1])), len(lines))
    start = next((i for i, line in enumerate(lines[:last]) if _UNIT.match(line) or _BEGINS.match(line)), None)
    return None if start is None else "\n".join(lines[start:last]) + "\n"
