"""COBOL and Fortran that would rather be scored than right: as whole programs, beside a test file, and called."""

import asyncio
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from evaluator.judging.judge import Judge
from evaluator.sandbox import Bubblewrap, Limits
from evaluator.suites import Task, load_suite
from evaluator.verdict import Status
from tests.fixtures.sandboxes import with_its_time

pytestmark = [
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"),
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("cobc") is None, reason="needs cobc (apt-get install gnucobol4)"),
    pytest.mark.skipif(shutil.which("gfortran") is None, reason="needs gfortran (apt-get install gfortran)"),
]
SMALL = Limits(memory_bytes=512 << 20, processes=32, tmp_bytes=16 << 20)
SECONDS = 1.0
NUMBERS = ((1,), (), (3, 4), (7, 0, 12))

FORTRAN = """program twice
  implicit none
  integer :: n, i, x(100)
  read (*, *) n
  read (*, *) x(1:n)
  do i = 1, n
    print '(I0)', 2 * x(i)
  end do
end program twice
"""
COBOL = """       IDENTIFICATION DIVISION.
       PROGRAM-ID. TWICE.
       ENVIRONMENT DIVISION.
       INPUT-OUTPUT SECTION.
       FILE-CONTROL.
           SELECT INPUT-FILE ASSIGN TO KEYBOARD
               ORGANIZATION IS LINE SEQUENTIAL.
       DATA DIVISION.
       FILE SECTION.
       FD INPUT-FILE.
       01 X PIC 9(4).
       WORKING-STORAGE SECTION.
       01 DOUBLED PIC 9(4).
       PROCEDURE DIVISION.
           OPEN INPUT INPUT-FILE.
       AGAIN.
           READ INPUT-FILE AT END STOP RUN.
           MULTIPLY 2 BY X GIVING DOUBLED.
           DISPLAY DOUBLED.
           GO TO AGAIN.
"""
CALLER = """       IDENTIFICATION DIVISION.
       PROGRAM-ID. DOUBLE-IT-CALL.
       ENVIRONMENT DIVISION.
       INPUT-OUTPUT SECTION.
       FILE-CONTROL.
       SELECT OUTPUT-FILE ASSIGN TO "DOUBLE-IT.TXT"
           ORGANIZATION IS LINE SEQUENTIAL.
       DATA DIVISION.
       FILE SECTION.
       FD OUTPUT-FILE.
       01 OUTPUT-RECORD PIC S9(10) SIGN LEADING.
       WORKING-STORAGE SECTION.
       01 LINKED-ITEMS.
           05 L-N PIC S9(10).
           05 RESULT PIC S9(10).
       PROCEDURE DIVISION.
       MOVE {number} TO L-N
       CALL "DOUBLE-IT" USING LINKED-ITEMS
       OPEN OUTPUT OUTPUT-FILE
       MOVE RESULT TO OUTPUT-RECORD
       WRITE OUTPUT-RECORD
       CLOSE OUTPUT-FILE
       .
"""
CALLED = """       IDENTIFICATION DIVISION.
       PROGRAM-ID. DOUBLE-IT.
       DATA DIVISION.
       LINKAGE SECTION.
       01 LINKED-ITEMS.
           05 L-N PIC S9(10).
           05 RESULT PIC S9(10).
       PROCEDURE DIVISION USING LINKED-ITEMS.
"""


def loaded(row: dict[str, object], folder: Path) -> Task:
    (folder / "suite.jsonl").write_text(json.dumps(row))
    (task,) = load_suite(str(folder / "suite.jsonl")).tasks
    return task


def lines(numbers: Sequence[int], width: int, times: int = 1) -> str:
    return "".join(f"{times * number:0{width}d}\n" for number in numbers)


def whole(language: str, folder: Path) -> Task:
    if language == "fortran":
        cases = [
            {"stdin": f"{len(xs)}\n{' '.join(map(str, xs))}\n", "expected": lines(xs, 1, times=2)} for xs in NUMBERS
        ]
    else:
        cases = [{"stdin": lines(xs, 4), "expected": lines(xs, 4, times=2)} for xs in NUMBERS]
    row = {"task_id": "twice", "language": language, "prompt": "", "canonical_solution": ""}
    return loaded({**row, "cases": cases}, folder)


