"""The sheet on which a form is signed: the statement, word for word, and the ways to sign it."""

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from core.execution import Execution
from core.fact import Command
from core.signing import BADGE, Credentials, PasskeyAnswer, Preparation
from core.signing_period import Actor
from dashboards import parts, theme
from dashboards.people import draw
from dashboards.people.acts import Field, Form, one
from dashboards.tickets import Tickets

PATH = "/people/~sign"
PASSKEY = ("credential", "authenticator_data", "client_data", "signature")
LONGEST = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody was shown and asked to sign: what they give is all that is missing."""

    person: str
    command: Command
    idem: str
    shown: Preparation
    back: str


class SignSheet:
    """The sheets that wait for a signature, each for the person it was shown to."""

    def __init__(self, execution: Execution, *, issuer: str) -> None:
        """`issuer` is the plant's sign-in provider, empty where there is none."""
        self._execution, self._issuer = execution, issuer
        self._asked = Tickets[Asked]()

    def take(self, form: Form, person: str) -> Asked | None:
        """Return what a form signs, None where it was shown to nobody, or to another person."""
        it = self._asked.take(one(form, "ticket"))
        return it if it is not None and it.person == person else None

    def draw(self, it: Asked, *, csrf: str, refusal: str = "") -> Markup:
        """Return the sheet."""
        manifest = it.shown.manifest
        lines = parts.facts(
            [
                ("Record", f"{manifest.record}, version {manifest.ver}"),
                ("What you sign", manifest.words),
                ("Meaning", manifest.meaning),
                ("Signed by", f"{manifest.name} ({manifest.signer})"),
                ("Zone", manifest.zone),
            ],
            wide=True,
        )
        empty = dict.fromkeys((*PASSKEY, "provider"), "")
        hidden = {"csrf": csrf, "ticket": self._asked.give(it), **empty}
        return draw.form(
            "Sign", "Your user id and your secret are your signature.", action=PATH,
            back=it.back, hidden=hidden, button="Sign", refusal=refusal, above=lines,
            fields=(
                Field(name="user", label="User id or badge"),
                Field(name="secret", label="Secret", kind="password"),
            ),
            below=self._other_ways(it.shown),
        )  # fmt: skip

    def _other_ways(self, shown: Preparation) -> Markup:
        """Return the buttons of passkey and company account, where the signer has one."""
        buttons = [
            Markup(
                '<button class="bw-button plain" type="button" id="sign-{}" data-testid="sign-{}"'
                "{}>Sign with {}</button>"
            ).format(name, name, Markup(" hidden") if name == "passkey" else "", label)
            for name, label, has in (
                ("passkey", "passkey", bool(shown.passkeys)),
                ("provider", "company account", self._issuer in shown.issuers),
            )
            if has
        ]
        if not buttons:
            return Markup("")
        return Markup(
            '<div id="sign-ways" data-pending="{}" data-challenge="{}" data-rp="{}" data-keys="{}">'
            '{}<p role="alert" data-testid="sign-said" id="sign-said"></p></div>'
            '<script src="/assets/sign_sheet.js?v={}"></script>'
        ).format(
            shown.pending, shown.sha256, shown.rp_id or "", " ".join(shown.passkeys),
            Markup("").join(buttons), theme.VERSION,
        )  # fmt: skip

    def sign(self, it: Asked, form: Form, actor: Actor) -> None:
        """Sign what was shown with what the form gives.

        Raises:
            MesError: what the rules say about it; see `Execution.submit`.
        """
        credentials = Credentials(pending=it.shown.pending, **self._given(form))
        self._execution.submit(it.command, actor=actor, idem=it.idem, credentials=credentials)

    def _given(self, form: Form) -> dict[str, Any]:
        if provider := one(form, "provider"):
            return {"provider": provider}
        answer = {name: one(form, name)[:LONGEST] for name in PASSKEY}
        if answer["credential"]:
            return {"passkey": PasskeyAnswer(**answer)}
        who = one(form, "user")
        is_badge = self._execution.signing.component(who) == BADGE
        return {"secret": one(form, "secret"), ("badge" if is_badge else "user"): who}

    def is_shown(self, it: Asked) -> bool:
        """Return whether the statement still waits, so that it can be signed after a refusal."""
        return self._execution.signing.statements.shown(it.shown.pending) is not None
