"""What a language must say: how a program is compiled and run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from evaluator.languages.preparation import Preparation
from evaluator.sandbox import Program


@dataclass(frozen=True, slots=True)
class Recipe:
    """One program. It is compiled and run in a working directory that holds ``files`` and nothing else."""

    files: Mapping[str, bytes]
    run: tuple[str, ...]
    compile: tuple[str, ...] | None = None
    """Exit status 0: it compiles. For an interpreted language a look at the syntax, where that is cheap."""
    keep: tuple[str, ...] = ()
    """Names or patterns of what compiling made and running needs; without any, running needs ``files``."""
    preparation: Preparation | None = None
    """What compiling finds ready."""


class Language(Protocol):
    """One per file, named in ``LANGUAGES``."""

    name: str
    tags: frozenset[str]
    """What a fence around such code is called, in lower case; its name among them."""

    def missing(self) -> str | None:
        """What to install before anything can run here; None where all is there."""
        ...

    def recipe(self, source: str) -> Recipe:
        """How a whole program is compiled and run."""
        ...


@runtime_checkable
class CallsFunctions(Language, Protocol):
    """A language whose functions are called with values. Its programs write ``evaluator.judging.records``."""

    start_seconds: float
    """What compiling a solution and executing its own top level (imports, tables) may take, a part."""

    def pack(self, inputs: Sequence[tuple[object, ...]], slow: Sequence[bool]) -> bytes:
        """One part's calls. ``slow[i]``: what came before call i is to be sent before it, not in a batch."""
        ...

    def calls(self, source: str, entry_point: str, parts: Sequence[bytes], *, timed: bool = False) -> Program:
        """A program that runs ``source`` afresh for each packed part, and calls ``entry_point`` with each input."""
        ...
