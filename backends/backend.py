"""What every backend offers the gateway: send a call, read its answer, say what serves.

A backend owns its connection and translates every foreign error, once, into ``BackendError``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import msgspec

from backends.route import Revision, Route
from backends.tenant import Tenant
from backends.usage import Usage, UsageSource

WireName = Literal["chat", "completions", "responses", "messages", "count_tokens", "embeddings"]
Method = Literal["GET", "DELETE", "POST"]
Trouble = Literal["refused", "timeout", "broken", "malformed", "status"]
"""``malformed``: an answer was made, but what came is none: not of its wire, cut off as a whole, or endless."""


class BackendError(Exception):
    """The upstream did not answer as it should.

    ``status`` and ``body`` are the upstream's own when it answered with an error (kind ``status``);
    ``retry_after`` is seconds, when it named them. The message never holds prompt text or credentials.
    """

    def __init__(
        self,
        kind: Trouble,
        message: str,
        *,
        status: int | None = None,
        body: bytes = b"",
        content_type: str = "application/json",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = status
        self.body = body
        self.content_type = content_type
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a backend gets it: the client's own body, top-level fields kept as raw JSON."""

    wire: WireName
    fields: Mapping[str, msgspec.Raw]
    stream: bool
    include_usage: bool = False
    """Whether the client asked for the usage chunk of a stream."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Client headers that are to reach the upstream."""
    session: str | None = None
    """What the client calls the session that this is part of."""
    tenant: Tenant | None = None
    """Whom servers are to keep apart from others; None: nobody in particular."""


class Piece(NamedTuple):
    """One event of a streamed answer, or a whole body."""

    data: bytes
    content: bool
    """It carries something the model made; what goes before may still be retried."""


TRACE_HEADERS = ("traceparent", "tracestate")
"""W3C trace context. It goes to the upstream and changes no answer."""


class Load(NamedTuple):
    """How busy a replica says that it is."""

    waiting: int
    """Requests in its queue."""
    kv_usage: float
    """Of its KV cache, the part that running requests hold: 0 to 1."""


class Stored(NamedTuple):
    """A server's answer about a response that it keeps."""

    status: int
    content_type: str
    body: bytes


Deliver = Callable[[list[Piece]], None]


class Answer(Protocol):
    """An upstream's answer whose head has arrived; its attributes grow as it is read."""

    @property
    def content_type(self) -> str: ...

    @property
    def streamed(self) -> bool: ...

    @property
    def usage(self) -> Usage | None: ...

    @property
    def usage_source(self) -> UsageSource: ...

    @property
    def finished(self) -> bool:
        """A finish reason was seen for every choice that began, or the whole body is here."""
        ...

    async def read(self) -> list[Piece]:
        """What has come since it was asked last; empty at the end. Raises ``BackendError`` where the answer breaks."""
        ...

    async def read_into(self, deliver: Deliver) -> None:
        """Hands over what is left, as it comes, to the end. Raises ``BackendError`` where the answer breaks."""
        ...

    def close(self) -> None:
        """Drops the upstream's work at once; harmless after the end."""
        ...


class Pulled:
    """``read_into`` for an answer that has no shorter way."""

    async def read_into(self: Answer, deliver: Deliver) -> None:
        while batch := await self.read():
            deliver(batch)


class Backend(Protocol):
    """The client for one kind of model server. ``replica`` is one of ``route.replicas``."""

    async def start(self) -> None:
        """Gets ready what the first call would otherwise wait for; never raises for a server that is not there."""
        ...

    async def send(self, route: Route, replica: str, call: Call) -> Answer:
        """Returns once the answer's head is here; raises ``BackendError``."""
        ...

    async def observe(self, route: Route, replica: str) -> Revision:
        """The revision as the replica reports it now; raises ``BackendError`` when it is not there."""
        ...

    async def load(self, route: Route, replica: str) -> Load | None:
        """None where it does not say; raises ``BackendError`` when it is not there."""
        ...

    async def stored(self, route: Route, replica: str, method: Method, path: str) -> Stored | None:
        """What the replica says to a request about a response that it may keep; None where it keeps none such.

        Raises ``BackendError`` where it does not say.
        """
        ...

    async def close(self) -> None: ...
