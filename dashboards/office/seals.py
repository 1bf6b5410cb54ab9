"""The certificates behind the seals of paper: until when they hold, and what somebody must do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from core.certificate import SealTerms, seal_terms
from dashboards import parts
from dashboards.palette import State
from dashboards.parts import chip, join, local_time, paragraph
from dashboards.waiting import KEYS, Section, Task

SOON = timedelta(days=180)
HEAD = ("Certificate", "State", "Holds until", "What follows")
NOTE = (
    "Seals with a time stamp can be checked until the certificate of the authority behind the stamp"
    " ends, and for longer where a file is stamped again before then (batchwright stamp). Seals"
    " without one can be checked while the plant's certificate lasts."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealRow:
    """A certificate; `waits` where somebody has to do something about it."""

    title: str
    state: State
    word: str
    until: datetime | None
    follows: str
    waits: bool = False


def seal_rows(
    keys: Path | None, stampers: Sequence[Any], at: datetime, *, zone: ZoneInfo
) -> tuple[SealRow, ...]:
    """Return the plant's certificates and those of its time-stamp authority, as of an instant."""
    terms = None if keys is None else seal_terms(keys)
    own = () if terms is None else (_signer(terms, zone), _authority(terms, at, zone))
    return (*own, *_stampers(stampers, at))


def seals_view(rows: Sequence[SealRow], zone: ZoneInfo) -> Markup:
    """Return the certificates as a table."""
    table = parts.table(
        "Certificates of the seals on paper", HEAD,
        [
            (one.title, chip(one.state, one.word), local_time(one.until, zone, seconds=False),
             one.follows)
            for one in rows
        ],
        testid="seals",
    )  # fmt: skip
    return join(table, paragraph(NOTE, muted=True))


def seals_waiting(rows: Sequence[SealRow], zone: ZoneInfo) -> Section | None:
    """Return certificates that need somebody: seldom any, then no empty section."""
    tasks = tuple(
        Task(
            title=one.title,
            tone=one.state,
            word=one.word,
            href=KEYS,
            lines=(one.follows, f"Holds until {local_time(one.until, zone, seconds=False)}"),
        )
        for one in rows
        if one.waits
    )
    return Section(title="Seals of printed records", tasks=tasks, empty="") if tasks else None


def _signer(it: SealTerms, zone: ZoneInfo) -> SealRow:
    follows = local_time(it.signer_follows_at, zone, seconds=False)
    return SealRow(
        title="The plant's seal",
        state=State.OK,
        word="In force",
        until=it.signer_ends,
        follows=f"Another by itself, with the first print after {follows}.",
    )


def _authority(it: SealTerms, at: datetime, zone: ZoneInfo) -> SealRow:
    """Return the authority that readers trust; they need the file of the next one in good time."""
    day = local_time(it.followed_at, zone, seconds=False)
    state, word, waits = State.OK, "In force", False
    follows = f"Another with the first print after {day}: readers need its authority.pem then."
    if it.former and at - it.made_at < SOON:
        state, word, waits = State.NEAR, "New", True
        follows = f"Give {it.authority.parent.name}/authority.pem to every reader, beside the old."
    elif it.followed_at - at < SOON:
        state, word, waits = State.NEAR, "Another follows soon", True
    return SealRow(
        title="The plant's authority, which readers trust",
        state=state, word=word, until=it.authority_ends, follows=follows, waits=waits,
    )  # fmt: skip


def _stampers(stampers: Sequence[Any], at: datetime) -> Iterator[SealRow]:
    if not stampers:
        yield SealRow(
            title="Time-stamp authority", state=State.UNKNOWN, word="None named", until=None,
            follows="Name one, so that seals can be checked after their certificate.",
        )  # fmt: skip
    for one in stampers:
        until = one.not_valid_after_utc
        state, word = State.OK, "In force"
        if until <= at:
            state, word = State.BAD, "Has ended"
        elif until - at < SOON:
            state, word = State.NEAR, "Ends soon"
        yield SealRow(
            title=f"Time-stamp authority: {_name(one)}",
            state=state,
            word=word,
            until=until,
            follows="Add its next certificate to BATCHWRIGHT_TSA_CERTIFICATES before then.",
            waits=state is not State.OK,
        )


def _name(certificate: Any) -> str:
    """Return the common name of a certificate's holder, else all of it."""
    names = [one.value for one in certificate.subject if one.rfc4514_attribute_name == "CN"]
    return str(names[0]) if names else str(certificate.subject.rfc4514_string())
