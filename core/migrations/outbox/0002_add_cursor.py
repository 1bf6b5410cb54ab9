"""Where the next question for changes begins, and when the whole page was last read."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    """Add the columns; a database without a number may have them already."""
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("erp_pull_page")}
    for name in ("cursor_since", "swept_at"):
        if name not in there:
            op.add_column("erp_pull_page", sa.Column(name, sa.String(27), nullable=True))
