"""C# under mono."""

from evaluator.languages import secret_word
from evaluator.languages.language import Recipe
from evaluator.languages.toolchain import missing_program

TESTS_CLASS = "WeighbridgeTests"
"""Holds the ``Main`` of a suite's test program."""

_MCS = ("mcs", "-warn:2", "-warnaserror:436", "-d:DEBUG", "-r:System.Numerics.dll", "-out:main.exe")
"""Warning 436: a type of the program's own takes the name of one of .NET's."""


class CSharp:
    name = "csharp"
    tags = frozenset({"csharp", "c#", "cs"})

    def missing(self) -> str | None:
        return missing_program("mcs", "mono-mcs")

    def recipe(self, source: str) -> Recipe:
        program, word = secret_word.split(source)
        main_class = (f"-main:{TESTS_CLASS}",) if word else ()
        return Recipe(
            {"main.cs": program.encode(errors="replace"), **word},
            ("mono", "main.exe"),
            compile=(*_MCS, *main_class, "main.cs"),
            keep=("main.exe", *word),
        )
