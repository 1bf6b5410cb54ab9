"""What `/office` shows of the log's keys: who signs, who recovers, and the forms about both."""

from collections.abc import Callable
from typing import Any, Protocol

from markupsafe import Markup

from core.ledger.rotation import STREAM
from core.log_key import LOG, LogKeys
from dashboards import parts
from dashboards.office.log_keys_form import LogKeysForm
from dashboards.office.log_keys_view import log_keys_view
from dashboards.office.policy_view import Look
from dashboards.office.recovery_form import RecoveryForm
from dashboards.office.recovery_view import recovery_view
from dashboards.office.two_people import Desk
from dashboards.plant import PlantServices
from dashboards.signing_act import Ask

REVOKE, NAME = "key.revoke", "key.name-recovery"
WHAT = {REVOKE: "revokes a log key", NAME: "names a recovery key"}


class Screen(Protocol):
    """What the page does for its sections."""

    def may(self, action: str) -> bool:
        """Whether the reader may do that."""
        ...

    def signers(self, action: str) -> list[str]:
        """Return the roles that may."""
        ...

    def refuse(self, why: str, *, at: Any) -> None:
        """Say in a pane of a form why nothing is signed."""
        ...

    def request(self, ask: Callable[[], Ask], done: Callable[[], object]) -> None:
        """Open the signature dialog; `done` follows a signature."""
        ...

    def say_signed(self, told: str, following: tuple[str, ...], *, at: Any) -> None:
        """Draw anew, and say in a pane of a form what was signed and what to do next."""
        ...


class LogKeysSection:
    """Tables and forms of one visit."""

    def __init__(self, plant: PlantServices, person: str, *, look: Look, screen: Screen) -> None:
        self._plant, self._look, self._screen = plant, look, screen
        self._execution, self._newest = plant.execution, plant.hub.newest
        self.revocation = LogKeysForm(
            self._desk(lambda: self.revocation), anchors=plant.ledger.anchors
        )
        self.recovery = RecoveryForm(
            self._desk(lambda: self.recovery),
            plant=plant.execution.plant, person=person, name=look.names.name,
        )  # fmt: skip
        self._forms: dict[str, LogKeysForm | RecoveryForm] = {
            REVOKE: self.revocation,
            NAME: self.recovery,
        }
        self.bodies = [form.body for form in self._forms.values()]

    def show(self, *, is_shown: bool) -> None:
        """Show each form to whoever may sign in it, or hide it."""
        for action, form in self._forms.items():
            form.show(is_shown=is_shown and self._screen.may(action))

    def draw(self) -> None:
        """Take in what was recorded about the log's keys."""
        for form in self._forms.values():
            if form.body.visible:
                form.draw()

    def view(self) -> Markup:
        """Return the tables, and who signs what the reader may not."""
        held, newest = self._held(), self._execution.verifier.text
        signing = log_keys_view(held, newest, self._plant.zone, name=self._look.names.name)
        return parts.join(
            signing, self._who(REVOKE), recovery_view(held, self._look), self._who(NAME)
        )

    def _held(self) -> LogKeys | None:
        found: LogKeys | None = self._execution.nouns.get(LogKeys, LOG)
        return found

    def _who(self, action: str) -> Markup:
        if self._screen.may(action):
            return Markup("")
        who = ", ".join(self._screen.signers(action)) or "nobody yet: batchwright adopt-actions"
        text = f"The authority matrix says who {WHAT[action]}: {who}."
        return parts.paragraph(text, muted=True)

    def _desk(self, form: Callable[[], LogKeysForm | RecoveryForm]) -> Desk:
        def done() -> None:
            told, following = form().signed()
            self._screen.say_signed(told, following, at=form().told)

        return Desk(
            held=self._held,
            seen=lambda: self._execution.seen(STREAM),
            sign=lambda ask: self._screen.request(ask, done),
            refuse=lambda why: self._screen.refuse(why, at=form().answer),
            zone=self._plant.zone,
        )

    def follow(self, changed: Callable[[], Any]) -> None:
        """Draw anew whenever something about the log's keys is recorded."""

        def news(_news: Any) -> None:
            self.draw()
            changed()

        self._plant.hub.subscribe([STREAM], news, after=self._newest)
