"""Test files of a team's own, in every language: what is right passes; what is wrong or leaves early does not."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from evaluator.judging.judge import Judge
from evaluator.languages import LANGUAGES
from evaluator.sandbox import Bubblewrap
from evaluator.suites import load_suite
from evaluator.verdict import Status

COBOL_TESTS = """       IDENTIFICATION DIVISION.
       PROGRAM-ID. MAIN-PROGRAM.
       PROCEDURE DIVISION.
           CALL "TESTS"
           STOP RUN.
       END PROGRAM MAIN-PROGRAM.
{{solution}}
       IDENTIFICATION DIVISION.
       PROGRAM-ID. TESTS.
       DATA DIVISION.
       WORKING-STORAGE SECTION.
       01 N-A PIC S9(4) VALUE 1.
       01 N-B PIC S9(4) VALUE 2.
       01 N-C PIC S9(4).
       PROCEDURE DIVISION.
           CALL "ADD-UP" USING N-A N-B N-C
           IF N-C = 3 DISPLAY "{{passed}}" END-IF
           GOBACK.
       END PROGRAM TESTS.
"""
COBOL = """       IDENTIFICATION DIVISION.
       PROGRAM-ID. ADD-UP.
       DATA DIVISION.
       LINKAGE SECTION.
       01 N-A PIC S9(4).
       01 N-B PIC S9(4).
       01 N-C PIC S9(4).
       PROCEDURE DIVISION USING N-A N-B N-C.
           ADD N-A TO N-B GIVING N-C
           GOBACK.
       END PROGRAM ADD-UP.
"""
FORTRAN_TESTS = """{{solution}}
program tests
  integer, external :: add
  if (add(1, 2) == 3) print '(A)', '{{passed}}'
end program tests
"""
FORTRAN = "integer function add(a, b)\n  integer :: a, b\n  add = a + b\nend function add\n"
C_TESTS = """#include <stdio.h>
#include <stdlib.h>
{{solution}}
int main(void) { if (add(1, 2) == 3) puts("{{passed}}"); }
"""
CSHARP_TESTS = 'class Tests { static void Main() { if (Sums.Add(1, 2) == 3) System.Console.WriteLine("{{passed}}"); } }'
JAVA_TESTS = (
    'class Tests { public static void main(String[] _a) { if (Sums.add(1, 2) == 3) System.out.print("{{passed}}"); } }'
)
GO_TESTS = 'func main() { if Add(1, 2) == 3 { fmt.Println("{{passed}}") } }'

PROGRAMS: dict[str, tuple[str, str, tuple[str, str], tuple[str, str]]] = {
    "bash": (
        '{{solution}}\n[ "$(add 1 2)" = 3 ] && echo "{{passed}}"',
        "add() { echo $(($1 + $2)); }\n",
        ("$1 + $2", "$1 - $2"),
        ("add()", "exit 0\nadd()"),
    ),
    "c": (
        C_TESTS,
        "int add(int a, int b) { return a + b; }\n",
        ("a + b", "a - b"),
        ("return", "exit(0); return"),
    ),
    "cobol": (COBOL_TESTS, COBOL, ("ADD N-A TO", "SUBTRACT N-A FROM"), ("GOBACK", "STOP RUN")),
    "cpp": (
        C_TESTS,
        "int add(int a, int b) { return a + b; }\n",
        ("a + b", "a - b"),
        ("return", "exit(0); return"),
    ),
    "csharp": (
        f"{{{{solution}}}}\n{CSHARP_TESTS}",
        "class Sums { public static int Add(int a, int b) { return a + b; } }\n",
        ("a + b", "a - b"),
        ("return", "System.Environment.Exit(0); return"),
    ),
    "fortran": (FORTRAN_TESTS, FORTRAN, ("a + b", "a - b"), ("  add = a + b", "  add = 3\n  stop")),
    "go": (
        f'package main\nimport ("fmt"; "os")\nvar _ = os.Exit\n{{{{solution}}}}\n{GO_TESTS}',
        "func Add(a, b int) int { return a + b }\n",
        ("a + b", "a - b"),
        ("return", "os.Exit(0); return"),
    ),
    "java": (
        f"{{{{solution}}}}\n{JAVA_TESTS}",
        "class Sums { static int add(int a, int b) { return a + b; } }\n",
        ("a + b", "a - b"),
        ("return", "System.exit(0); return"),
    ),
    "javascript": (
        '{{solution}}\nif (add(1, 2) === 3) console.log("{{passed}}");',
        "function add(a, b) { return a + b; }\n",
        ("a + b", "`${a + b}`"),
        ("return", "process.exit(0); return"),
    ),
    "lua": (
        '{{solution}}\nif add(1, 2) == 3 then print("{{passed}}") end',
        "function add(a, b) return a + b end\n",
        ("a + b", "a - b"),
        ("return", "if a then os.exit(0) end return"),
    ),
    "perl": (
        '{{solution}}\nprint "{{passed}}\\n" if add(1, 2) == 3;',
        "sub add { my ($a, $b) = @_; return $a + $b; }\n",
        ("$a + $b", "$a - $b"),
        ("return", "exit 0; return"),
    ),
    "php": (
        '{{solution}}\nif (add(1, 2) === 3) echo "{{passed}}\\n";',
        "<?php\nfunction add($a, $b) { return $a + $b; }\n",
        ("$a + $b", '"3"'),
        ("return", "exit(0); return"),
    ),
    "python": (
        '{{solution}}\nif add(1, 2) == 3:\n    print("{{passed}}")',
        "def add(a, b):\n    return a + b\n",
        ("a + b", "a - b"),
        ("return", "raise SystemExit(0)\n    return"),
    ),
    "ruby": (
        '{{solution}}\nputs "{{passed}}" if add(1, 2) == 3',
        "def add(a, b)\n  a + b\nend\n",
        ("a + b", "a - b"),
        ("a + b", "exit 0"),
    ),
    "rust": (
        '{{solution}}\nfn main() { if add(1, 2) == 3 { println!("{{passed}}"); } }',
        "fn add(a: i32, b: i32) -> i32 { a + b }\n",
        ("a + b", "a - b"),
        ("a + b", "std::process::exit(a + b - 3)"),
    ),
    "typescript": (
        '{{solution}}\nif (add(1, 2) === 3) console.log("{{passed}}");',
        "function add(a: number, b: number): number { return a + b; }\n",
        ("a + b", "a - b"),
        ("return", "process.exit(0); return"),
    ),
}
"""The tests of a function that adds, a right solution, and what to change for a wrong one and one that leaves early."""


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", sorted(LANGUAGES))
async def test_a_test_file(language: str, tmp_path: Path) -> None:
    if missing := LANGUAGES[language].missing():
        pytest.skip(f"{missing} (or all: deploy/setup/toolchains.sh)")
    tests, right, wrong, early = PROGRAMS[language]
    row = {"task_id": "add", "language": language, "prompt": "", "canonical_solution": right, "test_file": tests}
    (tmp_path / "own.jsonl").write_text(json.dumps(row))
    suite = load_suite(str(tmp_path / "own.jsonl"))
    codes = (right, right.replace(*wrong), right.replace(*early))
    async with Judge(suite, Bubblewrap(), parallel=2, cache=tmp_path) as judge:
        verdicts = await asyncio.gather(*(judge.verdict_on_code(suite.tasks[0], 0, code) for code in codes))
    assert [verdict.status for verdict in verdicts] == [Status.PASS, Status.FAIL, Status.FAIL], verdicts
