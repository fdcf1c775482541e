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
    """Call the entry point with each input and compare what it returns."""

    parts: tuple[Part, ...]
    oracle: Literal["evalplus", "evalplus-before-sets", "exact"]
    """How results are compared: see ``evaluator.judging.compare``."""
    atol: float = 0.0
    """Absolute tolerance for floats (EvalPlus)."""


@dataclass(frozen=True, slots=True)
class Case:
    """One run of a program."""

    stdin: str
    expected: str
    """What it must write to standard output. It never enters the sandbox."""


OutputOracle = Literal["lines", "numbers", "coboleval", "fortran-humaneval"]
"""``lines``: equal but for white space at the ends of lines and of the text. ``numbers``: equal word by word, and words
that are numbers as numbers, to 1e-6 (relative or absolute). The others are suites' own: see ``evaluator.judging``."""


@dataclass(frozen=True, slots=True)
class StdioCheck:
    """Run ``before + solution`` once a case and compare what it writes; it must also end with exit status 0."""

    cases: tuple[Case, ...]
    oracle: OutputOracle = "lines"
    before: str = ""


NONCE = "WEIGHBRIDGE_NONCE"
"""Stands in a test program for a secret word that the judge makes."""


@dataclass(frozen=True, slots=True)
class TestsCheck:
    """Run the suite's own test program, which is ``before + solution + after``.

    It counts the tests that pass. After the last one it writes a line with the word that ``NONCE`` was replaced with, a
    space and the count; then it ends with exit status 0. Nothing else passes.
    """

    __test__ = False  # not pytest's

    before: str
    after: str
    tests: int
    """How many there are."""


@dataclass(frozen=True, slots=True)
class WordsCheck:
    """Run a team's own test program, which is ``before + solution + rest[0] + word + rest[1] + word + ...``.

    Each word is another secret of the judge's, printed where a test has passed. The program passes when it has written
    every word and ended with exit status 0: leaving early, forged lines or a bent ``print`` name no word.
    """

    before: str
    rest: tuple[str, ...]
    """One piece more than there are words; at least two."""


Check = FunctionCheck | StdioCheck | TestsCheck | WordsCheck


@dataclass(frozen=True, slots=True)
class Task:
    task_id: str
    language: str
    prompt: str
    """What the model is asked to complete; a replay sends it verbatim."""
    entry_point: str
    """The function that the prompt asks for; empty where it asks for a whole program."""
    canonical_solution: str
    """A whole program that passes; empty where the suite has none, which a ``FunctionCheck`` allows only where its
    parts say what is expected."""
    check: Check
    wrong_solutions: tuple[str, ...] = ()
    """Whole programs that must not pass."""
    closing: str = ""
    """What makes a whole program of an answer that was cut off at the suite's stop tokens, its prompt included."""

    @property
    def function_check(self) -> FunctionCheck:
        """Of a task that is known to have one."""
        assert isinstance(self.check, FunctionCheck)
        return self.check


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
