"""Intervals, counts and the open stretch of each line; intervals and counts are append-only."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None

GUARD = (
    "create trigger if not exists {table}_no_{verb} before {verb} on {table}"
    " begin select raise(abort, '{table} is append-only'); end"
)
NO_OVERLAP = (
    "create trigger if not exists interval_no_overlap before insert on interval when exists ("
    "select 1 from interval where line = new.line"
    " and end_us > new.start_us and start_us < new.end_us) "
    "begin select raise(abort, 'intervals of a line must not overlap'); end"
)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String, nullable=nullable)


def _whole(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def _keys() -> tuple[sa.Column[int] | sa.Column[str], ...]:
    names = ("order_id", "batch", "sku")
    optional = (_text(name, nullable=True) for name in names)
    return _whole("hour_us"), _text("shift"), _text("business_date"), *optional


def upgrade() -> None:
    """Make the tables, where they are not there yet."""
    op.create_table(
        "interval",
        sa.Column("id", sa.Integer, primary_key=True),
        _text("line"),
        _text("state"),
        _text("reason", nullable=True),
        _whole("start_us"),
        _whole("end_us"),
        *_keys(),
        _text("source"),
        sa.CheckConstraint("start_us < end_us"),
        if_not_exists=True,
    )
    op.create_table(
        "produced",
        sa.Column("id", sa.Integer, primary_key=True),
        _text("line"),
        _whole("at_us"),
        _whole("good"),
        _whole("scrap"),
        sa.Column("estimated", sa.Boolean, nullable=False),
        *_keys(),
        sa.CheckConstraint("good >= 0 AND scrap >= 0"),
        if_not_exists=True,
    )
    op.create_table(
        "current",
        sa.Column("line", sa.String, primary_key=True),
        _text("state"),
        _whole("since_us"),
        _whole("seen_us"),
        _text("reason", nullable=True),
        _whole("state_since_us"),
        _whole("good_raw", nullable=True),
        _whole("scrap_raw", nullable=True),
        _whole("counted_us"),
        *_keys(),
        if_not_exists=True,
    )
    op.create_index("interval_line_end", "interval", ["line", "end_us"], if_not_exists=True)
    op.create_index("interval_line_hour", "interval", ["line", "hour_us"], if_not_exists=True)
    op.create_index("produced_line_hour", "produced", ["line", "hour_us"], if_not_exists=True)
    connection = op.get_bind()
    for table in ("interval", "produced"):
        for verb in ("update", "delete"):
            connection.exec_driver_sql(GUARD.format(table=table, verb=verb))
    connection.exec_driver_sql(NO_OVERLAP)
