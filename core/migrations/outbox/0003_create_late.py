"""Messages whose facts lie before the cursor: their order was linked to the ERP's afterwards."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0003", "0002"


def upgrade() -> None:
    """Make the table, where it is not there yet."""
    op.create_table(
        "erp_late",
        sa.Column("event_id", sa.String(30), primary_key=True),
        if_not_exists=True,
    )
