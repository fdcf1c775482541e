"""What docs/clients.md tells a user to write and to run, so that the page is what is tested."""

import re
from dataclasses import dataclass
from pathlib import Path

_PAGE = Path(__file__).parents[2] / "docs/clients.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"`~/([^`]+)`")
PACKAGES = "The packages `openai` and `anthropic`"
_ADDRESS = "http://localhost:8080"


@dataclass(frozen=True, slots=True)
class Chapter:
    """``files``: their text by path in the home folder. ``commands`` are a shell's."""

    files: dict[str, str]
    commands: str


def chapter(title: str, url: str) -> Chapter:
    """The chapter of that title, for a gateway at ``url``."""
    _, found, rest = _PAGE.read_text().replace(_ADDRESS, url).partition(f"\n## {title}\n")
    assert found, title
    text = rest.partition("\n## ")[0]
    files: dict[str, str] = {}
    commands, before = [], 0
    for block in _BLOCK.finditer(text):
        if block[1] == "sh":
            commands.append(block[2])
        else:
            files[_PATH.findall(text[before : block.start()])[-1]] = block[2]
        before = block.end()
    return Chapter(files, "\n".join(commands))
