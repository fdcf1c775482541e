"""docs/trouble.md names tests that there are."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_test_that_the_page_names_exists() -> None:
    page = (ROOT / "docs" / "trouble.md").read_text()
    there = "\n".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    defined = set(re.findall(r"^(?:async )?def (test_\w+)", there, re.MULTILINE))
    files = {file.name for file in (ROOT / "tests").rglob("test_*.py")}
    named = set(re.findall(r"`(test_\w+)(?!\w|\.py)", page))
    assert len(named) > 20
    assert named <= defined
    assert set(re.findall(r"`(test_\w+\.py)", page)) <= files
