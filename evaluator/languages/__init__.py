"""Programming languages: one file says how to assemble, compile and run a solution."""

from collections.abc import Mapping

from evaluator.languages.bash import Bash
from evaluator.languages.c import C
from evaluator.languages.cobol import Cobol
from evaluator.languages.cpp import Cpp
from evaluator.languages.csharp import CSharp
from evaluator.languages.fortran import Fortran
from evaluator.languages.go import Go
from evaluator.languages.java import Java
from evaluator.languages.javascript import JavaScript
from evaluator.languages.language import CallsFunctions, Language, Recipe
from evaluator.languages.lua import Lua
from evaluator.languages.perl import Perl
from evaluator.languages.php import Php
from evaluator.languages.preparation import Preparation
from evaluator.languages.python import Python
from evaluator.languages.ruby import Ruby
from evaluator.languages.rust import Rust
from evaluator.languages.typescript import TypeScript

_ALL: tuple[Language, ...] = (
    Python(),
    JavaScript(),
    Bash(),
    C(),
    Cobol(),
    Cpp(),
    CSharp(),
    Fortran(),
    Go(),
    Java(),
    Lua(),
    Perl(),
    Php(),
    Ruby(),
    Rust(),
    TypeScript(),
)

LANGUAGES: Mapping[str, Language] = {language.name: language for language in _ALL}

__all__ = ["LANGUAGES", "CallsFunctions", "JavaScript", "Language", "Preparation", "Python", "Recipe"]
