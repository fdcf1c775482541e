"""Bash."""

from evaluator.languages import apart
from evaluator.languages.language import Recipe
from evaluator.languages.toolchain import missing_program


class Bash:
    name = "bash"
    tags = frozenset({"bash", "sh", "shell", "zsh"})

    def missing(self) -> str | None:
        return missing_program("bash", "bash")

    def recipe(self, source: str) -> Recipe:
        return apart.recipe(source, ".sh", run=("bash",), look=("bash", "-n"), tests=("bash",))
