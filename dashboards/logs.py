"""The log: one line for each event, and for security `event=... key=value`, nothing typed.

Whatever a client can choose is quoted with its control characters escaped, so that no request
writes a line of its own. Names, user ids and secrets stay out; a login is known by its public id.
The audit trail is the ledger, never this.
"""

import json
import logging
import sys
from datetime import UTC, datetime

SECURITY = logging.getLogger("batchwright.security")
LONGEST = 200


def pair(name: str, value: object) -> str:
    r"""Return `name=value`, the value quoted where it is more than a plain word.

    >>> pair("path", "/kiosk"), pair("path", "/a b\nevent=x")
    ('path=/kiosk', 'path="/a b\\nevent=x"')
    """
    text = "-" if value is None or value == "" else str(value)
    if len(text) > LONGEST:
        text = text[:LONGEST] + "..."
    plain = all(33 <= ord(sign) < 127 and sign not in '"=\\' for sign in text)
    return f"{name}={text if plain else json.dumps(text)}"


def security(event: str, **facts: object) -> None:
    """Log one event of security."""
    SECURITY.info(" ".join(pair(name, value) for name, value in {"event": event, **facts}.items()))


class OneLine(logging.Formatter):
    """Time in UTC, level, logger and message; control characters of the message are escaped.

    A traceback follows on lines of its own, indented, since its text is the program's.
    """

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Return the moment of a record, as the ledger spells its own."""
        at = datetime.fromtimestamp(record.created, UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line."""
        record.message = "".join(_visible(sign) for sign in record.message)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:
        """Return a traceback that cannot be taken for lines of the log."""
        text = super().formatException(ei)  # type: ignore[arg-type]
        return "\n".join("  | " + "".join(map(_visible, line)) for line in text.splitlines())


def _visible(sign: str) -> str:
    return sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii")


def to_stderr() -> None:
    """Send the log to the terminal or the service manager: events of security, and warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(logging.WARNING)
    SECURITY.setLevel(logging.INFO)
