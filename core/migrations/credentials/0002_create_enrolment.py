"""Enrolment codes, former secrets, and keys of programs."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    """Make the tables; a database without a number may have them already."""
    op.create_table(
        "enrolment",
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("hash", sa.String, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "former_credential",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("person", sa.String, nullable=False),
        sa.Column("hash", sa.String, nullable=False),
        sa.Column("set_at", sa.String, nullable=False),
        if_not_exists=True,
    )
    op.create_index(
        "ix_former_credential_person", "former_credential", ["person"], if_not_exists=True
    )
    op.create_table(
        "api_key",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("client", sa.String, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("used_at", sa.String, nullable=True),
        if_not_exists=True,
    )
