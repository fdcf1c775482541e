"""COBOL under GnuCOBOL. Source is in fixed form (code from column 8, lines of any length) or in free form."""

import re

from evaluator.languages.language import Recipe
from evaluator.languages.toolchain import missing_program

_FIRST_WORD = re.compile(r"^(?P<indent>[ \t]*)(?:IDENTIFICATION|ID)\s+DIVISION\b", re.IGNORECASE | re.MULTILINE)
_DIRECTIVE = re.compile(r"^\s*(?:>>\s*SOURCE|\$SET\s+SOURCEFORMAT)", re.IGNORECASE | re.MULTILINE)
# Programs become functions in C, where `main` and `printf` are taken; in capitals no name is.
_NAMED_AS_IN_C = re.compile(r"\b(?i:PROGRAM-ID)\s*\.\s*[\"']?[a-z0-9_]+[\"']?(?=[\s.])")


class Cobol:
    name = "cobol"
    tags = frozenset({"cobol", "cob", "cbl", "gnucobol", "opencobol"})

    def missing(self) -> str | None:
        return missing_program("cobc", "gnucobol4")

    def recipe(self, source: str) -> Recipe:
        form = ("-free",) if is_free_form(source) else ("-fixed", "-ftext-column=255")
        capitals = ("-ffold-call=upper",) if _NAMED_AS_IN_C.search(source) else ()
        return Recipe(
            {"main.cbl": source.encode(errors="replace")},
            ("./main",),
            compile=("cobc", "-x", "-w", *form, *capitals, "-o", "main", "main.cbl"),
            keep=("main",),
        )


def is_free_form(source: str) -> bool:
    """Whether the first division begins left of column 8, where fixed form has no code. A directive has its own say."""
    first = _FIRST_WORD.search(source)
    return first is not None and not _DIRECTIVE.search(source) and len(first["indent"].expandtabs()) < 7
