"""Fortran under gfortran, in free form."""

from evaluator.languages.language import Recipe
from evaluator.languages.toolchain import missing_program


class Fortran:
    name = "fortran"
    tags = frozenset({"fortran", "fortran90", "fortran95", "fortran2003", "fortran2008", "f90", "f95", "f03", "f08"})

    def missing(self) -> str | None:
        return missing_program("gfortran", "gfortran")

    def recipe(self, source: str) -> Recipe:
        return Recipe(
            {"main.f90": source.encode(errors="replace")},
            ("./main",),
            compile=("gfortran", "-w", "-o", "main", "main.f90"),
            keep=("main",),
        )
