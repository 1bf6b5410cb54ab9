"""Registers to numbers: 16-bit words, most significant bit first, in a configured word order.

Devices differ in the order of the words of a longer number, and the wrong order reads as a
plausible small number. So every tag names its order and the range its value may have.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

type WordOrder = Literal["big", "little"]
type Kind = Literal["uint16", "int16", "uint32", "int32", "float32"]

WORDS: dict[str, int] = {"uint16": 1, "int16": 1, "uint32": 2, "int32": 2, "float32": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """Where a value is and what it may be. `low` and `high` are closed."""

    address: int
    kind: Kind = "uint16"
    word_order: WordOrder = "big"
    low: float = 0
    high: float = 0xFFFF_FFFF


def decode(words: Sequence[int], kind: Kind, word_order: WordOrder) -> int | float:
    """Return the number in one or two registers.

    >>> decode([0xFFFF, 0xFFFA], "uint32", "big"), decode([0xFFFA, 0xFFFF], "uint32", "little")
    (4294967290, 4294967290)
    """
    assert len(words) == WORDS[kind]
    ordered = words if word_order == "big" else list(reversed(words))
    whole = b"".join(word.to_bytes(2, "big") for word in ordered)
    match kind:
        case "uint16" | "uint32":
            return int.from_bytes(whole, "big")
        case "int16" | "int32":
            return int.from_bytes(whole, "big", signed=True)
        case "float32":
            value: float = struct.unpack(">f", whole)[0]
            return value


def encode_uint32(value: int, word_order: WordOrder) -> list[int]:
    """Return the two registers of an unsigned 32-bit number."""
    words = [value >> 16 & 0xFFFF, value & 0xFFFF]
    return words if word_order == "big" else words[::-1]


def value_of(tag: Tag, block: Sequence[int], start: int) -> int | float | None:
    """Return a tag's value out of a block that begins at address `start`.

    None when the value is outside the tag's range: a wrong word order or a foreign device.
    """
    at = tag.address - start
    value = decode(block[at : at + WORDS[tag.kind]], tag.kind, tag.word_order)
    return value if tag.low <= value <= tag.high else None


def span(tags: Sequence[Tag]) -> tuple[int, int]:
    """Return (start, count) of the one block that holds all tags, so that none is torn."""
    start = min(tag.address for tag in tags)
    end = max(tag.address + WORDS[tag.kind] for tag in tags)
    return start, end - start
