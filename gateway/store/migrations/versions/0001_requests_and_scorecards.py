"""The ledger's requests and the scorecards."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "requests",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("spool", sa.String(64), nullable=False),
        sa.Column("opened_at", sa.Float),
        sa.Column("settled_at", sa.Float),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("asked", sa.String(200), nullable=False),
        sa.Column("policy", sa.String(200), nullable=False),
        sa.Column("wire", sa.String(32), nullable=False),
        sa.Column("route", sa.String(200)),
        sa.Column("revision", sa.String(32)),
        sa.Column("outcome", sa.String(64)),
        sa.Column("status", sa.Integer),
        sa.Column("cache", sa.String(16)),
        sa.Column("streamed", sa.Boolean),
        sa.Column("input_tokens", sa.BigInteger),
        sa.Column("output_tokens", sa.BigInteger),
        sa.Column("cached_input_tokens", sa.BigInteger),
        sa.Column("usage_source", sa.String(16)),
        sa.Column("cost_nanousd", sa.BigInteger),
        sa.Column("ttft_ms", sa.Float),
        sa.Column("total_ms", sa.Float),
        sa.Column("attempts", sa.JSON),
    )
    op.create_index("requests_settled_at", "requests", ["settled_at"])
    op.create_index("requests_open_by_spool", "requests", ["spool", "outcome"])
    op.create_table(
        "scorecards",
        sa.Column("run_id", sa.String(200), primary_key=True),
        sa.Column("route", sa.String(200), primary_key=True),
        sa.Column("revision", sa.String(32), primary_key=True),
        sa.Column("suite", sa.String(200), primary_key=True),
        sa.Column("language", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("scorecard", sa.JSON, nullable=False),
    )
