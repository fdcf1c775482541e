"""What a suite is: tasks, each with a prompt, a right solution, wrong ones, and a check."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

Row = dict[str, object]
"""One task as its file holds it."""

PartName = Literal["base", "plus", "tests"]


class SuiteError(Exception):
    """A suite file that cannot be used. The message holds the file, the line, what is wrong and how to mend it."""

    def __init__(self, problem: str, fix: str = "", *, path: Path | str | None = None, line: int | None = None) -> None:
        self.problem, self.fix, self.path, self.line = problem, fix, path, line
        where = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(where + problem + (f"; {fix}" if fix else ""))

    def at(self, path: Path | str, line: int | None) -> "SuiteError":
        """The same error, said of this place."""
        return SuiteError(self.problem, self.fix, path=path, line=line)


@dataclass(frozen=True, slots=True)
class Part:
    """Calls that are judged together in one fresh process: EvalPlus's base or plus inputs, or a task's only tests."""

    name: PartName
    inputs: tuple[tuple[object, ...], ...]
    """Positional arguments, one tuple a call."""
    expected: tuple[object, ...] | None = None
    """One value a call; None: whatever the canonical solution returns."""


@dataclass(frozen=True, slots=True)
class FunctionCheck:
    """Call the entry point with each input and compare what it returns. Other kinds of check join it in ``Check``."""

    parts: tuple[Part, ...]
    oracle: Literal["evalplus", "evalplus-before-sets", "exact"]
    """How results are compared: see ``evaluator.judging.compare``."""
    atol: float = 0.0
    """Absolute tolerance for floats (EvalPlus)."""


Check = FunctionCheck
"""Every kind of check; stdin/stdout and test files become further members."""


@dataclass(frozen=True, slots=True)
class Task:
    task_id: str
    language: str
    prompt: str
    """What the model is asked to complete; a replay sends it verbatim."""
    entry_point: str
    canonical_solution: str
    """A whole program that passes."""
    check: Check
    wrong_solutions: tuple[str, ...] = ()
    """Whole programs that must not pass."""


@dataclass(frozen=True, slots=True)
class Suite:
    name: str
    format: str
    hash: str
    """SHA-256 (hex) of the tasks as the file holds them, apart from compression and blank lines."""
    tasks: tuple[Task, ...]
    _by_id: dict[str, Task] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {task.task_id: task for task in self.tasks})

    def task(self, task_id: str) -> Task | None:
        return self._by_id.get(task_id)


class Format(Protocol):
    """One file format. An implementation is a module of this package with these names (see ``load.FORMATS``)."""

    NAME: str

    def claims(self, row: Row) -> bool:
        """Whether a file whose first row this is holds this format."""
        ...

    def suite_name(self, row: Row, stem: str) -> str:
        """What the suite is called, from its first row and the file's name without endings."""
        ...

    def task(self, row: Row) -> Task:
        """Raises SuiteError, without a place: the loader adds it."""
        ...

    def as_released(self, suite: Suite) -> Suite:
        """The suite, whose hash is known now, with the rules of its release."""
        ...
