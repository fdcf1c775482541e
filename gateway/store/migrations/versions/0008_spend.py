"""What answers were paid for, daily sums, GPU hours, and how far spools were read."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_NAMES = {"tenant": 64, "key_id": 32, "team": 64, "customer": 64, "policy": 200, "route": 200, "model": 200}
_TOKENS = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens")


def upgrade() -> None:
    op.add_column("requests", sa.Column("model", sa.String(200)))
    op.add_column("requests", sa.Column("saved_nanousd", sa.BigInteger))
    op.add_column("requests", sa.Column("charged_nanousd", sa.BigInteger))
    op.create_table(
        "charges",
        sa.Column("request_id", sa.String(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("route", sa.String(200), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("usage_source", sa.String(16), nullable=False),
        *_counts(*_TOKENS, "cost_nanousd"),
    )
    op.create_table(
        "daily_spend",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("day", sa.Integer, nullable=False),
        *(sa.Column(name, sa.String(length)) for name, length in _NAMES.items()),
        sa.Column("language", sa.String(64)),
        sa.Column("usage_source", sa.String(16)),
        *_counts("requests", "errors", "cache_hits", "uncounted", *_TOKENS, "cost_nanousd", "saved_nanousd"),
    )
    op.create_index("daily_spend_day", "daily_spend", ["day"])
    op.create_table(
        "gpu_hours",
        sa.Column("route", sa.String(200), primary_key=True),
        sa.Column("begins", sa.BigInteger, primary_key=True),
        sa.Column("ends", sa.BigInteger, nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        *_counts("gpu_seconds", "bill_nanousd", "paid_nanousd"),
    )
    op.create_table(
        "gpu_meters",
        sa.Column("route", sa.String(200), primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "spool_positions",
        sa.Column("spool", sa.String(64), primary_key=True),
        sa.Column("segment", sa.String(32), nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO marks (name, number) VALUES ('upkeep', 0)")


def _counts(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]
