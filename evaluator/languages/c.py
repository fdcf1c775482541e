"""C under gcc."""

from evaluator.languages import linked
from evaluator.languages.gnu import link
from evaluator.languages.language import Recipe
from evaluator.languages.toolchain import missing_program

_FLAGS = "-std=gnu17 -O1 -w"


class C:
    name = "c"
    tags = frozenset({"c", "h", "c99", "c11", "gnu"})

    def missing(self) -> str | None:
        return missing_program("gcc", "gcc libc6-dev")

    def recipe(self, source: str) -> Recipe:
        if parts := linked.parts(source):
            files = {"solution.c": parts.solution, "tests.c": parts.tests}
            return linked.recipe(files, parts.word, link("gcc", _FLAGS, "c"))
        return Recipe(
            {"main.c": source.encode(errors="replace")},
            ("./main",),
            compile=("gcc", *_FLAGS.split(), "-o", "main", "main.c", "-lm"),
            keep=("main",),
        )
