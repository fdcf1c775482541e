"""Complete answers in Valkey, as JSON, found again by an exact key.

Whatever goes wrong with Valkey bypasses the cache and nothing else: after a failure it is left alone for a while.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec

from gateway.pipeline.lease import Lease, Leases
from gateway.valkey import Command, Valkey, ValkeyError
from policies.verify import Verdict

log = logging.getLogger("weighbridge.cache")

REST_AFTER_FAILURE_S = 1.0
WRITE_BEHIND_S = 0.005
FULL_FOR_S = 1.0
_FULL = ("OOM", "MISCONF", "READONLY")
"""How Valkey begins to say that it takes nothing more, although it is read as ever."""
_PREFIX = "weighbridge:answer:1:"
_LONG = 16 * 1024
_MOST_ESCAPED = 2
"""Times its bytes that an answer may take as JSON: one whose every letter is to be escaped is not worth its place."""
_HEAD_BYTES = 1024
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


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stored answer. ``pieces`` are a stream's events, or one whole body; ``at`` is Unix seconds."""

    content_type: Annotated[str, msgspec.Meta(pattern=r"\A[ -~]{1,256}\Z")]
    pieces: list[str]
    at: Annotated[float, msgspec.Meta(ge=0, le=2**53)]
    verify: Verdict | None = None
    cost_nanousd: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    """What it cost whoever asked first."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a look-up came to; nothing at all: the request is answered without waiting for anyone."""

    entry: Entry | None = None
    lease: Lease | None = None
    """The answer is this request's to make."""
    holder: str | None = None
    """The answer is being made, by whoever has this token."""


NOTHING = Found()


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
    if memoryview(raw).nbytes > _LONG:
        return raw
    try:
        return msgspec.json.decode(raw)
    except msgspec.ValidationError:  # a number that no machine has room for
        return raw


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
        self._max_stored_bytes = _MOST_ESCAPED * max_entry_bytes + _HEAD_BYTES
        self._resting_until = 0.0
        self._full_until = 0.0
        self._unwritten: dict[str, Entry] = {}
        self._writer: asyncio.Task[None] | None = None
        self._writing: set[asyncio.Task[None]] = set()
        self._leases = Leases(valkey, on_ended=self._write_soon, on_failure=self._rest)
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
            return self._read(await self._valkey.ask("GETRANGE", key, 0, self._max_stored_bytes))
        except ValkeyError as error:
            if not str(error).startswith("WRONGTYPE"):
                self._rest(error)
        return None

    async def look_up(self, key: str, token: str) -> Found:
        """As ``get``; where nothing is kept, also who is to make the answer. ``token`` is the asker's, and nobody's
        else.
        """
        if self.resting:
            return NOTHING
        if (entry := self._unwritten.get(key)) is not None:
            return Found(entry)
        try:
            said = await self._leases.look_up(key, token, self._max_stored_bytes)
        except ValkeyError as error:
            self._rest(error)
            return NOTHING
        match said:
            case bytes():
                return Found(self._read(said))
            case Lease():
                return Found(lease=said)
        return Found(holder=said)

    def put(
        self, key: str, content_type: str, pieces: list[bytes], verify: Verdict | None = None, cost_nanousd: int = 0
    ) -> None:
        full = time.monotonic() < self._full_until
        if full or self.resting or sum(map(len, pieces)) > self._max_entry_bytes:
            return
        try:
            texts = [piece.decode() for piece in pieces]
            self._unwritten[key] = Entry(content_type, texts, time.time(), verify, cost_nanousd)
        except UnicodeDecodeError:
            return  # JSON cannot hold it
        self._write_soon()

    async def close(self) -> None:
        self._leases.close()
        while self._writing:
            await asyncio.wait(self._writing)
        await self._valkey.close()

    def _read(self, stored: bytes) -> Entry | None:
        """None for nothing, and for what none of us has written; of what is larger than ours only a part is here."""
        if not stored:
            return None
        try:
            return self._decode(stored)
        except (msgspec.DecodeError, UnicodeError):
            log.warning("an entry that is not ours was passed over")
            return None

    def _write_soon(self) -> None:
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_behind())
            self._writing.add(self._writer)
            self._writer.add_done_callback(self._writing.discard)

    async def _write_behind(self) -> None:
        """Answers first: whoever finds a lease ended finds the answer."""
        await asyncio.sleep(WRITE_BEHIND_S)
        entries = dict(self._unwritten)
        self._writer = None  # what comes during the write is the next one's
        try:
            await self._leases.end_all(before=list(self._sets(entries)))
        except ValkeyError as error:
            self._cannot_write(error)
        finally:
            for key, entry in entries.items():
                if self._unwritten.get(key) is entry:
                    del self._unwritten[key]

    def _sets(self, entries: Mapping[str, Entry]) -> Iterator[Command]:
        for key, entry in entries.items():
            stored = self._encode(entry)
            if len(stored) <= self._max_stored_bytes:
                yield "SET", key, stored, "PX", self._ttl_ms

    def _cannot_write(self, error: ValkeyError) -> None:
        if not str(error).startswith(_FULL):
            self._rest(error)
            return
        log.warning("valkey takes no more; answers are not kept for a moment", extra={"reason": str(error)[:200]})
        self._full_until = time.monotonic() + FULL_FOR_S

    def _rest(self, error: BaseException) -> None:
        now = time.monotonic()
        if now >= self._resting_until:  # once, however many wait for it
            log.warning("valkey failed; the cache is bypassed", extra={"reason": type(error).__name__})
        self._on_failure()
        self._resting_until = now + REST_AFTER_FAILURE_S
