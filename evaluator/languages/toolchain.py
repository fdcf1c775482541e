"""Where toolchains are looked for: as the sandbox does, by its own PATH."""

import shutil
from functools import cache

PATH = "/usr/local/bin:/usr/bin:/bin"


@cache
def missing_program(program: str, package: str) -> str | None:
    """What to say where ``program`` is not there; None where it is. ``package`` is Debian's."""
    if shutil.which(program, path=PATH):
        return None
    return f"{program} is missing; install it: apt-get install {package}"
