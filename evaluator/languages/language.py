"""What a language must say: how a solution is assembled and run."""

from collections.abc import Sequence
from typing import Protocol

from evaluator.sandbox import Program


class Language(Protocol):
    """One per file, named in ``LANGUAGES``. Its programs write the records of ``evaluator.judging.records``."""

    name: str

    def missing(self) -> str | None:
        """What to install before anything can run here; None where all is there."""
        ...

    def pack(self, inputs: Sequence[tuple[object, ...]], slow: Sequence[bool]) -> bytes:
        """One part's calls. ``slow[i]``: what came before call i is to be sent before it, not in a batch."""
        ...

    def calls(self, source: str, entry_point: str, parts: Sequence[bytes], *, timed: bool = False) -> Program:
        """A program that runs ``source`` afresh for each packed part, and calls ``entry_point`` with each input."""
        ...
