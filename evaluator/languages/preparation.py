"""What a language wants made once a machine, and finds there whenever it compiles."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from evaluator.languages.toolchain import PATH


@dataclass(frozen=True, slots=True)
class Preparation:
    name: str
    """Its folder below the sandbox's ``/prepared``. Other for another script, or another compiler."""
    compile: tuple[str, ...]
    keep: tuple[str, ...]
    """Names or patterns of what is to lie in the folder."""
    needed: bool
    """Whether nothing compiles without it; else it only saves time."""

    @property
    def folder(self) -> str:
        return f"/prepared/{self.name}"


def preparation(language: str, compiler: str, script: str, keep: tuple[str, ...], *, needed: bool) -> Preparation:
    """``script`` is run by ``sh -e`` in an empty working directory."""
    found = shutil.which(compiler, path=PATH)
    status = Path(found).stat() if found else None
    version = f"{status.st_size} {status.st_mtime_ns}" if status else ""
    digest = hashlib.blake2b(f"{script}\n{keep}\n{version}".encode(), digest_size=8).hexdigest()
    return Preparation(f"{language}-{digest}", ("sh", "-ec", script), keep, needed)
