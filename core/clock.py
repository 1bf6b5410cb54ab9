"""The server's clock and the one spelling of an instant: UTC, microseconds, `Z`."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)


def iso(at: datetime) -> str:
    """Return the fixed-width text of an aware instant.

    >>> iso(datetime(2026, 3, 2, 8, 15, tzinfo=UTC))
    '2026-03-02T08:15:00.000000Z'
    """
    if at.tzinfo is None:
        raise TypeError("naive time: give an aware UTC instant")
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse_iso(text: str) -> datetime:
    """Return the instant in a text that `iso` wrote, or in any ISO 8601 text with an offset.

    Raises:
        ValueError: the text is no instant, or has no offset.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text}: no offset from UTC")
    return at.astimezone(UTC)


def micros(at: datetime) -> int:
    """Return whole microseconds since 1970-01-01T00:00:00Z.

    >>> micros(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC))
    1000005
    """
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
