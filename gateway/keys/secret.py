"""The keys themselves: made, shown once, and from then on known by their hash only."""

import secrets
from hashlib import blake2b, sha256

PREFIX = "wb-"


def new_key() -> str:
    """256 random bits in letters that survive every header, shell and URL."""
    return PREFIX + secrets.token_urlsafe(32)


def new_id() -> str:
    return f"key_{secrets.token_hex(8)}"


class KeyHash:
    """BLAKE2b, keyed with the server's secret: what is stored is of no use without that."""

    def __init__(self, secret: str) -> None:
        self._secret = sha256(secret.encode()).digest()

    def __call__(self, key: bytes) -> str:
        return blake2b(key, key=self._secret, digest_size=16).hexdigest()
