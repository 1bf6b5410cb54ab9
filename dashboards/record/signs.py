"""Signs that a reader would not see, or that turn the order of others: named by their number.

Page and paper name the same ones in the same way, so that neither hides what the other shows. The
values of the record, in `record.json`, stay as they were given.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

# Controls; what joins or parts words unseen; what turns their order; tags; what is no sign at all.
_UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""Return a text as page and paper show it; the end of a line is one sign, however it is kept.

    >>> visible("S S  1.8 kg\r"), visible("5.0 \u202egk"), visible("one\r\ntwo")
    ('S S  1.8 kg\\x0d', '5.0 \\u202egk', 'one\ntwo')
    """
    return _UNSEEN.sub(_named, text.replace("\r\n", "\n"))


def _named(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def mapped(value: Any, change: Callable[[str], str]) -> Any:
    """Return plain values with every text changed; the names of fields stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: mapped(one, change) for name, one in value.items()}
    return [mapped(one, change) for one in value] if isinstance(value, list | tuple) else value


def texts(value: Any) -> Iterator[str]:
    """Yield every text in plain values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts(one)
