"""The form by which two people, one after another, revoke a log key that was stolen or lost."""

from collections.abc import Callable, Sequence

import panel.ui as pu
from markupsafe import Markup

from core.clock import parse_iso
from core.errors import Refused
from core.ledger.store import AnchorRow
from core.log_key import Proposed, short
from dashboards import parts
from dashboards.key_acts import afterwards, can_be_revoked, held_by, refused_from_then_on
from dashboards.office.log_keys import (
    CAUSES,
    CHECKED,
    HAPPENED,
    Revocation,
    Step,
    ask_revocation,
    read,
    steps,
)
from dashboards.office.two_people import PROPOSED, WIDTH, Desk, kept, offer, sentences
from dashboards.palette import State
from dashboards.review.evidence import pane
from dashboards.review.form_parts import area, box, button, put, text_of

HELD_SHOWN = 5
NO_FORMER = (
    "No former key can be revoked. The key that signs now is first followed by another one, at the"
    " server: batchwright keys rotate. Then this form takes trust from the old one."
)
FIRST = (
    "Name the size of the last checkpoint that you still trust: the newest one from before the key"
    " was out of your hands, which a place outside holds as well. Nothing changes until a second"
    " person agrees."
)
SECOND = (
    "The table says who proposes it and why. Look at the checkpoint outside yourself before you"
    " agree. Who proposed it cannot agree."
)


class LogKeysForm:
    """Step, key, cause, size, what happened."""

    def __init__(self, desk: Desk, *, anchors: Callable[[], Sequence[AnchorRow]]) -> None:
        self._desk, self._held, self._anchors = desk, desk.held, anchors
        self._outside_holds: Sequence[AnchorRow] = ()
        self._proposed: Proposed | None = None  # as the person reads it
        place = {"width": WIDTH, "margin": (6, 14, 6, 0)}
        self._step = pu.Select(label="What to do", options=[], **place)
        self._key = pu.Select(label="Former key", options={}, **place)
        self._cause = pu.Select(label="Why it is trusted no more", options=CAUSES, **place)
        self._size = pu.TextInput(label="Counts up to, entries (0: nothing of it)", **place)
        self._why = area(HAPPENED)
        self._what, self._outside, self._after = (pane(margin=0) for _ in range(3))
        self.told, self.answer = pane(margin=0), pane(margin=0)  # once signed; before it
        for field in (self._step, self._key):
            field.param.watch(lambda _: self._fit(), "value")
        self._size.param.watch(lambda _: self._foresee(), "value_input")
        self._fields = pu.Column(
            pu.FlexBox(self._step, self._key, self._cause, self._size, margin=0),
            self._outside,
            self._after,
            self._why,
            self.answer,
            button("Sign this revocation …", "primary", lambda _: self._pressed()),
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        heading = pane(parts.heading("Revoke a log key that was stolen or lost"), margin=0)
        self.body = box(heading, self.told, self._what, self._fields, visible=False)

    def show(self, *, is_shown: bool) -> None:
        """Show or hide the form; only what is shown reads the ledger."""
        if is_shown and not self.body.visible:
            self.draw()
        self.body.visible = is_shown

    def draw(self, *, anew: bool = False) -> None:
        """Offer what can be done now, and keep what the person has chosen while it can be done."""
        keys, offered = self._held(), [str(one) for one in steps(self._held())]
        asked, agrees = None if keys is None else keys.proposed, self._agrees()
        is_compared = agrees is not None and self.body.visible and not anew
        self._proposed = kept(self._proposed, asked, is_compared=is_compared)
        if agrees is not None and agrees != self._proposed:
            put(self._why, "")
        self._fields.visible = bool(offered)
        if not offered or keys is None:
            self._what.object = parts.markup(parts.paragraph(NO_FORMER, muted=True))
            return
        self._outside_holds = self._anchors()
        offer(self._step, offered, anew=anew)
        named = {short(one.vkey): one.vkey for one in can_be_revoked(keys)}
        chosen = (
            self._key.value if self._key.value in named.values() else next(iter(named.values()))
        )
        self._key.param.update(options=named, value=chosen)
        self._fit()

    def signed(self) -> tuple[str, tuple[str, ...]]:
        """Return what is said after signing and what to do next, and begin the form anew."""
        put(self._why, "")
        put(self._size, "")
        self.draw(anew=True)
        keys = self._held()
        if keys is None or keys.proposed is not None:
            return PROPOSED, ()
        revoked = [(one, one.revoked) for one in keys.former if one.revoked is not None]
        key, gone = max(revoked, key=lambda pair: pair[1].entry)
        return f"{short(key.vkey)} is revoked. What to do now:", afterwards(keys, gone.trusted)

    def _agrees(self) -> Proposed | None:
        return self._proposed if self._step.value == Step.AGREE else None

    def _draft(self) -> Revocation:
        return Revocation(
            key=str(self._key.value or ""),
            size=text_of(self._size),
            cause=str(self._cause.value),
            why=text_of(self._why),
            agrees=self._agrees(),
        )

    def _fit(self) -> None:
        """Show the fields of the chosen step."""
        proposes = self._step.value == Step.PROPOSE
        for field in (self._key, self._cause, self._size):
            field.visible = proposes
        self._why.label = HAPPENED if proposes else CHECKED
        self._what.object = parts.markup(parts.paragraph(FIRST if proposes else SECOND, muted=True))
        self._outside.object = parts.markup(self._copies())
        self._foresee()

    def _copies(self) -> Markup:
        """Return the newest copies that places outside hold of the chosen key's checkpoints."""
        keys, it = self._held(), self._draft()
        vkey = it.key if it.agrees is None else it.agrees.key
        key = next((one for one in can_be_revoked(keys) if one.vkey == vkey), None)
        if keys is None or key is None:
            return Markup("")
        rows = [
            (f"{row.size} entries", row.place, parts.local_time(parse_iso(row.at), self._desk.zone))
            for row in held_by(key, keys, self._outside_holds)[:HELD_SHOWN]
        ]
        return parts.table(
            f"Newest checkpoints by {short(vkey)} that a place outside holds",
            ("Size", "Place", "Since"), rows, testid="log-key-held",
            empty="None is known here. Look for a printed record, a receipt or a copied note.",
        )  # fmt: skip

    def _foresee(self) -> None:
        """Say what would be refused, as soon as the size can be read."""
        keys, it = self._held(), self._draft()
        if keys is None or (it.agrees is None and not it.size.strip()):
            self._after.object = ""
            return
        try:
            key, trusted = read(keys, it)
        except Refused as no:
            self._after.object = parts.markup(parts.notice(State.BAD, "Not yet.", no))
            return
        told = refused_from_then_on(keys, key, trusted, anchors=self._outside_holds)
        title = f"Once two people have signed, for {short(key.vkey)}"
        self._after.object = parts.markup(
            parts.heading(title, level=3), sentences(told, "log-key-after")
        )

    def _pressed(self) -> None:
        it = self._draft()
        self._desk.ask(lambda keys, seen: ask_revocation(keys, it, seen))
        keys = self._held()
        if it.agrees is not None and (keys is None or keys.proposed != it.agrees):
            self.draw(anew=True)
