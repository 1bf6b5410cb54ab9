"""What can be done about a person: one form and one command each. No rule is here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.access import (
    CONFIRMING,
    LINKING,
    BadgeEnd,
    ConfirmEnrolment,
    ConfirmIdentity,
    Document,
    IssueBadge,
    IssueEnrolment,
    LinkIdentity,
    RevokeBadge,
)
from core.authority import AdoptAccountPolicy
from core.client import IssueKey, RegisterClient
from core.fact import Command
from core.people import (
    ROLES,
    ChangeRoles,
    Person,
    PersonState,
    RegisterPerson,
    RetirePerson,
    UnlockPerson,
)
from core.secret_rules import AGES_DAYS, MOST_REMEMBERED, AccountPolicy
from core.signature import Seen

type Form = Mapping[str, tuple[str, ...]]
KEY_DAYS = 180
DOOR = {
    True: "Local secrets open the door as well",
    False: "The provider alone opens the door",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a form; with `options` a choice, and with `many` boxes to tick."""

    name: str
    label: str
    kind: str = "text"
    options: tuple[tuple[str, str], ...] = ()
    many: bool = False
    hint: str = ""
    value: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing to do: its command's name, its form, and what the form becomes.

    `fits` tells for which people the page offers it; the rule itself is asked when it is done.
    """

    path: str
    action: str
    title: str
    says: str
    button: str
    fields: Callable[[Person], tuple[Field, ...]]
    command: Callable[[Person, Form, Seen], Command]
    fits: Callable[[Person], bool]
    meaning: str = ""


def one(form: Form, name: str) -> str:
    """Return a field's only value, empty where it was not filled."""
    return (form.get(name) or ("",))[0].strip()


def words(value: str) -> str:
    """Return a choice in words."""
    return value.replace("_", " ").capitalize()


def _choices(kind: type[Document] | type[BadgeEnd]) -> tuple[tuple[str, str], ...]:
    return tuple((str(each.value), words(each.value)) for each in kind)


def role_field(held: tuple[str, ...] = (), *, without: str = "") -> Field:
    """Return the boxes for roles."""
    names = tuple((r, "QA" if r == "qa" else words(r)) for r in ROLES if r != without)
    return Field(name="roles", label="Roles", options=names, many=True, value=held)


def _none(_: Person) -> tuple[Field, ...]:
    return ()


def _active(person: Person) -> bool:
    return person.state is PersonState.ACTIVE


def _enrolment_fields(_: Person) -> tuple[Field, ...]:
    return (
        Field(name="document", label="Document that was looked at", options=_choices(Document)),
        Field(name="checked_by", label="Looked at by", hint="Name of who compared it."),
        Field(name="checked_on", label="On the day", kind="date"),
        Field(name="why", label="Why a code is issued", value=("First access.",)),
    )


def _enrolment(person: Person, form: Form, _: Seen) -> Command:
    return IssueEnrolment(
        person=person.person,
        document=Document(one(form, "document")),
        checked_by=one(form, "checked_by"),
        checked_on=one(form, "checked_on"),
        why=one(form, "why"),
    )


def _link_fields(_: Person) -> tuple[Field, ...]:
    return (
        Field(name="issuer", label="Issuer", hint="As the provider writes it: https://…"),
        Field(
            name="subject",
            label="Subject",
            hint="As the provider writes it (sub), never an e-mail.",
        ),
        Field(name="why", label="How you know that it is this person"),
    )


def _link(person: Person, form: Form, seen: Seen) -> Command:
    return LinkIdentity(
        person=person.person,
        issuer=one(form, "issuer"),
        subject=one(form, "subject"),
        why=one(form, "why"),
        seen=seen,
    )


