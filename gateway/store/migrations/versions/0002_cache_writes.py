"""Input tokens that a provider wrote to its cache."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("requests", sa.Column("cache_write_tokens", sa.BigInteger))
    op.add_column("requests", sa.Column("cache_write_1h_tokens", sa.BigInteger))
