"""Hashes of people's secrets."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None


def upgrade() -> None:
    """Make the tables, where they are not there yet."""
    op.create_table(
        "credential",
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("hash", sa.String, nullable=False),
        sa.Column("set_at", sa.String, nullable=False),
        if_not_exists=True,
    )
