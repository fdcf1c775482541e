"""COBOLEval's and Fortran-HumanEval's own rules of what is right."""

import json

import pytest

from evaluator.judging.compare_output import matches
from evaluator.suites.coboleval import END, RESULTS


def cobol(kind: str, value: object, *lines: str, said: str = "") -> bool:
    shown = "".join(f"{line}\n" for line in lines)
    return matches(f"{said}\n{RESULTS}\n{shown}{END}\n", json.dumps([kind, value]), "coboleval")


@pytest.mark.parametrize(
    ("kind", "value", "lines"),
    [
        ("Bool", True, ["1"]),
        ("Bool", False, ["0"]),
        ("Int", 12, ["0000000012"]),
        ("Int", -12, ["p000000012"]),
        ("Int", -3000000001, ["s000000001"]),
        ("Float", 0.333, ["000000000.33300"]),
        ("Float", -2, ["p00000002.00000"]),
        ("String", "a b", ["a b"]),
        ("String", " a ", ["a"]),
        ("String", -1, ["-1"]),
        ("String", None, [""]),
        ("Int", [3, -4], ["0000000003", "p000000004", "0000000000", "0000000009"]),
        ("Int", [100, 0], ["0000000100", "0000000000"]),
        ("Int", [], ["0000000000"]),
        ("Int", [1, 2.0], ["0000000001", "0000000002"]),
        ("Float", [0.0, 1.0], ["000000000.00000", "000000001.00000", "000000000.00000"]),
        ("String", ["a", "", "b"], ["a", "", "b", "", "x"]),
    ],
)
def test_cobol_right(kind: str, value: object, lines: list[str]) -> None:
    assert cobol(kind, value, *lines)


@pytest.mark.parametrize(
    ("kind", "value", "lines"),
    [
        ("Bool", True, ["0"]),
        ("Bool", False, ["1"]),
        ("Bool", True, []),
        ("Bool", False, [""]),
        ("Int", 12, ["p000000012"]),
        ("Int", 12, ["twelve"]),
        ("Int", 12, ["nan"]),
        ("Float", 0.333, ["000000000.33500"]),
        ("String", "a", ["A"]),
        ("Int", [3, 4], ["0000000003"]),
        ("Int", [3, 4], ["0000000003", "0000000004", "0000000005"]),
        ("Int", [], ["0000000001"]),
        ("Float", [1.0, 0.5], ["000000001.00000", "000000000.00000"]),
    ],
)
def test_cobol_wrong(kind: str, value: object, lines: list[str]) -> None:
    assert not cobol(kind, value, *lines)


def test_what_a_cobol_solution_displays_itself_is_no_result() -> None:
    assert cobol("Int", 1, "0000000001", said="0000000002")
    assert cobol("Int", 1, "0000000001", said=f"{RESULTS}\n0000000002\n{END}")
    assert not matches("0000000001\n", json.dumps(["Int", 1]), "coboleval")
    assert not matches(f"{RESULTS}\n0000000001\n", json.dumps(["Int", 1]), "coboleval")


@pytest.mark.parametrize(
    ("value", "output"),
    [
        (True, " T\n"),
        (True, ".true."),
        (False, "False"),
        (7, "  7\n"),
        (7, "7.0"),
        (12345678901234567, "12345678901234567"),
        (0.333, " 0.333000004    \n"),
        (1000000.5, "1000001.0"),
        ("abc", " abc   \n"),
        ("three five", "three five"),
        ("three five", "three[s]five"),
        ("a\nb", "a  \nb"),
        ("", "\n"),
        (None, ""),
        (None, "None"),
        ([], ""),
        ([], "[]"),
        ([1, 2], "1 2"),
        ([1, 2], "[1, 2]"),
        (["hI", "Hi"], '["hI", "Hi"]'),
        (["(())", "()"], "(()) ()"),
        (["bcd", False], "bcd False"),
        (["", True], " \n T"),
        ([None, 1], "None 1"),
        ([[0, 0], [1, 4]], "(0,0) (1,4)"),
        ({"a": 1, "b": 1}, "{'b': 1, 'a': 1}"),
        ({}, "{}"),
    ],
)
def test_fortran_right(value: object, output: str) -> None:
    assert matches(output, json.dumps(value), "fortran-humaneval")


@pytest.mark.parametrize(
    ("value", "output"),
    [
        (True, "F"),
        (True, ""),
        (7, "7.5"),
        (7, "seven"),
        (12345678901234567, "12345678901234568"),
        (0.333, "0.35"),
        (0.333, "nan"),
        ("010", "10"),
        ("abc", "ABC"),
        (None, "0"),
        ([], "0"),
        ([1, 2], "1 2 3"),
        ([1, 2], "1"),
        (["(())", "()"], "() (())"),
        (["(())"], "()"),
        ([[0, 0], [1, 4]], "(0,0) (4,1)"),
        ({"a": 1}, "{'a': 2}"),
        ({"a": 1}, "{'a': 1, 'b'}"),
        ({"a": 1}, ""),
    ],
)
def test_fortran_wrong(value: object, output: str) -> None:
    assert not matches(output, json.dumps(value), "fortran-humaneval")
