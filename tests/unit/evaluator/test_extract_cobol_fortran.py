"""COBOL and Fortran programs in chat answers."""

import pytest

from evaluator.judging.extract import extract
from evaluator.suites import StdioCheck, Task

LINKED = """       IDENTIFICATION DIVISION.
       PROGRAM-ID. DOUBLE-IT.
       DATA DIVISION.
       LINKAGE SECTION.
       01 LINKED-ITEMS.
           05 L-N PIC S9(10).
           05 RESULT PIC S9(10).

      * Complete the WORKING-STORAGE SECTION and the PROCEDURE DIVISION
       WORKING-STORAGE SECTION.


"""
BODY = """       01 FACTOR PIC 9 VALUE 2.
       PROCEDURE DIVISION.
           MULTIPLY L-N BY FACTOR GIVING RESULT
           GOBACK.
       END PROGRAM DOUBLE-IT.
"""
CALLED = Task("t/1", "cobol", LINKED, "double_it", "", StdioCheck((), "coboleval"))
OWN = Task("t/2", "cobol", "      * Write a whole program.\n", "", "", StdioCheck(()))
HELLO = """       IDENTIFICATION DIVISION.
       PROGRAM-ID. HELLO.
       PROCEDURE DIVISION.
           DISPLAY "HELLO".
           STOP RUN.
"""
FORTRAN = Task("t/3", "fortran", "! Write a whole program.\n", "", "", StdioCheck(()))
PROGRAM = "program hello\n  implicit none\n  print '(A)', 'hello'\nend program hello\n"
MODULE = "module greetings\ncontains\n  subroutine greet()\n  end subroutine greet\nend module greetings\n"


def words(code: str | None) -> list[str]:
    assert code is not None
    return code.split()


@pytest.mark.parametrize(
    "answer",
    [
        BODY,
        f"```cobol\n{BODY}```",
        f"Here:\n```COBOL\n       WORKING-STORAGE SECTION.\n{BODY}```\nIt doubles.",
        f"```\n{LINKED}{BODY}```",
        f"```cobol\n{LINKED}{BODY}",
        f"```cobol\n{(LINKED + BODY).replace('PROCEDURE DIVISION.', 'PROCEDURE DIVISION USING LINKED-ITEMS.')}```",
        LINKED + BODY,
        "Sure, here it is.\n\n" + LINKED + BODY + "\nThis doubles the number",
    ],
)
def test_a_called_cobol_program_gets_its_sections_in_order(answer: str) -> None:
    storage, linkage, procedure = LINKED.rindex("WORKING"), LINKED.index("LINKAGE"), BODY.index("PROCEDURE")
    expected = LINKED[:linkage] + LINKED[storage:] + BODY[:procedure] + LINKED[linkage:storage]
    expected += BODY[procedure:].replace("DIVISION.", "DIVISION USING LINKED-ITEMS.")
    assert words(extract(answer, CALLED)) == expected.split()


def test_a_called_cobol_program_in_free_form_is_moved_to_where_the_caller_has_it() -> None:
    free = "\n".join(line.removeprefix("       ") for line in (LINKED + BODY).split("\n") if "*" not in line)
    code = extract(f"```cobol\n{free}```", CALLED)
    assert code is not None
    assert all(line.startswith("       ") for line in code.split("\n") if line.strip())


@pytest.mark.parametrize(
    "answer", [HELLO, f"```cobol\n{HELLO}```", f"Text.\n```\n{HELLO}```\n", f"Text.\n{HELLO}\nbye"]
)
def test_a_whole_cobol_program(answer: str) -> None:
    assert words(extract(answer, OWN)) == HELLO.split()


def test_an_example_of_how_to_run_it_is_not_the_program() -> None:
    answer = f"```bash\ncobc -x hello.cbl\n```\n```cobol\n{HELLO}```\n```cobol\n       01 X PIC 9.\n```"
    assert extract(answer, OWN) == HELLO


@pytest.mark.parametrize(
    "answer",
    [
        PROGRAM,
        f"```fortran\n{PROGRAM}```",
        f"```f90\n{PROGRAM}",
        f"```bash\ngfortran hello.f90\n```\n```\n{PROGRAM}```\n```\nhello\n```",
        f"Here you are.\n\n{PROGRAM}\nIt greets.",
    ],
)
def test_a_whole_fortran_program(answer: str) -> None:
    code = extract(answer, FORTRAN)
    assert code is not None
    assert code.rstrip("\n") == PROGRAM.rstrip("\n")


def test_modules_of_a_fortran_program_in_other_blocks() -> None:
    answer = f"```fortran\n{MODULE}```\nthen\n```fortran\n{PROGRAM}```\nUsage:\n```fortran\ncall greet()\n```"
    assert extract(answer, FORTRAN) == MODULE + PROGRAM


@pytest.mark.parametrize("task", [CALLED, OWN, FORTRAN])
def test_no_code(task: Task) -> None:
    assert extract("I am sorry, I cannot help with that.", task) is None
    assert extract("", task) is None
