"""C++ under g++, and the header of all headers compiled ahead for who includes it: 0.2 s in the place of 0.9."""

import re

from evaluator.languages import linked
from evaluator.languages.gnu import link
from evaluator.languages.language import Recipe
from evaluator.languages.preparation import preparation
from evaluator.languages.toolchain import missing_program

_FLAGS = "-std=c++17 -O1 -w -fno-gnu-unique"
_ALL = "bits/stdc++.h"
_INCLUDES_ALL = re.compile(r"^\s*#\s*include\s*<bits/stdc\+\+\.h>", re.MULTILINE)
_PREPARE = f"""
mkdir bits
echo '#include_next <{_ALL}>' >{_ALL}
g++ {_FLAGS} -x c++-header -o {_ALL}.gch {_ALL}
"""


class Cpp:
    name = "cpp"
    tags = frozenset({"cpp", "c++", "cc", "cxx", "hpp"})

    def missing(self) -> str | None:
        return missing_program("g++", "g++")

    def recipe(self, source: str) -> Recipe:
        prepared, flags = None, _FLAGS
        if _INCLUDES_ALL.search(source):
            prepared = preparation("cpp", "g++", _PREPARE, ("bits",), needed=False)
            flags += f" -I{prepared.folder} -include {_ALL}"
        if parts := linked.parts(source):
            script = link("g++", flags, "cpp", " -lcrypto" if "openssl/" in parts.tests else "")
            files = {"solution.cpp": parts.solution, "tests.cpp": parts.tests}
            return linked.recipe(files, parts.word, script, prepared)
        return Recipe(
            {"main.cpp": source.encode(errors="replace")},
            ("./main",),
            compile=("g++", *flags.split(), "-o", "main", "main.cpp"),
            keep=("main",),
            preparation=prepared,
        )
