"""Whom a request is for, on servers that many share: what keeps prompt caches and stored responses apart."""

import hmac
import os
import re
from dataclasses import dataclass, field
from hashlib import blake2b

_ID = re.compile(r"resp_([0-9a-f]{32})([0-9a-f]{24})")


@dataclass(frozen=True, slots=True)
class Tenant:
    """``key``: 32 bytes, the tenant's own and nobody else's to know."""

    key: bytes = field(repr=False)
    plain_salt: str = field(init=False, repr=False)
    """Where the client chooses none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "plain_salt", self.salt())

    def salt(self, chosen: bytes = b"") -> str:
        """What its prompts are hashed with. ``chosen``: by the client, who may divide its own cache further, and
        reaches nobody else's by it.
        """
        return blake2b(chosen, key=self.key, person=b"salt", digest_size=16).hexdigest()

    def new_response_id(self) -> str:
        """Nobody else can make one that is this tenant's."""
        number = os.urandom(16).hex()
        return f"resp_{number}{self._mark(number)}"

    def owns(self, response_id: str) -> bool:
        """Told from the id alone, so by every worker and gateway alike, and whatever they have forgotten."""
        found = _ID.fullmatch(response_id)
        return found is not None and hmac.compare_digest(found[2], self._mark(found[1]))

    def _mark(self, number: str) -> str:
        return blake2b(number.encode(), key=self.key, person=b"response", digest_size=12).hexdigest()
