"""Code that Python runs before ours: `.pth` files beside the packages. Malware has come to gateways that way.

Known ones are those of setuptools and virtualenv, and the path of this project in an editable install.
"""

import re
import site
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

_KNOWN = {
    "distutils-precedence.pth": re.compile(
        r"import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os\.environ\.get\(var, '\w+'\) == 'local'; "
        r"enabled and __import__\('_distutils_hack'\)(\.add_shim\(\))?;?\s*"
    ),
    "_virtualenv.pth": re.compile(r"import _virtualenv\s*"),
}
_RUNS = ("import ", "import\t")


def package_folders() -> list[Path]:
    """Where this interpreter looks for `.pth` files."""
    return [Path(folder) for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *_site()}]


def unknown_startup_code(folders: Iterable[Path]) -> Iterator[Path]:
    """Files that run code which is not known. A file that only adds paths to look in runs none."""
    for folder in folders:
        for file in sorted(folder.glob("*.pth")):
            text = file.read_text(errors="replace")
            known = _KNOWN.get(file.name)
            if any(line.startswith(_RUNS) for line in text.splitlines()) and not (known and known.fullmatch(text)):
                yield file


def _site() -> list[str]:
    users = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    return [*site.getsitepackages(), *users]
