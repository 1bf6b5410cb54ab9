"""The people pages as HTML: lists, one person, forms, and what is shown once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

from core.client import Client, KeyState
from core.clock import parse_iso
from core.ledger.entry import Entry
from core.ledger.search import Wanted, search
from core.ledger.store import Ledger
from core.people import Person, PersonState
from core.secret_rules import AccountPolicy
from dashboards import parts
from dashboards.entry_words import summary
from dashboards.palette import State
from dashboards.parts import local_time
from dashboards.people.acts import DOOR, Act, Field, age_words

ALERTS = (
    "person.locked", "person.lock-withheld", "person.badge-revoked", "person.enrolment-issued",
    "person.enrolment-confirmed",
    "person.identity-proposed", "person.identity-linked", "client.key-issued",
)  # fmt: skip
MOST_ALERTS = 15


def state_chip(person: Person) -> Markup:
    """Return how a person's access stands."""
    if person.state is PersonState.RETIRED:
        return parts.chip(State.UNKNOWN, "Ended")
    if person.state is PersonState.LOCKED:
        return parts.chip(State.BAD, f"Locked after {person.failures}")
    if person.enrolment_ends_at is not None:
        waits = "first secret" if person.enrolment_confirmed else "code"
        return parts.chip(State.NEAR, f"Waits for {waits}")
    return parts.chip(State.OK, "Active")


def roles_of(roles: Iterable[str]) -> str:
    """Return roles as the header prints them."""
    return ", ".join("QA" if role == "qa" else role for role in roles) or "none"


def badge_of(person: Person, *, whole: bool) -> str:
    """Return a badge's number; its end alone for who gives no badges: it is half a signature."""
    if not person.badge:
        return f"none; {person.former_badge} is dead" if person.former_badge else "none"
    return person.badge if whole else f"… {person.badge[-2:]}"


def people_table(people: Sequence[Person], zone: ZoneInfo, *, whole_badges: bool) -> Markup:
    """Return all people, those who may act first."""
    rows = [
        (
            parts.link(one.name, f"/people/{one.person}"),
            one.person + (" (simulated)" if one.simulated else ""),
            state_chip(one),
            roles_of(one.roles),
            badge_of(one, whole=whole_badges),
            local_time(one.signed_in_at, zone, seconds=False),
        )
        for one in sorted(people, key=lambda one: (one.state == "retired", one.name))
    ]
    head = ("Name", "User id", "Access", "Roles", "Badge", "Newest sign-in")
    return parts.table("People", head, rows, testid="people")


def person_facts(person: Person, zone: ZoneInfo, *, whole_badge: bool) -> Markup:
    """Return one person's access."""
    ends = person.enrolment_ends_at
    return parts.facts(
        [
            ("User id", person.person),
            ("Access", state_chip(person)),
            ("Roles", roles_of(person.roles)),
            ("Badge", badge_of(person, whole=whole_badge)),
            ("Registered", local_time(person.registered_at, zone, seconds=False)),
            ("Identity checked on", person.identity_checked_on or "not recorded here"),
            ("Secret chosen", local_time(person.secret_set_at, zone, seconds=False)),
            ("Enrolment code ends", local_time(ends, zone, seconds=False) if ends else "no code"),
            ("Failures in a row", person.failures),
            ("Newest sign-in", local_time(person.signed_in_at, zone, seconds=False)),
            ("Provider", ", ".join(person.issuers) or "none"),
            *_proposed(person),
        ],
        wide=True,
    )


def _proposed(person: Person) -> list[tuple[str, object]]:
    """Return what waits for a second person about an identity."""
    it = person.identity_proposed
    if it is None:
        return []
    says = f"{it.subject} of {it.issuer}, by {person.identity_by}. It opens nothing yet"
    return [("Provider, proposed", says)]


def acts_list(person: Person, acts: Sequence[Act]) -> Markup:
    """Return links to what can be done about a person."""
    if not acts:
        return parts.paragraph("Nothing can be changed here with your role.", muted=True)
    links = Markup("").join(
        Markup('<li><a class="bw-act" href="/people/{}/{}">{}</a></li>').format(
            person.person, act.path, act.title
        )
        for act in acts
    )
    return Markup('<ul class="bw-acts">{}</ul>').format(links)


def entries_table(caption: str, entries: Iterable[Entry], empty: str, *, zone: ZoneInfo) -> Markup:
    """Return entries in words, the newest first."""
    rows = [
        (local_time(parse_iso(entry.at), zone), summary(entry), entry.actor) for entry in entries
    ]
    return parts.table(caption, ("When", "What", "By"), rows, empty=empty, row_head=False)


def alerts(ledger: Ledger) -> list[Entry]:
    """Return the newest entries that somebody responsible for access must have seen."""
    found: list[Entry] = []
    for kind in ALERTS:
        found += search(ledger, Wanted(type=kind), limit=MOST_ALERTS).entries
    streams = ("person/", "client/")  # a badge's own stream holds copies
    kept = [entry for entry in found if entry.stream.startswith(streams)]
    return sorted(kept, key=lambda entry: -entry.seq)[:MOST_ALERTS]


