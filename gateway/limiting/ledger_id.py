"""What Valkey calls a ledger: a name that stays with its folder."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def ledger_id(state: Path) -> str:
    """Made by whichever process asks first."""
    path = state / "ledger-id"
    if not path.exists():
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(secrets.token_hex(8))
        with suppress(FileExistsError):
            os.link(unfinished, path)
        unfinished.unlink()
    return path.read_text()
