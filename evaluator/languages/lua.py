"""Lua 5.4."""

from evaluator.languages import apart
from evaluator.languages.language import Recipe
from evaluator.languages.toolchain import missing_program


class Lua:
    name = "lua"
    tags = frozenset({"lua", "lua5.4"})

    def missing(self) -> str | None:
        return missing_program("lua5.4", "lua5.4")

    def recipe(self, source: str) -> Recipe:
        return apart.recipe(source, ".lua", run=("lua5.4",), look=("luac5.4", "-p"), tests=("lua5.4",))
