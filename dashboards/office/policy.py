"""The boundary policy as the office sees it, and what is signed for a new version. No widgets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from config.boundary import CHOICES, TITLES, in_words, profiles, read_profile
from core.authority import PlantRules, PolicyVersion
from core.boundary import SignBoundaryPolicy, changes
from core.errors import Refused
from core.ledger.entry import Entry
from core.policy import OPEN, Decisions
from core.signature import Seen, SignatureApplied
from core.signature_check import signature_in
from dashboards.parts import local_time
from dashboards.signing_act import Ask

WRITTEN = "%Y-%m-%d %H:%M"
AT_ONCE = "at once, when it is signed"


class Standing(StrEnum):
    """Where a version stands at an instant."""

    PAST = "past"
    IN_FORCE = "in force"
    FUTURE = "future"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One version beside the one before it; `signature` is None where it was only adopted."""

    version: PolicyVersion
    standing: Standing
    before: PolicyVersion | None
    until: datetime | None
    signature: SignatureApplied | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the form holds."""

    profile: str
    choices: Mapping[str, str]
    when: str
    why: str


class NoReason(Refused):
    """A version says why it was made."""

    def __init__(self) -> None:
        super().__init__("Reason: is empty. Write why the boundary changes.")


class NotAChoice(Refused):
    """A decision is one of its choices."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__(f"{TITLES[name]}: {value!r} is no choice. Choose one from the menu.")


class NoSuchTime(Refused):
    """A plant's clock never shows this, shows it twice, or it is no time at all."""

    def __init__(self, text: str, zone: ZoneInfo, why: str) -> None:
        super().__init__(
            f"Effective from: {text!r} {why}. Write it as 2026-11-23 06:00, in {zone.key}.",
            text=text,
            zone=zone.key,
        )


def in_force(rules: PlantRules | None, at: datetime) -> Decisions:
    """Return the decisions in force; where nothing was signed, those that allow everything."""
    version = None if rules is None else rules.policy(at)
    return OPEN if version is None else version.decisions


def history(rules: PlantRules, entries: Sequence[Entry], at: datetime) -> tuple[Shown, ...]:
    """Return every version, the newest first; `entries` is the plant's stream."""
    current, shown = rules.policy(at), []
    by_seq = {entry.seq: entry for entry in entries}
    for n, version in enumerate(rules.policies):
        later = rules.policies[n + 1 :]
        standing = Standing.PAST if version.effective_at <= at else Standing.FUTURE
        if current is not None and version.version == current.version:
            standing = Standing.IN_FORCE
        # a later version of an earlier or equal time takes the place before this one ever ruled
        until = min((one.effective_at for one in later), default=None)
        act = by_seq.get(version.seq)
        signed = (
            signature_in(one)
            for one in entries
            if act is not None and one.type == "signature.applied" and one.idem == act.idem
        )
        shown.append(
            Shown(
                version=version,
                standing=standing,
                before=rules.policies[n - 1] if n else None,
                until=until,
                signature=next(signed, None),
            )
        )
    return tuple(reversed(shown))


def ready_profiles() -> dict[str, tuple[str, Decisions]]:
    """Return the profiles that come with the product: what each is for, and its decisions."""
    found = {}
    for name in profiles():
        read, faults = read_profile(name)
        assert read is not None, faults
        found[name] = (read.says, read.decisions)
    return found


def instant_of(text: str, zone: ZoneInfo) -> datetime | None:
    """Return the instant that a person wrote in the plant's zone, None for an empty text.

    Raises:
        NoSuchTime: it is no time, or the clocks skip it or show it twice that night.
    """
    said = text.strip()
    if not said:
        return None
    try:
        naive = datetime.strptime(said, WRITTEN)  # noqa: DTZ007 - the zone is put on below
    except ValueError:
        raise NoSuchTime(said, zone, "is no time") from None
    first, second = (naive.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != naive:
        raise NoSuchTime(said, zone, "is skipped by the clocks that night")
    if first.utcoffset() != second.utcoffset():
        raise NoSuchTime(said, zone, "comes twice that night; choose an hour before or after")
    return first.astimezone(UTC)


def change_lines(before: Decisions | None, after: Decisions) -> tuple[tuple[str, str], ...]:
    """Return what differs in plain words: the decision's title, and `is`, `was`."""
    return tuple(
        (
            TITLES[name],
            CHOICES[name, new] + (f"; was: {CHOICES[name, old]}" if old else ""),
        )
        for name, (old, new) in changes(before, after).items()
    )


def ask_policy(rules: PlantRules, draft: Draft, *, seen: Seen, zone: ZoneInfo) -> Ask:
    """Return what is signed for a new version.

    Raises:
        NoReason: why is empty.
        NotAChoice: the form holds something that its menus do not offer.
        NoSuchTime: the effective time is none.
    """
    why = draft.why.strip()
    if not why:
        raise NoReason
    for name in TITLES:
        if (name, draft.choices[name]) not in CHOICES:
            raise NotAChoice(name, draft.choices[name])
    at = instant_of(draft.when, zone)
    newest = rules.policies[-1] if rules.policies else None
    decisions = Decisions(**draft.choices)  # type: ignore[arg-type]
    lines = change_lines(None if newest is None else newest.decisions, decisions)
    return Ask(
        subject=f"Boundary policy, version {1 if newest is None else newest.version + 1}",
        lines=(
            ("Effective", AT_ONCE if at is None else local_time(at, zone, seconds=False)),
            *lines,
            ("Reason", why),
            ("Record", f"version {seen.ver}"),
        ),
        command=SignBoundaryPolicy(
            plant=rules.plant,
            profile=draft.profile,
            decisions=decisions,
            effective_at=at,
            why=why,
            seen=seen,
        ),
    )


def sentences(decisions: Decisions) -> dict[str, str]:
    """Return each decision's sentence, by its name."""
    return {one.name: one.says for one in in_words(decisions)}
