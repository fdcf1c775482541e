"""Where a client works: a home and a folder of its own, the programs that were installed, and a gateway."""

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.clients.manual import chapter
from tests.fixtures.gateway import Gateway

API_KEY = "sk-clients"
_INSTALL = Path(__file__).parents[2] / "deploy/clients/install.sh"
_PROGRAMS = ("@anthropic-ai/claude-code-linux-x64", "opencode-linux-x64/bin", ".bin")
"""Where a folder of npm packages has them, when no package's install script was run."""
_PATIENCE_S = 400


@dataclass(frozen=True, slots=True)
class Programs:
    """``path`` begins with where the clients are; ``modules`` are folders of npm packages."""

    path: str
    modules: tuple[Path, ...]


def install(which: str) -> Programs:
    """``codex``, ``comply`` or ``all``; does nothing where they are there."""
    made = subprocess.run([_INSTALL, which], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    places = [Path(line) for line in made.stdout.splitlines()]
    modules = tuple(place for place in places if place.name == "node_modules")
    programs = [place / name for place in modules for name in _PROGRAMS]
    others = [place for place in places if place.name != "node_modules"]
    return Programs(os.pathsep.join(map(str, [*programs, *others, os.environ["PATH"]])), modules)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a client ended, and what it said on both its outputs."""

    code: int
    said: str


class Desk:
    """Nothing of the tester's own environment is here but the programs."""

    def __init__(self, folder: Path, gateway: Gateway, programs: Programs) -> None:
        self.home, self.work = folder / "home", folder / "work"
        self.home.mkdir()
        self.work.mkdir()
        self._gateway = gateway
        self._programs = programs

    @property
    def file(self) -> Path:
        return self.work / "hello.py"

    def follow(self, title: str, **more: str) -> Outcome:
        """Writes the files and runs the commands of a chapter of docs/clients.md."""
        told = chapter(title, self._gateway.url)
        for path, text in told.files.items():
            (self.home / path).parent.mkdir(parents=True, exist_ok=True)
            (self.home / path).write_text(text)
        return self.run(told.commands, **more)

    def run(self, commands: str, **more: str) -> Outcome:
        env = {"HOME": str(self.home), "PATH": self._programs.path, "LANG": "C.UTF-8", "WEIGHBRIDGE_API_KEY": API_KEY}
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.work,
            env=env | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(f"it did not end in {_PATIENCE_S} s: {process.communicate()[0]}") from None
        return Outcome(process.returncode, said)
