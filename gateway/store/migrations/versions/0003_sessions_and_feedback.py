"""Whose session a request belongs to, its language where that was known, and what its user made of the answer."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("requests", sa.Column("session", sa.String(128)))
    op.add_column("requests", sa.Column("language", sa.String(64)))
    has_session = sa.text("session IS NOT NULL")
    op.create_index(
        "requests_session",
        "requests",
        ["session", "settled_at"],
        sqlite_where=has_session,
        postgresql_where=has_session,
    )
    op.create_table(
        "feedback",
        sa.Column("request_id", sa.String(32), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("language", sa.String(64)),
    )
