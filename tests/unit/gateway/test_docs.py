"""The pages lead somewhere: links and anchors exist, and command lines name commands and options that there are."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gateway.cli import cli

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    words = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", text.strip()).replace(" ", "-") for text in words}


def commands(page: Path) -> Iterator[list[str]]:
    for found in re.finditer(
        r"(?:^[ $]*|`)(?:\.venv/bin/)?weighbridge (?!itself)([^`\n#]*)", page.read_text(), re.MULTILINE
    ):
        yield shlex.split(found[1].replace("\\", " ").replace("'", ""))


def wrong(words: list[str]) -> str | None:
    command: click.Command = cli
    while isinstance(command, click.Group) and words and re.fullmatch("[a-z]+", words[0]):
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            return words[0]
        command, words = found, words[1:]
    known = {"--help", *(option for parameter in command.params for option in parameter.opts)}
    options = [word.rstrip("],").split("=")[0] for word in words if word.startswith("--")]
    return next((option for option in options if option not in known), None)


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match("https?:|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pages
def test_commands_are_there(page: Path) -> None:
    assert [words for words in commands(page) if wrong(list(words)) is not None] == []


def test_each_row_of_trouble_names_tests_that_are_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "trouble.md").read_text()))
    written = "".join(path.read_text() for path in ROOT.glob("tests/**/test_*.py"))
    assert len(named) > 30
    assert not [name for name in sorted(named) if f"def {name}(" not in written]
