"""The virtual keys in a worker: a file that the parent writes as a whole, looked at for a newer one."""

import asyncio
import logging
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from gateway.keys.key import VirtualKey
from gateway.keys.secret import KeyHash
from gateway.keys.tenants import Tenants
from gateway.problem import Problem

log = logging.getLogger("weighbridge.keys")

LOOK_EVERY_S = 0.5


def write(path: Path, keys: Iterable[VirtualKey]) -> None:
    """Whole or not at all, for this user only, and on disk: it may be all that is kept of a change for a while."""
    unfinished = path.with_suffix(".new")
    file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(file, "wb") as opened:  # noqa: PTH123 (a descriptor)
        opened.write(msgspec.json.encode(list(keys)))
        opened.flush()
        os.fsync(file)
    unfinished.replace(path)


def read(path: Path) -> list[VirtualKey]:
    """None where the file is missing or cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[VirtualKey])
    except FileNotFoundError:
        return []
    except (msgspec.DecodeError, OSError):
        log.exception("the keys of the last start could not be read")
        return []


class Keyring:
    """A look-up is a hash and a dictionary's."""

    def __init__(self, path: Path, secret: str) -> None:
        self.hash = KeyHash(secret)
        self.tenants = Tenants(secret)
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._by_hash: dict[str, VirtualKey] = {}
        self._by_old_hash: dict[str, VirtualKey] = {}
        self._decode = msgspec.json.Decoder(list[VirtualKey]).decode

    @property
    def known(self) -> bool:
        return self._seen is not None

    def find(self, presented: bytes, now: float) -> VirtualKey:
        """Raises ``Problem`` 401. ``now`` is Unix seconds."""
        digest = self.hash(presented)
        key = self._find(digest, now)
        if key is None:
            self.look()  # it may have been made a moment ago
            key = self._find(digest, now)
        if key is None:
            message = "Incorrect API key. Send a key as 'Authorization: Bearer …' or 'x-api-key'."
            raise Problem(401, "invalid_api_key", message)
        if key.revoked_at is not None:
            raise Problem(401, "key_revoked", f"This API key ({key.id}) has been revoked.")
        if key.expires_at is not None and key.expires_at <= now:
            raise Problem(401, "key_expired", f"This API key ({key.id}) has expired.")
        return key

    def look(self) -> None:
        """Learns the keys if the file is another one than last time."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return
        seen = (stat.st_ino, stat.st_mtime_ns)
        if seen == self._seen:
            return
        try:
            keys = self._decode(self._path.read_bytes())
        except (msgspec.DecodeError, OSError):
            log.exception("the keys could not be read; the last ones stay in force")
            return
        self._seen = seen
        self._by_hash = {key.hash: key for key in keys}
        self._by_old_hash = {key.old_hash: key for key in keys if key.old_hash is not None}

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()

    def _find(self, digest: str, now: float) -> VirtualKey | None:
        if (key := self._by_hash.get(digest)) is not None:
            return key
        old = self._by_old_hash.get(digest)
        return old if old is not None and now < old.old_until else None
