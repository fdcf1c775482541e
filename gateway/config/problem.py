"""What is wrong with a config file, for a person: where, what, and what to write instead."""

from dataclasses import dataclass

Location = tuple[str | int, ...]
"""Keys and list indexes from the top of the file to a value."""

Report = tuple[Location, str, str]
"""Where, what is wrong, and the fix; a file turns it into a problem with a line."""


@dataclass(frozen=True, slots=True)
class Problem:
    file: str
    line: int | None
    """None when the file could not be read at all."""
    location: Location
    message: str
    fix: str

    @property
    def key(self) -> str:
        return ".".join(str(step) for step in self.location)

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.key + ': ' if self.location else ''}{self.message}; {self.fix}"


class ConfigError(Exception):
    """The file cannot be used. ``problems`` are all that were found, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