def clients_table(
    clients: Sequence[Client], used: Mapping[str, str], at: datetime, *, zone: ZoneInfo
) -> Markup:
    """Return programs with their keys; a live key can be revoked from its row."""
    tones = {KeyState.LIVE: State.OK, KeyState.ENDED: State.UNKNOWN, KeyState.REVOKED: State.BAD}
    rows: list[tuple[object, ...]] = []
    for client in sorted(clients, key=lambda one: one.client):
        more = parts.link("Give a key", f"/people/~client/{client.client}")
        rows.append((client.name, client.client, roles_of(client.roles), "", "", "", more))
        for key in client.keys:
            state = key.state(at)
            end = parts.link("Revoke", f"/people/~client/{client.client}/{key.key}")
            rows.append(
                (
                    "", f"Key {key.key}", parts.chip(tones[state], state.value.capitalize()),
                    local_time(key.issued_at, zone, seconds=False),
                    local_time(key.ends_at, zone, seconds=False),
                    _used(used.get(key.key), zone),
                    end if state is KeyState.LIVE else key.revoked or "",
                )
            )  # fmt: skip
    head = ("Program", "Id", "Roles or state", "Given", "Ends", "Last used", "")
    return parts.table("Programs and their keys", head, rows, empty="No program has a key.")


def _used(at: str | None, zone: ZoneInfo) -> object:
    return "never" if at is None else local_time(parse_iso(at), zone, seconds=False)


def policy_facts(policy: AccountPolicy, adopted: Entry | None, zone: ZoneInfo) -> Markup:
    """Return the rules for secrets that are in force, and who put them there."""
    since = "The rules that every plant begins with."
    if adopted is not None:
        at = local_time(parse_iso(adopted.at), zone, seconds=False)
        since = Markup("{}, by {}, {}").format(
            at, adopted.actor, parts.link(f"entry {adopted.seq}", f"/audit?entry={adopted.seq}")
        )
    rows: list[tuple[str, object]] = [
        ("A secret ends", age_words(policy.secret_days)),
        ("Former secrets that are not taken again", str(policy.remembered)),
        ("With a sign-in provider", DOOR[policy.local_with_provider]),
        ("In force since", since),
    ]
    return Markup('<div data-testid="policy">{}{}</div>').format(
        parts.heading("Rules for secrets"), parts.facts(rows)
    )


def field(it: Field) -> Markup:
    """Return one field with its label."""
    hint = Markup('<p class="hint" id="{0}-hint">{1}</p>').format(it.name, it.hint)
    described = Markup(' aria-describedby="{}-hint"').format(it.name) if it.hint else ""
    if it.many:
        boxes = Markup("").join(
            Markup('<label class="box"><input type="checkbox" name="{}" value="{}"{}> {}</label>')
            .format(it.name, value, Markup(" checked") if value in it.value else "", label)
            for value, label in it.options
        )  # fmt: skip
        return Markup("<fieldset><legend>{}</legend>{}</fieldset>").format(it.label, boxes)
    label = Markup('<label for="{0}">{1}</label>').format(it.name, it.label)
    if it.options:
        options = Markup("").join(
            Markup('<option value="{}"{}>{}</option>').format(
                value, Markup(" selected") if value in it.value else "", text
            )
            for value, text in it.options
        )
        control = Markup('<select id="{0}" name="{0}"{1}>{2}</select>').format(
            it.name, described, options
        )
    else:
        control = Markup(
            '<input id="{0}" name="{0}" type="{1}" value="{2}" maxlength="255" required'
            ' autocomplete="off"{3}>'
        ).format(it.name, it.kind, (it.value or ("",))[0], described)
    return join(label, control, hint if it.hint else "")


def join(*pieces: object) -> Markup:
    """Return pieces one after the other, plain text escaped."""
    return parts.join(*pieces)


def form(
    title: str,
    says: str,
    *,
    action: str,
    back: str,
    hidden: Mapping[str, str],
    fields: Iterable[Field],
    button: str,
    refusal: str = "",
    above: Markup = Markup(""),
    below: Markup = Markup(""),
    warns: bool = False,
) -> Markup:
    """Return a sheet with a form, its refusal and the way back."""
    alert = (
        Markup(
            '<div class="bw-refusal" role="alert" data-testid="refusal">'
            "<strong>Not done.</strong> {}</div>"
        ).format(refusal)
        if refusal
        else ""
    )
    kept = Markup("").join(
        Markup('<input type="hidden" name="{}" value="{}">').format(name, value)
        for name, value in hidden.items()
    )
    return Markup(
        '<div class="bw-sheet wide"><h1>{}</h1><p>{}</p>{}'
        '<form method="post" action="{}" autocomplete="off">{}{}{}'
        '<button class="bw-button{}" type="submit">{}</button>{}</form><p class="back">{}</p></div>'
    ).format(
        title, says, alert, action, above, kept, Markup("").join(field(one) for one in fields),
        " warns" if warns else "", button, below, parts.link("Back, change nothing", back),
    )  # fmt: skip


def once(title: str, code: str, *, says: str, back: str) -> Markup:
    """Return what is shown one time."""
    return Markup(
        '<div class="bw-sheet wide"><h1>{}</h1><p class="bw-code" data-testid="once">{}</p>'
        "<p>{}</p><p>{}</p></div>"
    ).format(title, code, says, parts.link("Done, take it away", back))
