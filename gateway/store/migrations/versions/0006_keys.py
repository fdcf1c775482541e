"""Virtual keys, and whose a request was."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("key", sa.JSON, nullable=False),
    )
    op.add_column("requests", sa.Column("key_id", sa.String(32)))
    op.add_column("requests", sa.Column("team", sa.String(64)))
    op.add_column("requests", sa.Column("customer", sa.String(64)))
