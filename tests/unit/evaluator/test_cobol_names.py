"""COBOL programs with names that are C's own: GnuCOBOL makes a C function of each."""

import shutil
import subprocess
from pathlib import Path

import pytest

from evaluator.languages import LANGUAGES

PROGRAM = """       identification division.
       program-id. {name}.
       procedure division.
           call "{called}".
           stop run.
       end program {name}.
       identification division.
       program-id. {called}.
       procedure division.
           display "called".
           goback.
       end program {called}.
"""


@pytest.mark.skipif(shutil.which("cobc") is None, reason="needs cobc (apt-get install gnucobol4)")
@pytest.mark.parametrize(
    ("name", "called"),
    [("main", "printf"), ("memcpy", "strlen"), ('"main"', "exit"), ("TWICE", "DOUBLE-IT"), ("Main", "Helper")],
)
def test_a_program_may_have_any_name(name: str, called: str, tmp_path: Path) -> None:
    recipe = LANGUAGES["cobol"].recipe(PROGRAM.format(name=name, called=called))
    for file, content in recipe.files.items():
        (tmp_path / file).write_bytes(content)
    assert recipe.compile is not None
    compiled = subprocess.run(recipe.compile, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert compiled.returncode == 0, compiled.stderr
    assert subprocess.run(recipe.run, cwd=tmp_path, capture_output=True, text=True, check=True).stdout == "called\n"
