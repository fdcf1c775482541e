"""Complete answers in Valkey, as JSON, found again by an exact key.

Whatever goes wrong with Valkey bypasses the cache and nothing else: after a failure it is left alone for a while.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from gateway.valkey import Command, Valkey, ValkeyError
from policies.verify import Verdict

log = logging.getLogger("weighbridge.cache")

REST_AFTER_FAILURE_S = 1.0
WRITE_BEHIND_S = 0.005
_PREFIX = "weighbridge:answer:1:"
_LONG = 16 * 1024
_NOT_THE_QUESTION = frozenset(
    (
        "model",  # the key has the revision that it led to
        "stream",
        "stream_options",
        "user",
        "metadata",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "session_id",
        "request_id",
    )
)


class Entry(msgspec.Struct, frozen=True):
    """A stored answer. ``pieces`` are a stream's events, or one whole body; ``at`` is Unix seconds."""

    content_type: str
    pieces: list[str]
    at: float
    verify: Verdict | None = None


@dataclass(frozen=True, slots=True)
class CacheScope:
    """What besides the question decides whether an answer may be given again."""

    tenant: str
    route: str
    revision: str
    wire: str
    headers: tuple[tuple[str, str], ...]
    """Those of the client's that can change the answer."""
    form: str
    """``whole``, ``stream`` or ``stream+usage``: an answer is kept in the form it was asked for."""
    verify: str | None = None
    """How the policy has answers verified: one that was not is no answer to a policy that asks for it."""


def key(scope: CacheScope, fields: Mapping[str, msgspec.Raw]) -> str:
    """Equal for requests that differ only in field order, white space, and fields that cannot change the answer.

    Fields of more than 16 KiB count as they were written: nobody writes the same long history in two ways, and reading
    it would take longer than the rest of its look-up.
    """
    question = {name: _canonical(raw) for name, raw in fields.items() if name not in _NOT_THE_QUESTION}
    parts = [scope.tenant, scope.route, scope.revision, scope.wire, scope.headers, scope.form, scope.verify, question]
    canonical = msgspec.json.encode(parts, order="deterministic")
    return _PREFIX + hashlib.blake2b(canonical, digest_size=20).hexdigest()


def _canonical(raw: msgspec.Raw) -> object:
    return raw if memoryview(raw).nbytes > _LONG else msgspec.json.decode(raw)


class AnswerCache:
    """``ttl_s`` is how long an answer is kept; larger ones than ``max_entry_bytes`` are not.

    Answers are written behind: all of the last few milliseconds in one round trip. Until then they are found here.
    ``on_failure`` is called whenever Valkey does not serve.
    """

    def __init__(
        self, valkey: Valkey, *, ttl_s: float, max_entry_bytes: int, on_failure: Callable[[], None] = lambda: None
    ) -> None:
        self._valkey = valkey
        self._on_failure = on_failure
        self._ttl_ms = int(ttl_s * 1000)
        self._max_entry_bytes = max_entry_bytes
        self._resting_until = 0.0
        self._unwritten: dict[str, Entry] = {}
        self._writer: asyncio.Task[None] | None = None
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(Entry).decode

    @property
    def resting(self) -> bool:
        return time.monotonic() < self._resting_until

    async def get(self, key: str) -> Entry | None:
        if self.resting:
            return None
        if (entry := self._unwritten.get(key)) is not None:
            return entry
        try:
            found = await self._valkey.ask("GET", key)
            return self._decode(found) if found else None
        except ValkeyError as error:
            self._rest(error)
        except msgspec.DecodeError:
            log.warning("an entry that is not ours was passed over")
        return None

    def put(self, key: str, content_type: str, pieces: list[bytes], verify: Verdict | None = None) -> None:
        if self.resting or sum(map(len, pieces)) > self._max_entry_bytes:
            return
        try:
            self._unwritten[key] = Entry(content_type, [piece.decode() for piece in pieces], time.time(), verify)
        except UnicodeDecodeError:
            return  # JSON cannot hold it
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_behind())

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer
        await self._valkey.close()

    async def _write_behind(self) -> None:
        await asyncio.sleep(WRITE_BEHIND_S)
        entries = dict(self._unwritten)
        self._writer = None  # what comes during the write is the next one's
        try:
            commands = [self._set(key, entry) for key, entry in entries.items()]
            await self._valkey.ask_all(commands)
        except ValkeyError as error:
            self._rest(error)
        finally:
            for key, entry in entries.items():
                if self._unwritten.get(key) is entry:
                    del self._unwritten[key]

    def _set(self, key: str, entry: Entry) -> Command:
        return "SET", key, self._encode(entry), "PX", self._ttl_ms

    def _rest(self, error: BaseException) -> None:
        log.warning("valkey failed; the cache is bypassed", extra={"reason": type(error).__name__})
        self._on_failure()
        self._resting_until = time.monotonic() + REST_AFTER_FAILURE_S
