"""Messages to the ERP with their attempts and receipts, and what was pulled from it."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None

# table -> the columns whose change is refused; none named refuses every change
FROZEN: dict[str, tuple[str, ...]] = {
    "erp_message": ("event_id", "erp_ref", "lane", "lane_seq", "entry_seq", "body", "sha256"),
    "erp_attempt": (),
    "erp_receipt": (),
}


def _text(name: str, length: int | None = None, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=nullable)


def _long(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _count(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=nullable)


def upgrade() -> None:
    """Make the tables, where they are not there yet."""
    _messages()
    _answers()
    _pulled()
    _guards()


def _messages() -> None:
    op.create_table(
        "erp_relay_cursor",
        sa.Column("target", sa.String, primary_key=True),
        _count("upto_seq"),
        if_not_exists=True,
    )
    op.create_table(
        "erp_message",
        sa.Column("event_id", sa.String(30), primary_key=True),
        sa.Column("erp_ref", sa.String(16), nullable=False, unique=True),
        _text("lane"),
        _count("lane_seq"),
        sa.Column("entry_seq", sa.Integer, nullable=False, unique=True),
        _text("type"),
        sa.Column("body", sa.LargeBinary, nullable=False),
        _text("sha256", 64),
        _text("made_at", 27),
        _text("state"),
        _count("attempts"),
        _text("due_at", 27),
        _text("lease_owner", nullable=True),
        _text("lease_until", 27, nullable=True),
        _text("ticket", nullable=True),
        _text("last_code", nullable=True),
        _long("last_error", nullable=True),
        _text("settled_by", nullable=True),
        sa.UniqueConstraint("lane", "lane_seq"),
        if_not_exists=True,
    )
    op.create_index(
        "erp_message_open", "erp_message", ["state", "lane", "lane_seq"], if_not_exists=True
    )
    op.create_table(
        "erp_aside",
        sa.Column("entry_seq", sa.Integer, primary_key=True),
        _text("type"),
        _text("lane", nullable=True),
        _text("code"),
        _long("why"),
        if_not_exists=True,
    )


def _answers() -> None:
    op.create_table(
        "erp_attempt",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        _text("event_id", 30),
        _text("at", 27),
        _text("outcome"),
        _text("code", nullable=True),
        _count("status", nullable=True),
        _long("error", nullable=True),
        _long("sent_headers"),
        if_not_exists=True,
    )
    op.create_table(
        "erp_receipt",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        _text("event_id", 30),
        _text("at", 27),
        _text("status"),
        sa.Column("body", sa.LargeBinary, nullable=False),
        _long("headers"),
        _long("documents"),
        _text("period", nullable=True),
        _count("checkpoint_size", nullable=True),
        _text("checkpoint_root", 64, nullable=True),
        if_not_exists=True,
    )
    for table in ("erp_attempt", "erp_receipt"):
        op.create_index(f"ix_{table}_event_id", table, ["event_id"], if_not_exists=True)


def _pulled() -> None:
    op.create_table(
        "erp_pull_page",
        sa.Column("target", sa.String, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        _text("url"),
        _text("etag", nullable=True),
        _text("last_modified", nullable=True),
        _text("sha256", 64, nullable=True),
        sa.Column("body", sa.LargeBinary),
        _text("fetched_at", 27, nullable=True),
        _text("checked_at", 27, nullable=True),
        _text("status"),
        _long("fault", nullable=True),
        *(_count(f"count_{what}") for what in ("200", "304", "unchanged", "failed")),
        if_not_exists=True,
    )
    op.create_table(
        "erp_pull_record",
        sa.Column("target", sa.String, primary_key=True),
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        _text("sha256", 64),
        _count("accepted"),
        _long("fault", nullable=True),
        _text("vanished_at", 27, nullable=True),
        if_not_exists=True,
    )


def _guards() -> None:
    connection = op.get_bind()
    for table, columns in FROZEN.items():
        of = f" of {', '.join(columns)}" if columns else ""
        for verb, scope in (("update", of), ("delete", "")):
            name = f"{table}_no_{verb}"
            says = f"{table}: rows are evidence and are only added"
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql(
                    f"create trigger if not exists {name} before {verb}{scope} on {table}"
                    f" begin select raise(abort, '{says}'); end"
                )
            else:
                connection.exec_driver_sql(
                    f"create or replace function {name}() returns trigger language plpgsql as"
                    f" $$ begin raise exception '{says}'; end $$"
                )
                connection.exec_driver_sql(
                    f"create or replace trigger {name} before {verb}{scope} on {table}"
                    f" for each row execute function {name}()"
                )
