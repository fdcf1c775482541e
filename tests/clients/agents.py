"""What the scripted model has to say so that an agent writes a file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.clients.scripted_model import Script, Turn, writes

CONTENT = "print('weighed')\n"


@dataclass(frozen=True, slots=True)
class Agent:
    """``title`` is its chapter in docs/clients.md; ``script`` has it write ``CONTENT`` to the file it is given."""

    title: str
    script: Callable[[Path], Script]

    def __str__(self) -> str:
        return self.title


def _edit(file: Path) -> Script:
    return lambda _: Turn(f"{file.name}\n```\n{CONTENT}```\n")


def _command(file: Path) -> Script:
    return writes("exec_command", {"cmd": f'printf "%s\\n" "{CONTENT.strip()}" > {file}'})


CODEX = Agent("Codex", _command)
CLAUDE_CODE = Agent("Claude Code", lambda file: writes("Write", {"file_path": str(file), "content": CONTENT}))
OPENCODE = Agent("opencode", lambda file: writes("write", {"filePath": str(file), "content": CONTENT}))
AIDER = Agent("aider", _edit)
