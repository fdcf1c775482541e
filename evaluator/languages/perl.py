"""Perl 5."""

from evaluator.languages import apart
from evaluator.languages.language import Recipe
from evaluator.languages.toolchain import missing_program


class Perl:
    name = "perl"
    tags = frozenset({"perl", "pl", "perl5"})

    def missing(self) -> str | None:
        return missing_program("perl", "perl")

    def recipe(self, source: str) -> Recipe:
        return apart.recipe(source, ".pl", run=("perl",), look=("perl", "-c"), tests=("perl",))