def called(folder: Path) -> Task:
    tests = [
        {"test": CALLER.format(number=x), "result": {"value": str(2 * x), "type_": "Int"}} for x in (1, 5, -4, 1000)
    ]
    row = {"task_id": "twice", "prompt": CALLED, "entry_point": "double_it", "canonical_solution": "", "tests": tests}
    return loaded(row, folder)


def programs(name: str) -> list[tuple[str, str, str]]:
    """What each must get, what it tries, and the program."""
    text = Path(__file__).with_name(f"hostile_{name}.txt").read_text()
    return re.findall(r"^=== (.+?): (.+)\n((?:(?!=== ).*\n)+)", text, re.MULTILINE)


async def judged(task: Task, right: str, codes: list[str], folder: Path) -> list[tuple[Status, str]]:
    """The programs' verdicts; right ones before and after must pass."""
    suite = load_suite(str(folder / "suite.jsonl"))
    task = with_its_time(task, right)
    async with Judge(
        suite, Bubblewrap(), parallel=2, limits=SMALL, cache=folder / "cache", run_seconds=SECONDS
    ) as judge:
        before = await judge.verdict_on_code(task, 0, right)
        verdicts = await asyncio.gather(*(judge.verdict_on_code(task, 0, code) for code in codes))
        after = await judge.verdict_on_code(task, 0, right)
    assert (before.status, after.status) == (Status.PASS, Status.PASS), (before, after)
    return [(verdict.status, verdict.detail) for verdict in verdicts]


@pytest.mark.parametrize(
    ("name", "right", "least"),
    [
        ("fortran", FORTRAN, 19),
        ("cobol", COBOL, 15),
        ("coboleval", f"{CALLED}           MULTIPLY 2 BY L-N GIVING RESULT\n           GOBACK.\n", 8),
    ],
)
async def test_no_cheat_pays(name: str, right: str, least: int, tmp_path: Path) -> None:
    task = called(tmp_path) if name == "coboleval" else whole(name, tmp_path)
    table = programs(name)
    assert len(table) >= least
    ahead = CALLED if name == "coboleval" else ""
    results = await judged(task, right, [ahead + code for _, _, code in table], tmp_path)
    wrong = {
        tried: result
        for (wanted, tried, _), result in zip(table, results, strict=True)
        if result[0] not in wanted.split(" or ")
    }
    assert wrong == {}
    assert all(detail for status, detail in results if status is not Status.PASS)


TEST_FILE = """{{solution}}
program tests
  implicit none
  integer, external :: twice
  integer :: i
  logical :: all_right
  if (twice(1) == 2) print '(A)', '{{passed}}'
  all_right = .true.
  do i = -3, 3
    all_right = all_right .and. twice(i) == 2 * i
  end do
  if (all_right) print '(A)', '{{passed}}'
end program tests
"""


def function(*lines: str) -> str:
    body = "".join(f"  {line}\n" for line in lines)
    return f"integer function twice(x)\n  integer, intent(in) :: x\n{body}end function twice\n"


async def test_no_cheat_pays_beside_a_test_file(tmp_path: Path) -> None:
    row = {"task_id": "twice", "language": "fortran", "prompt": "", "canonical_solution": "", "test_file": TEST_FILE}
    cheats = {
        function("twice = 2", "stop 0"): Status.FAIL,
        function("print '(A)', 'passed'", "call exit(0)"): Status.FAIL,
        function("twice = 2"): Status.FAIL,
        function("twice = abs(2 * x)"): Status.FAIL,
        function("twice = 2 * x", "if (x == 3) call abort()"): Status.FAIL,
        function("call execute_command_line('kill -9 $PPID')", "twice = 2 * x"): Status.FAIL,
        function("twice = 2 * x") + "program mine\nend program mine\n": Status.COMPILE_ERROR,
        function("do while (x > 0)", "end do", "twice = 2 * x"): Status.TIMEOUT,
    }
    results = await judged(loaded(row, tmp_path), function("twice = 2 * x"), list(cheats), tmp_path)
    assert [status for status, _ in results] == list(cheats.values()), results
