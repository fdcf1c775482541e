"""Tests in a process apart: what a source is split into, whatever the solution holds."""

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.languages import LANGUAGES, apart
from evaluator.suites import SuiteError
from evaluator.suites.counting import bash, lua, perl, php, ruby

SCRIPTS = {"ruby": ".rb", "php": ".php", "perl": ".pl", "lua": ".lua", "bash": ".sh"}
MARKS = [apart.before(""), apart.after("")]


@pytest.mark.parametrize("language", SCRIPTS)
@given(st.lists(st.one_of(st.text(st.characters(codec="utf-8"), max_size=9), st.sampled_from(MARKS))).map("".join))
def test_a_solution_stays_one_file_whatever_it_holds(language: str, solution: str) -> None:
    suffix = SCRIPTS[language]
    recipe = LANGUAGES[language].recipe(apart.before("the caller") + solution + apart.after("the tests"))
    assert recipe.files == {
        f"caller{suffix}": b"the caller",
        f"solution{suffix}": solution.encode(),
        f"tests{suffix}": b"the tests",
    }
    assert recipe.run[-1] == f"tests{suffix}"
    assert recipe.compile is not None
    assert recipe.compile[-1] == f"solution{suffix}"


@pytest.mark.parametrize("language", SCRIPTS)
def test_a_whole_program_runs_as_it_is(language: str) -> None:
    main = f"main{SCRIPTS[language]}"
    recipe = LANGUAGES[language].recipe("the program \ud800")
    assert recipe.files == {main: b"the program ?"}
    assert recipe.run[-1] == main
    assert {language, SCRIPTS[language].lstrip(".")} <= LANGUAGES[language].tags


@pytest.mark.parametrize("counting", [ruby, php, perl, lua, bash])
@pytest.mark.parametrize("tests", ["", "}\n\nmain();", "assert_equal(1, 1)", "candidate = method(:f)"])
def test_tests_of_another_kind_are_refused(counting: ModuleType, tests: str) -> None:
    with pytest.raises(SuiteError, match="give MultiPL-E's own tests"):
        counting.multipl_e(tests)
