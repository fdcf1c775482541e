"""Files that are made once a machine, by trusted programs, for all later runs, which see them in ``PLACE``."""

import os
from pathlib import Path
from typing import Protocol, runtime_checkable

PLACE = "/prepared"


@runtime_checkable
class HoldsPrepared(Protocol):
    """A sandbox whose programs see the files of a folder in ``PLACE``, those too that come into it later."""

    @property
    def prepared(self) -> Path: ...


def folder() -> Path:
    """Where they lie on this machine. Raises OSError where it cannot be made."""
    try:
        cache = Path(os.environ.get("WEIGHBRIDGE_CACHE_DIR") or "~/.cache/weighbridge").expanduser()
    except RuntimeError as error:  # a user without a home, as sandboxd's
        raise OSError(str(error)) from error
    made = cache / "prepared"
    made.mkdir(parents=True, exist_ok=True)
    return made