ACTS = (
    Act(
        path="enrolment", action="person.issue-enrolment", title="Issue an enrolment code",
        says="It takes the place of the secret at once. Another person sees it and hands it out: a"
        " supervisor, QA, or another administrator. It opens nothing but the form in which the"
        " person chooses a secret, for 72 hours.",
        button="Issue the code", fields=_enrolment_fields, command=_enrolment, fits=_active,
    ),
    Act(
        path="hand-out", action="person.confirm-enrolment", title="Hand the enrolment code out",
        says="Only with the person before you, whose identity was checked. The code is shown to"
        " you one time. Who issued it cannot do this.",
        button="Show the code", fields=_none,
        command=lambda person, _, __: ConfirmEnrolment(person=person.person),
        fits=lambda person: person.enrolment_ends_at is not None
        and not person.enrolment_confirmed,
    ),
    Act(
        path="unlock", action="person.unlock", title="Unlock",
        says="Ask the person first who it was that tried.", button="Unlock", fields=_none,
        command=lambda person, _, __: UnlockPerson(person=person.person),
        fits=lambda person: person.state is PersonState.LOCKED,
    ),
    Act(
        path="revoke-badge", action="person.revoke-badge", title="Revoke the badge",
        says="The badge is dead at once, everywhere, and every open session of the person ends."
        " Its number is never given again.",
        button="Revoke it now",
        fields=lambda _: (Field(name="cause", label="Because it is", options=_choices(BadgeEnd)),),
        command=lambda person, form, _: RevokeBadge(
            badge=person.badge, cause=BadgeEnd(one(form, "cause"))
        ),
        fits=lambda person: bool(person.badge) and person.state is not PersonState.RETIRED,
    ),
    Act(
        path="badge", action="person.issue-badge", title="Give another badge",
        says="The entry names the badge that it replaces.", button="Give the badge",
        fields=lambda _: (Field(name="badge", label="Number of the new badge"),),
        command=lambda person, form, _: IssueBadge(
            person=person.person, badge=one(form, "badge")
        ),
        fits=lambda person: not person.badge and person.state is not PersonState.RETIRED,
    ),
    Act(
        path="roles", action="person.change-roles", title="Change roles",
        says="Every open session of the person ends, so that no page keeps an old right.",
        button="Change roles",
        fields=lambda person: (role_field(person.roles),),
        command=lambda person, form, _: ChangeRoles(
            person=person.person, roles=tuple(form.get("roles", ()))
        ),
        fits=lambda person: person.state is not PersonState.RETIRED,
    ),
    Act(
        path="identity", action="person.link-identity", title="Propose a provider's identity",
        says="What the provider signs in under this subject would be this person, once and for"
        " ever. It opens nothing until another person confirms it: a supervisor, QA, or another"
        " administrator.",
        button="Go on to sign", fields=_link_fields, command=_link, fits=_active,
        meaning=LINKING,
    ),
    Act(
        path="confirm-identity", action="person.confirm-identity",
        title="Confirm the proposed identity",
        says="Ask the person, or the provider's administrator, whose this account is; do not take"
        " it from who proposed it. From your signature on it signs in, and signs, as this person."
        " Who proposed it cannot confirm it.",
        button="Go on to sign", fields=_none,
        command=lambda person, _, seen: ConfirmIdentity(person=person.person, seen=seen),
        fits=lambda person: person.identity_proposed is not None
        and person.state is not PersonState.RETIRED,
        meaning=CONFIRMING,
    ),
    Act(
        path="retire", action="person.retire", title="End access for ever",
        says="The person can never act again. Name and badge stay taken, the records stay.",
        button="End access", fields=_none,
        command=lambda person, _, __: RetirePerson(person=person.person),
        fits=lambda person: person.state is not PersonState.RETIRED,
    ),
)  # fmt: skip
BY_PATH = {act.path: act for act in ACTS}

NEW_PERSON = (
    Field(
        name="person", label="User id", hint="Small letters, digits and . _ @ + - only. For ever."
    ),
    Field(name="name", label="Printed name", hint="As it stands beside signatures."),
    Field(name="badge", label="Badge number"),
    role_field(),
)
NEW_CLIENT = (
    Field(name="client", label="Id of the program"),
    Field(name="name", label="What it is"),
    role_field(without="admin"),
)


def new_person(form: Form) -> Command:
    """Return the command that registers a person."""
    return RegisterPerson(
        person=one(form, "person"),
        name=one(form, "name"),
        badge=one(form, "badge"),
        roles=tuple(form.get("roles", ())),
    )


def new_client(form: Form) -> Command:
    """Return the command that registers a program."""
    return RegisterClient(
        client=one(form, "client"), name=one(form, "name"), roles=tuple(form.get("roles", ()))
    )


def policy_fields(policy: AccountPolicy) -> tuple[Field, ...]:
    """Return the form of the plant's rules for secrets, filled with those in force."""
    return (
        Field(
            name="secret_days",
            label="A secret ends",
            options=tuple((str(days or ""), age_words(days)) for days in AGES_DAYS),
            value=(str(policy.secret_days or ""),),
            hint="A secret that has ended opens the form for a new one, and signs nothing.",
        ),
        Field(
            name="remembered",
            label="Former secrets that are not taken again",
            options=tuple((str(n), str(n)) for n in range(MOST_REMEMBERED + 1)),
            value=(str(policy.remembered),),
        ),
        Field(
            name="local",
            label="Where the plant has a sign-in provider",
            options=(("yes", DOOR[True]), ("no", DOOR[False])),
            value=("yes" if policy.local_with_provider else "no",),
            hint="Without local secrets nobody comes in while the provider is down.",
        ),
    )


def new_policy(plant: str, form: Form) -> Command:
    """Return the command that puts other rules for secrets in force."""
    days = one(form, "secret_days")
    policy = AccountPolicy(
        secret_days=int(days) if days else None,
        remembered=int(one(form, "remembered")),
        local_with_provider=one(form, "local") == "yes",
    )
    return AdoptAccountPolicy(plant=plant, policy=policy)


def age_words(days: int | None) -> str:
    """Return in words how long a secret stands."""
    return "never" if days is None else f"after {days} days"


def new_key(client: str) -> Command:
    """Return the command that gives a program a key."""
    return IssueKey(client=client, days=KEY_DAYS)
