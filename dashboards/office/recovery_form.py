"""The form by which two people, one after another, name a recovery key of the log."""

from collections.abc import Callable

import panel.ui as pu
from markupsafe import Markup

from core.errors import Refused
from core.log_key import RecoveryKey, short
from core.recovery_key import PrivateHalfShown
from dashboards import parts
from dashboards.key_acts import after_naming, before_naming
from dashboards.office.recovery import (
    COMPARED,
    PUBLIC_HALF,
    WHY,
    Naming,
    Step,
    ask_naming,
    read,
    steps,
)
from dashboards.office.recovery_view import whole
from dashboards.office.two_people import PROPOSED, WIDTH, Desk, kept, offer, sentences
from dashboards.palette import State
from dashboards.review.evidence import pane
from dashboards.review.form_parts import area, box, button, put, text_of

FIRST = (
    "Paste the public half that batchwright keys make-recovery printed. Nothing changes until a"
    " second person agrees."
)
SECOND = (
    "Compare the public half sign by sign with the paper on which batchwright keys make-recovery"
    " printed it, before you agree."
)
OWN = "Another person agrees, on this page or signing here. You can propose another key instead."


class RecoveryForm:
    """Your part, public half, why."""

    def __init__(self, desk: Desk, *, plant: str, person: str, name: Callable[[str], str]) -> None:
        self._desk, self._plant, self._person, self._name = desk, plant, person, name
        self._proposed: RecoveryKey | None = None  # as the person reads it
        self._before: RecoveryKey | None = None
        self._step = pu.Select(
            label="Your part", options=[], width=WIDTH, margin=(6, 14, 6, 0)
        )  # fmt: skip
        self._key = area(f"{PUBLIC_HALF}, as make-recovery printed it")
        self._why = area(WHY)
        self._what, self._after = pane(margin=0), pane(margin=0)
        self.told, self.answer = pane(margin=0), pane(margin=0)  # once signed; before it
        self._step.param.watch(lambda _: self._fit(), "value")
        self._key.param.watch(lambda _: self._foresee(), "value_input")
        self.body = box(
            pane(parts.heading("Name a recovery key"), margin=0),
            self.told, self._step, self._what, self._key, self._after, self._why, self.answer,
            button("Sign for this key …", "primary", lambda _: self._pressed()),
            visible=False,
        )  # fmt: skip

    def show(self, *, is_shown: bool) -> None:
        """Show or hide the form."""
        if is_shown and not self.body.visible:
            self.draw()
        self.body.visible = is_shown

    def draw(self, *, anew: bool = False) -> None:
        """Offer what can be done now, and keep what the person has chosen while it can be done.

        Whom a proposal is shown to compares it with paper.
        """
        keys = self._desk.held()
        asked, agrees = None if keys is None else keys.recovery_proposed, self._agrees()
        is_compared = agrees is not None and self.body.visible and not anew
        self._proposed = kept(self._proposed, asked, is_compared=is_compared)
        if agrees is not None and agrees != self._proposed:
            put(self._why, "")
        offered = [str(one) for one in steps(keys)]
        offer(self._step, offered, anew=anew)
        self._step.visible = len(offered) > 1
        self._fit()

    def signed(self) -> tuple[str, tuple[str, ...]]:
        """Return what is said after signing and what to do next, and begin the form anew."""
        put(self._why, "")
        put(self._key, "")
        self.draw(anew=True)
        keys = self._desk.held()
        if keys is None or keys.recovery is None or keys.recovery_proposed is not None:
            return PROPOSED, ()
        key = keys.recovery.vkey
        told = f"{short(key)} is the recovery key from now on. What to do now:"
        return told, after_naming(key, self._before)

    def _agrees(self) -> RecoveryKey | None:
        return self._proposed if self._step.value == Step.AGREE else None

    def _draft(self) -> Naming:
        return Naming(key=text_of(self._key), why=text_of(self._why), agrees=self._agrees())

    def _fit(self) -> None:
        """Show the fields of the chosen step."""
        agrees = self._agrees()
        self._key.visible = agrees is None
        self._why.label = WHY if agrees is None else COMPARED
        what = parts.paragraph(FIRST, muted=True) if agrees is None else self._asked(agrees)
        self._what.object = parts.markup(what)
        self._foresee()

    def _asked(self, it: RecoveryKey) -> Markup:
        """Return what another person proposes, or that the reader does so."""
        is_own = it.by == self._person
        rows = (
            ("Proposed by", self._name(it.by)),
            ("When", parts.local_time(it.at, self._desk.zone, seconds=False)),
            ("Key", whole(short(it.vkey))),
            ("Why", it.why),
            (PUBLIC_HALF, whole(it.vkey)),
        )
        own = parts.notice(State.INFO, "You proposed it, so you cannot agree to it.", OWN)
        shown = Markup('<div data-testid="recovery-asked">{}</div>').format(parts.facts(rows))
        return parts.join(shown, own if is_own else parts.paragraph(SECOND, muted=True))

    def _foresee(self) -> None:
        """Say what would be refused, or what it means, as soon as there is a key."""
        keys, it = self._desk.held(), self._draft()
        if not it.vkey:
            self._after.object = ""
            return
        try:
            key = read(keys, it, plant=self._plant)
        except PrivateHalfShown as no:
            put(self._key, "")
            self._desk.refuse(str(no))
        except Refused as no:
            self._after.object = parts.markup(parts.notice(State.BAD, "Not yet.", no))
        else:
            title = f"Once two people have signed, for {short(key)}"
            told = sentences(before_naming(keys, key), "recovery-after")
            self._after.object = parts.markup(parts.heading(title, level=3), told)

    def _pressed(self) -> None:
        it, keys = self._draft(), self._desk.held()
        self._before = None if keys is None else keys.recovery
        self._desk.ask(lambda held, seen: ask_naming(held, it, seen, plant=self._plant))
        if it.agrees is not None and (keys is None or keys.recovery_proposed != it.agrees):
            self.draw(anew=True)
