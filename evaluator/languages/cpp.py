"""C++ under g++."""

from evaluator.languages.language import Recipe
from evaluator.languages.toolchain import missing_program


class Cpp:
    name = "cpp"
    tags = frozenset({"cpp", "c++", "cc", "cxx", "hpp"})

    def missing(self) -> str | None:
        return missing_program("g++", "g++")

    def recipe(self, source: str) -> Recipe:
        return Recipe(
            {"main.cpp": source.encode(errors="replace")},
            ("./main",),
            compile=("g++", "-std=c++17", "-O1", "-w", "-o", "main", "main.cpp"),
            keep=("main",),
        )
