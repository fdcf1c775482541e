"""What was set aside for a request before it was sent: all that is known of one whose worker died."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("requests", sa.Column("reserved_nanousd", sa.BigInteger))
