"""COBOLEval and Fortran-HumanEval as published, with solutions of our own as a chat model would send them."""

import asyncio
import re
import shutil
from pathlib import Path

import pytest

from evaluator.judging.judge import Judge
from evaluator.sandbox import Bubblewrap
from evaluator.suites import Suite, load_suite
from evaluator.verdict import Status, Verdict
from tests.fixtures.shared_data import SHARED_DATA, needs_shared_data

pytestmark = [
    needs_shared_data,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"),
    pytest.mark.skipif(shutil.which("cobc") is None, reason="needs cobc (apt-get install gnucobol4)"),
    pytest.mark.skipif(shutil.which("gfortran") is None, reason="needs gfortran (apt-get install gfortran)"),
]

CLOSE_ELEMENTS = """
       01 I PIC 99.
       01 J PIC 99.
       PROCEDURE DIVISION.
           MOVE 0 TO RESULT
           PERFORM VARYING I FROM 1 BY 1 UNTIL I > 5
             PERFORM VARYING J FROM 1 BY 1 UNTIL J > 5
               IF I NOT = J AND FUNCTION ABS(L-NUMBERS(I) - L-NUMBERS(J)) < L-THRESHOLD
                 MOVE 1 TO RESULT
               END-IF
             END-PERFORM
           END-PERFORM
           GOBACK.
       END PROGRAM HAS-CLOSE-ELEMENTS.
"""
TRUNCATE = """
       PROCEDURE DIVISION.
           COMPUTE RESULT = L-NUMBER - FUNCTION INTEGER-PART(L-NUMBER)
           GOBACK.
       END PROGRAM TRUNCATE-NUMBER.
"""
CLOSE_ELEMENTS_FORTRAN = """program has_close_elements
  implicit none
  integer :: n, i
  real :: threshold
  real, allocatable :: x(:)
  logical :: close
  read (*, *) n
  allocate (x(n))
  read (*, *) x, threshold
  close = .false.
  do i = 2, n
    close = close .or. any(abs(x(:i - 1) - x(i)) < threshold)
  end do
  print *, close
end program has_close_elements
"""
GROUPS_FORTRAN = """program separate_paren_groups
  implicit none
  character(len=1000) :: line
  integer :: i, depth
  read (*, '(A)') line
  depth = 0
  do i = 1, len_trim(line)
    if (line(i:i) == ' ') cycle
    write (*, '(A)', advance='no') line(i:i)
    depth = depth + merge(1, -1, line(i:i) == '(')
    if (depth == 0) write (*, '(A)', advance='no') ' '
  end do
end program separate_paren_groups
"""


async def judged(suite: Suite, answers: list[tuple[str, str]], cache: Path) -> list[Verdict]:
    async with Judge(suite, Bubblewrap(), parallel=2, cache=cache) as judge:
        tasks = {task.task_id: task for task in suite.tasks}
        asked = (judge.verdict(tasks[task_id], n, answer) for n, (task_id, answer) in enumerate(answers))
        return list(await asyncio.gather(*asked))


@pytest.mark.timeout(600)
async def test_cobol(tmp_path: Path) -> None:
    suite = load_suite(str(SHARED_DATA / "suites/cobol/CobolEval.jsonl.gz"))
    whole = suite.tasks[0].prompt + CLOSE_ELEMENTS
    answers = {
        CLOSE_ELEMENTS: Status.PASS,
        f"Here:\n```cobol\n{whole}```": Status.PASS,
        f"```cobol\n{CLOSE_ELEMENTS.replace('MOVE 1 TO', 'MOVE 0 TO')}```": Status.FAIL,
        f"```cobol\n{CLOSE_ELEMENTS.replace('GOBACK', 'STOP RUN')}```": Status.FAIL,
        f"```cobol\n{CLOSE_ELEMENTS.replace('PERFORM VARYING J', 'PERFORM VARY J')}```": Status.COMPILE_ERROR,
        "I only know Python.": Status.NO_CODE,
    }
    asked = [("HumanEval/0", answer) for answer in answers]
    verdicts = await judged(suite, [*asked, ("HumanEval/2", f"```\n{TRUNCATE}```")], tmp_path)
    assert [verdict.status for verdict in verdicts] == [*answers.values(), Status.PASS], verdicts


@pytest.mark.timeout(600)
async def test_fortran(tmp_path: Path) -> None:
    suite = load_suite(str(SHARED_DATA / "suites/fortran/benchmark.json"))
    answers = [
        ("Fortran-HumanEval/0", f"```fortran\n{CLOSE_ELEMENTS_FORTRAN}```", Status.PASS),
        ("Fortran-HumanEval/0", CLOSE_ELEMENTS_FORTRAN.replace("< threshold", "> threshold"), Status.FAIL),
        ("Fortran-HumanEval/0", CLOSE_ELEMENTS_FORTRAN.replace("allocate (x(n))", "allocate x(n)"), "compile_error"),
        ("Fortran-HumanEval/1", f"Sure:\n\n```\n{GROUPS_FORTRAN}```", Status.PASS),
        ("Fortran-HumanEval/1", f"```f90\n{GROUPS_FORTRAN.replace('merge(1, -1,', 'merge(-1, 1,')}```", Status.PASS),
        ("Fortran-HumanEval/1", f"```f90\n{GROUPS_FORTRAN.replace('depth == 0', 'depth == 1')}```", Status.FAIL),
    ]
    verdicts = await judged(suite, [(task_id, answer) for task_id, answer, _ in answers], tmp_path)
    assert [verdict.status for verdict in verdicts] == [status for _, _, status in answers], verdicts


@pytest.mark.full
async def test_the_callers_of_all_cobol_tasks_compile_but_for_three(tmp_path: Path) -> None:
    """HumanEval/68, 74 and 160 move values beyond the end of their own tables."""
    suite = load_suite(str(SHARED_DATA / "suites/cobol/CobolEval.jsonl.gz"))
    nothing = "\n       PROCEDURE DIVISION.\n           GOBACK.\n"
    verdicts = await judged(suite, [(task.task_id, nothing) for task in suite.tasks], tmp_path)
    broken = {verdict.task_id for verdict in verdicts if verdict.status is not Status.FAIL}
    assert broken == {"HumanEval/68", "HumanEval/74", "HumanEval/160"}
    assert all(re.search("wrote .=== weighbridge: results", v.detail) for v in verdicts if v.task_id not in broken)
