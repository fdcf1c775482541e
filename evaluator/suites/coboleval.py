"""COBOLEval (https://github.com/bloopai/COBOLEval): HumanEval's tasks in COBOL, with a calling program for each test.

A caller moves arguments into LINKED-ITEMS, calls the solution and writes RESULT to a file. All callers of a task are
compiled with the solution into one program; a run names one caller on standard input, and the file it leaves is shown
after what the solution itself may have displayed. What is right stays with the host (``judging.compare_coboleval``).
The ``canonical_solution`` in the file is HumanEval's Python: there is none in COBOL.
"""

import ast
import json
import re

from evaluator.suites import rows
from evaluator.suites.suite import Case, Row, StdioCheck, Suite, SuiteError, Task

NAME = "coboleval"

RESULTS = "=== weighbridge: results"
"""The line ahead of the file's lines; ``END`` follows them."""
END = "=== weighbridge: end"

_TYPES = ("Bool", "Int", "Float", "String")
_PROGRAM_ID = re.compile(r"PROGRAM-ID\. \S+\.")
_RESULT_FILE = re.compile(r'ASSIGN TO "([A-Z0-9.-]+)"')

_DRIVER = """\
       IDENTIFICATION DIVISION.
       PROGRAM-ID. WEIGHBRIDGE-DRIVER.
       DATA DIVISION.
       WORKING-STORAGE SECTION.
       01 CALLER PIC X(30).
       PROCEDURE DIVISION.
           ACCEPT CALLER
           CALL CALLER
           CALL "SYSTEM" USING
               "echo; echo '{results}'; cat {file}; echo '{end}'"
           STOP RUN.
       END PROGRAM WEIGHBRIDGE-DRIVER.
"""


def claims(row: Row) -> bool:
    tests = row.get("tests")
    return (
        isinstance(tests, list) and bool(tests) and isinstance(tests[0], dict) and tests[0].keys() == {"test", "result"}
    )


def suite_name(row: Row, stem: str) -> str:
    return "coboleval"


def task(row: Row) -> Task:
    callers, cases = [], []
    file = ""
    for number, test in enumerate(rows.required(row, "tests", list), 1):
        if not isinstance(test, dict):
            raise SuiteError(f"test {number} is no object", 'give {"test": a calling program, "result": ...}')
        name = f"WEIGHBRIDGE-TEST-{number}"
        caller = rows.required(test, "test", str)
        file = _found(_RESULT_FILE, caller, number, "result file").group(1)
        _found(_PROGRAM_ID, caller, number, "PROGRAM-ID")
        caller = _PROGRAM_ID.sub(f"PROGRAM-ID. {name}.", caller, count=1)
        callers.append(f"{caller.rstrip()}\n       END PROGRAM {name}.\n")
        cases.append(Case(f"{name}\n", _expected(rows.required(test, "result", dict), number)))
    driver = _DRIVER.format(results=RESULTS, file=file, end=END)
    return Task(
        task_id=rows.required(row, "task_id", str),
        language="cobol",
        prompt=rows.required(row, "prompt", str),
        entry_point=rows.required(row, "entry_point", str),
        canonical_solution="",
        check=StdioCheck(tuple(cases), "coboleval", before=driver + "".join(callers)),
    )


def as_released(suite: Suite) -> Suite:
    return suite


def _found(pattern: re.Pattern[str], caller: str, number: int, what: str) -> re.Match[str]:
    found = pattern.search(caller)
    if found is None:
        raise SuiteError(f"test {number} has no {what}", "give COBOLEval's own calling programs")
    return found


def _expected(result: Row, number: int) -> str:
    """JSON: the element's type, whether it is a list, and the value."""
    kind = rows.required(result, "type_", object)
    element = kind.get("List") if isinstance(kind, dict) else kind
    try:
        value = ast.literal_eval(rows.required(result, "value", str).strip())
    except (ValueError, SyntaxError) as error:
        raise SuiteError(f"the result of test {number} is no value: {error}", "write a Python literal") from error
    if element not in _TYPES or isinstance(kind, dict) is not isinstance(value, list | tuple):
        raise SuiteError(
            f"the result of test {number} is no {kind}", f"known types: {', '.join(_TYPES)}, lists of them"
        )
    return json.dumps([element, value])
