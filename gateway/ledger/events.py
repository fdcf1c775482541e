"""What a worker writes into its spool, one JSON line an event."""

import msgspec

from backends.usage import Usage

SHADOW = "shadow:"
"""Goes before a policy's name where a request is no client's, but one that was mirrored."""


class AttemptDetail(msgspec.Struct, frozen=True):
    """One try at one route.

    ``outcome``: ``ok``, ``client_left``, the backend's word for its trouble; ``rejected``, where one was held and
    failed its verification, ``given_up``, where it would have come too late for that, or ``hedged_out``, where
    another was faster.
    """

    route: str
    replica: str
    revision: str
    outcome: str
    ms: float
    status: int | None = None
    cost_nanousd: int = 0
    verify: str | None = None
    """What became of an answer that was held: ``passed``, ``failed``, ``skipped`` or ``unavailable``."""
    ttft_ms: float | None = None
    """Of the attempt's ``ms``, those to its first content; None where none came."""
    model: str = ""
    """As the server calls it."""
    usage: Usage | None = None
    """What ``cost_nanousd`` is for."""
    usage_source: str = "unknown"


class Opened(msgspec.Struct, frozen=True, tag="open", tag_field="event"):
    """Written before anything is sent upstream, so that a killed worker's requests are known."""

    id: str
    at: float
    """Unix seconds."""
    tenant: str
    asked: str
    policy: str
    wire: str
    session: str | None = None
    key_id: str | None = None
    team: str | None = None
    customer: str | None = None
    reserved_nanousd: int | None = None
    """What the key's budgets have set aside for it; None where nothing limits the key."""


class Settled(msgspec.Struct, frozen=True, tag="settle", tag_field="event"):
    """The request's end, complete in itself: a hit has no ``Opened`` before it."""

    id: str
    at: float
    tenant: str
    asked: str
    """The ``model`` that the client named."""
    policy: str
    wire: str
    route: str
    revision: str
    outcome: str
    """``ok``, ``client_left``, ``broken_stream``, or the code of the problem that the client got."""
    status: int
    cache: str
    streamed: bool
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    usage_source: str
    cost_nanousd: int
    ttft_ms: float | None
    total_ms: float
    attempts: list[AttemptDetail]
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    session: str | None = None
    """What the client calls the session that it belongs to; see ``gateway.pipeline.session.attributed``."""
    language: str | None = None
    """The programming language, one of ``policies.languages``, where the decision knew it."""
    key_id: str | None = None
    """The virtual key's, and its team and customer; None for the gateway's own key."""
    team: str | None = None
    customer: str | None = None
    model: str = ""
    """The route's, as its server calls it."""
    saved_nanousd: int = 0
    """What the answer had cost whoever asked first, where it came from the cache or from another request's flight."""


Event = Opened | Settled
