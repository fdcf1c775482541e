"""What watching has decided."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "admissions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("route", sa.String(200), nullable=False),
        sa.Column("revision", sa.String(32), nullable=False),
        sa.Column("suite", sa.String(200), nullable=False),
        sa.Column("language", sa.String(64)),
        sa.Column("at_least", sa.Float, nullable=False),
        sa.Column("admission", sa.JSON, nullable=False),
    )
    op.create_index("admissions_by_gate", "admissions", ["route", "revision", "suite", "language", "at_least"])
