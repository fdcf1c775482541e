"""The tables. A change here needs a migration beside it; a test compares the two."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, text

metadata = MetaData()
_HAS_SESSION = text("session IS NOT NULL")

requests = Table(
    "requests",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("spool", String(64), nullable=False),
    Column("opened_at", Float),
    Column("settled_at", Float),
    Column("tenant", String(64), nullable=False),
    Column("asked", String(200), nullable=False),
    Column("policy", String(200), nullable=False),
    Column("wire", String(32), nullable=False),
    Column("route", String(200)),
    Column("revision", String(32)),
    Column("outcome", String(64)),
    Column("status", Integer),
    Column("cache", String(16)),
    Column("streamed", Boolean),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cached_input_tokens", BigInteger),
    Column("usage_source", String(16)),
    Column("cost_nanousd", BigInteger),
    Column("ttft_ms", Float),
    Column("total_ms", Float),
    Column("attempts", JSON),
    Column("cache_write_tokens", BigInteger),
    Column("cache_write_1h_tokens", BigInteger),
    Column("session", String(128)),
    Column("language", String(64)),
    Column("key_id", String(32)),
    Column("team", String(64)),
    Column("customer", String(64)),
    Column("ledger", String(16)),
    Column("model", String(200)),
    Column("saved_nanousd", BigInteger),
    Column("charged_nanousd", BigInteger),
    Column("reserved_nanousd", BigInteger),
    Index("requests_settled_at", "settled_at"),
    Index("requests_open_by_spool", "spool", "outcome"),
    Index("requests_session", "session", "settled_at", sqlite_where=_HAS_SESSION, postgresql_where=_HAS_SESSION),
)
"""One row a request. ``outcome`` is null until it is settled. ``ledger`` is the id of the gateway that recorded it,
null in rows that are older than this column, all of one gateway. ``charged_nanousd`` is what of the cost is in
``charges``; ``reserved_nanousd`` what a limited key's budgets had set aside for it.
"""

charges = Table(
    "charges",
    metadata,
    Column("request_id", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("route", String(200), nullable=False),
    Column("model", String(200), nullable=False),
    Column("usage_source", String(16), nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("cached_input_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_nanousd", BigInteger, nullable=False),
)
"""The answers that a request paid for, where they were several: each by its own route. Of most requests there is none:
their row says it all.
"""

daily_spend = Table(
    "daily_spend",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("day", Integer, nullable=False),
    Column("tenant", String(64)),
    Column("key_id", String(32)),
    Column("team", String(64)),
    Column("customer", String(64)),
    Column("policy", String(200)),
    Column("route", String(200)),
    Column("model", String(200)),
    Column("language", String(64)),
    Column("usage_source", String(16)),
    Column("requests", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("cache_hits", BigInteger, nullable=False),
    Column("uncounted", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("cached_input_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cost_nanousd", BigInteger, nullable=False),
    Column("saved_nanousd", BigInteger, nullable=False),
    Index("daily_spend_day", "day"),
)
"""What became of requests whose own rows are gone. ``day`` counts from 1970-01-01 (UTC); ``id`` is made of what the
sums are by.
"""

gpu_hours = Table(
    "gpu_hours",
    metadata,
    Column("route", String(200), primary_key=True),
    Column("begins", BigInteger, primary_key=True),
    Column("ends", BigInteger, nullable=False),
    Column("model", String(200), nullable=False),
    Column("gpu_seconds", BigInteger, nullable=False),
    Column("bill_nanousd", BigInteger, nullable=False),
    Column("paid_nanousd", BigInteger, nullable=False),
)
"""What a route's GPUs cost in an hour, or in the part of it from ``begins`` to ``ends`` (Unix seconds). Idle is what
requests did not pay of it; ``paid_nanousd`` are those whose own rows are gone.
"""

gpu_meters = Table(
    "gpu_meters",
    metadata,
    Column("route", String(200), primary_key=True),
    Column("until", BigInteger, nullable=False),
)
"""Until when a route's GPUs are in ``gpu_hours``, in Unix seconds."""

spool_positions = Table(
    "spool_positions",
    metadata,
    Column("spool", String(64), primary_key=True),
    Column("segment", String(32), nullable=False),
    Column("position", BigInteger, nullable=False),
)
"""How far each spool is in the ledger: what was read is never read again, not even when its rows are gone."""

feedback = Table(
    "feedback",
    metadata,
    Column("request_id", String(32), primary_key=True),
    Column("at", Float, nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("language", String(64)),
)
"""The last verdict on a request's answer, and the language where whoever gave it said so."""

scorecards = Table(
    "scorecards",
    metadata,
    Column("run_id", String(200), primary_key=True),
    Column("route", String(200), primary_key=True),
    Column("revision", String(32), primary_key=True),
    Column("suite", String(200), primary_key=True),
    Column("language", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("scorecard", JSON, nullable=False),
)
"""The highest ``version`` is the version of the evidence."""

admissions = Table(
    "admissions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("route", String(200), nullable=False),
    Column("revision", String(32), nullable=False),
    Column("suite", String(200), nullable=False),
    Column("language", String(64)),
    Column("at_least", Float, nullable=False),
    Column("admission", JSON, nullable=False),
    Index("admissions_by_gate", "route", "revision", "suite", "language", "at_least"),
)
"""The audit: a row a change, never changed again. Each gate's newest is in force; versions are the evidence's, too."""

keys = Table(
    "keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("key", JSON, nullable=False),
)
"""Virtual keys, revoked ones too: a replica that was away must not bring them back."""

marks = Table(
    "marks",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("number", BigInteger, nullable=False),
)
"""``evidence`` and ``keys``: a number that each change raises. Whoever changes them holds that row's lock."""
