"""One entry of the ledger and its canonical bytes: what is hashed, stored and exported.

Canonical means: sorted ASCII keys, no whitespace, no floats (decimals are strings), integers
below 2**53 in magnitude. On that subset the bytes equal RFC 8785. They are encoded once, here,
and never again: everything later reads the stored bytes.
"""

import re
from typing import Any

import msgspec

INTEGER_LIMIT = 2**53
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
CONTROL = re.compile("[\x00-\x1f\x7f]")  # a name with one of these cannot be shown, or stored
LEAF_HEX = re.compile(r"[0-9a-f]{64}")
DEPTH_LIMIT = 64  # keeps every reader's recursion, ours and an inspector's, far from its limit


class NotCanonical(TypeError):
    """A value has no canonical bytes: our own mistake, found before anything is written."""

    def __init__(self, why: str, *path: str) -> None:
        super().__init__(f"{'.'.join(path) or 'value'}: {why}")
        self.why = why
        self.path = path


class Entry(msgspec.Struct, frozen=True):
    """One fact, in its place: number `seq` of the plant, number `ver` of its stream.

    `prev` is the hex leaf hash of the stream's previous entry, None for its first. `at` is the
    fixed-width UTC text of `core.clock.iso`; the order is `seq`, never `at`. `v` is the schema
    version of `data` under `type`. `idem` is the command id; all entries of one command share it.
    """

    seq: int
    stream: str
    ver: int
    prev: str | None
    type: str
    v: int
    at: str
    actor: str
    station: str | None
    idem: str | None
    reason: str | None
    data: dict[str, Any]


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(Entry, strict=True)


def check(value: object, depth: int = 0) -> None:
    """Refuse a value that has no canonical bytes; plain dicts, lists and scalars pass.

    Raises:
        NotCanonical: with the path to the first offending value.
    """
    kind = type(value)
    if kind is dict:
        _check_depth(depth)
        for key, item in value.items():  # type: ignore[attr-defined]
            if type(key) is not str or not key.isascii():
                raise NotCanonical("keys must be ASCII text", repr(key))
            if type(item) is str and item.isascii():
                continue  # nearly every value: a call for each would cost more than the hash
            try:
                check(item, depth + 1)
            except NotCanonical as fault:
                raise NotCanonical(fault.why, key, *fault.path) from None
    elif kind is str:
        if not value.isascii():  # type: ignore[attr-defined]
            _check_unicode(value)  # type: ignore[arg-type]
    elif kind is int:
        if not -INTEGER_LIMIT < value < INTEGER_LIMIT:  # type: ignore[operator]
            raise NotCanonical("integer of 2**53 or more; use a decimal string")
    elif kind is list:
        _check_depth(depth)
        for index, item in enumerate(value):  # type: ignore[arg-type]
            try:
                check(item, depth + 1)
            except NotCanonical as fault:
                raise NotCanonical(fault.why, str(index), *fault.path) from None
    elif value is not None and kind is not bool:
        raise NotCanonical(f"{kind.__name__} has no canonical form; use a string")


def _check_depth(depth: int) -> None:
    if depth >= DEPTH_LIMIT:
        raise NotCanonical(f"nested deeper than {DEPTH_LIMIT} levels")


def _check_unicode(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise NotCanonical("lone surrogate") from None


def canonical(value: object) -> bytes:
    """Return the canonical bytes of a plain value, after `check`."""
    check(value)
    return _encoder.encode(value)


def encode(entry: Entry) -> bytes:
    """Return the canonical bytes of an entry.

    Raises:
        NotCanonical: a field is not of its kind, or `data` holds a value without canonical form.
    """
    _check_envelope(entry)
    try:
        check(entry.data)
    except NotCanonical as fault:
        raise NotCanonical(fault.why, "data", *fault.path) from None
    return _encoder.encode(entry)


def _check_envelope(entry: Entry) -> None:
    for number, name in ((entry.seq, "seq"), (entry.ver, "ver"), (entry.v, "v")):
        if type(number) is not int or not 1 <= number < INTEGER_LIMIT:
            raise NotCanonical("must be a counting number", name)
    check_name(entry.stream, "stream")
    check_name(entry.type, "type")
    check_name(entry.actor, "actor")
    if entry.station is not None:
        check_name(entry.station, "station")
    if entry.idem is not None:
        check_name(entry.idem, "idem")
    if entry.reason is not None:
        if type(entry.reason) is not str:
            raise NotCanonical("must be text or None", "reason")
        check(entry.reason)
    if type(entry.at) is not str or not INSTANT.fullmatch(entry.at):
        raise NotCanonical("must be a UTC instant with microseconds and Z", "at")
    if (entry.prev is None) != (entry.ver == 1):
        raise NotCanonical("must be None for the first entry of a stream, and only there", "prev")
    if entry.prev is not None and not LEAF_HEX.fullmatch(entry.prev):
        raise NotCanonical("must be a leaf hash in hex", "prev")
    if type(entry.data) is not dict:
        raise NotCanonical("must be a dict", "data")


def check_name(text: object, field: str) -> None:
    """Refuse a name that is no text, empty, or has control characters."""
    if type(text) is str and text:
        if text.isascii() and text.isprintable():
            return
        check(text)
        if not CONTROL.search(text):
            return
    raise NotCanonical("must be text, not empty, without control characters", field)


def decode(body: bytes) -> Entry:
    """Return the entry in stored bytes.

    Raises:
        ValueError: the bytes are no entry.
    """
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as fault:
        raise ValueError(f"stored bytes are no entry: {fault}") from fault
