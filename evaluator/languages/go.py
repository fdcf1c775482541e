"""Go, by its compiler and linker: ``go build`` would look for modules first, and files could be embedded."""

import re

from evaluator.languages import linked
from evaluator.languages.language import Recipe
from evaluator.languages.toolchain import missing_program

SOLUTION = "solution"
"""The package that a solution becomes where tests are linked with it."""

FIRST = "a_first"
"""The tests' package that takes the word. By its name and its one import it is initialised ahead of the solution."""

PACKAGES = {
    "bytes": "MinRead", "crypto/md5": "Size", "fmt": "Sprint", "math": "Pi", "math/rand": "Int", "regexp": "Compile",
    "sort": "Ints", "strconv": "Itoa", "strings": "Split", "testing": "Short", "time": "Second",
}  # fmt: skip
"""Those that HumanEval-X imports by itself where a program uses them, each with something that it exports."""

MAY_BE_UNUSED = "//weighbridge: only the tests may use "
"""Begins a line below a solution: paths of what the suite's own prompt imports."""

IMPORTS_USED = "//weighbridge: what is used is imported\n"
"""A line below a solution that has HumanEval-X's rule done."""

_PACKAGE = re.compile(r"^\s*package\s+\w+[^\n]*$", re.MULTILINE)
_COMPILE = "go tool compile -pack"
_LINK = "go tool link -s -w"
_FIRST = f"""package {FIRST}
import "syscall"
var word [64]byte
var size int
func init() {{
    file, err := syscall.Open("{linked.WORD_FILE}", syscall.O_RDONLY, 0)
    if err != nil {{
        syscall.Exit(1)
    }}
    size, _ = syscall.Read(file, word[:])
    syscall.Unlink("{linked.WORD_FILE}")
}}
func Word() string {{ return string(word[:size]) }}
"""
_SCRIPT = f"""
{_COMPILE} -p {SOLUTION} -o {SOLUTION}.a solution.go
printf %s '{_FIRST}' >first.go
{_COMPILE} -p {FIRST} -o {FIRST}.a first.go
show >tests.go
{_COMPILE} -I . -p main -o main.a tests.go
{_LINK} -L . -o main main.a
"""


class Go:
    name = "go"
    tags = frozenset({"go", "golang"})

    def missing(self) -> str | None:
        return missing_program("go", "golang-go")

    def recipe(self, source: str) -> Recipe:
        if parts := linked.parts(source):
            files = {"solution.go": _package(parts.solution), "tests.go": parts.tests}
            return linked.recipe(files, parts.word, _SCRIPT)
        return Recipe(
            {"main.go": source.encode(errors="replace")},
            ("./main",),
            compile=("sh", "-ec", f"{_COMPILE} -p main -o main.a main.go\n{_LINK} -o main main.a"),
            keep=("main",),
        )


def package_names(source: str) -> list[str]:
    """The paths of those ``PACKAGES`` that the source uses."""
    return [path for path in PACKAGES if re.search(rf"(?<![\w.\"]){path.rpartition('/')[2]}\.[A-Z]", source)]


def _package(solution: str) -> str:
    missing = [path for path in package_names(solution) if f'"{path}"' not in solution]
    imports = "".join(f'; import "{path}"' for path in missing) if IMPORTS_USED in solution else ""
    unused = solution.rpartition(MAY_BE_UNUSED)[2].partition("\n")[0].split() if MAY_BE_UNUSED in solution else []
    for path in unused:
        if path in PACKAGES and re.search(rf'^\s*(?:import\s*\(?\s*)?"{path}"', solution, re.MULTILINE):
            solution += f"var _ = {path.rpartition('/')[2]}.{PACKAGES[path]}\n"
    return _PACKAGE.sub(f"package {SOLUTION}{imports}", solution, count=1)
