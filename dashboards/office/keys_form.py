"""The form that begins or ends a key between plant and ERP while both run; two people sign."""

from collections.abc import Callable

import panel.ui as pu
from markupsafe import Markup

from core.erp_key import LONGEST_DAYS, Direction, ErpKey
from core.errors import Refused
from core.signature import Seen
from dashboards import parts
from dashboards.office.keys import (
    DAYS,
    TITLES,
    Change,
    KeyRow,
    NoReason,
    NoSuchSecret,
    Step,
    ask_change,
)
from dashboards.review.evidence import pane
from dashboards.review.form_parts import area, box, button, put, text_of
from dashboards.signing_act import Ask
from erp.live_keys import LiveKeys
from erp.signing import new_secret

WHAT = {
    ("send", Step.BEGIN): (
        "A new secret is made here and shown one time, when you have signed. Give it to the ERP's"
        " team; then a second person agrees."
    ),
    ("receive", Step.BEGIN): (
        "The ERP's team makes this secret and gives it to you. When a second person has agreed,"
        " receipts signed with either key count."
    ),
    ("send", Step.END): "End it once the ERP's team says that it checks with the newest key.",
    ("receive", Step.END): "End it once the ERP's team says that it signs with the newest key.",
}
AGREES = "Ask the ERP's team for the key's name before you agree: both sides must see the same."
CODE = Markup('<code data-testid="new-secret">{}</code>')
SHOWN_ONCE = "The new secret, shown this one time. Give it to the ERP's team by a safe way:"


class KeysForm:
    """Direction, step, days, the ERP's secret where it is theirs, reason."""

    def __init__(
        self,
        keys: LiveKeys,
        *,
        held: Callable[[Direction], ErpKey | None],
        seen: Callable[[Direction], Seen],
        sign: Callable[[Callable[[], Ask]], None],
        refuse: Callable[[str], None],
    ) -> None:
        self._keys, self._held, self._seen, self._sign = keys, held, seen, sign
        self._refuse, self._secret = refuse, ""
        self._way = pu.Select(
            label="Key for", options={title: way for way, title in TITLES.items()},
            value="send", width=420, margin=(6, 14, 6, 0),
        )  # fmt: skip
        self._step = pu.Select(label="Step", options=[], width=420, margin=(6, 14, 6, 0))
        self._days = pu.Select(  # a number field's two small buttons have no name
            label="Both live for, days", options=list(range(1, LONGEST_DAYS + 1)), value=DAYS,
            width=420, margin=(6, 14, 6, 0),
        )  # fmt: skip
        self._theirs = pu.PasswordInput(
            label="The ERP's new secret (whsec_…)", width=420, margin=(6, 14, 6, 0)
        )
        self._why, self._what = area("Why the key changes"), pane(margin=0)
        self.told, self.answer = pane(margin=0), pane(margin=0)  # once signed; before it
        self._way.param.watch(lambda _: self.draw(), "value")
        self._step.param.watch(lambda _: self._fit(), "value")
        self.body = box(
            pane(parts.heading("Change a key"), margin=0),
            self.told,
            pu.FlexBox(self._way, self._step, margin=0),
            self._what,
            pu.FlexBox(self._days, self._theirs, margin=0),
            self._why,
            self.answer,
            button("Sign this step …", "primary", lambda _: self._pressed()),
            visible=False,
        )
        self.draw()

    def rows(self) -> tuple[KeyRow, ...]:
        """Return both directions as they stand now."""
        return tuple(
            KeyRow(stand=one, held=self._held(one.direction)) for one in self._keys.stands()
        )

    def draw(self) -> None:
        """Offer the steps that can be taken now."""
        steps = [str(one) for one in self._chosen.steps]
        self._step.param.update(options=steps, value=steps[0])
        self._fit()

    def signed(self) -> Markup | str:
        """Return what is shown after signing, and begin the form anew."""
        secret, self._secret = self._secret, ""
        put(self._why, "")
        self._theirs.param.update(value="", value_input="")
        self.draw()
        if not secret:
            return "Recorded; the table above shows how the keys stand."
        return parts.join(SHOWN_ONCE, " ", CODE.format(secret))

    def _row(self, way: Direction) -> KeyRow:
        return next(one for one in self.rows() if one.direction == way)

    @property
    def _chosen(self) -> KeyRow:
        return self._row(self._way.value)

    def _fit(self) -> None:
        row, step = self._chosen, Step(self._step.value)
        begins = step is Step.BEGIN
        self._days.visible = begins
        self._theirs.visible = begins and row.direction == "receive"
        text = AGREES if step is Step.AGREE else WHAT[row.direction, step]
        self._what.object = parts.markup(parts.paragraph(text, muted=True))

    def _pressed(self) -> None:
        """Keep the secret that is to begin, then ask for a signature over its name."""
        way, step, why = self._chosen.direction, Step(self._step.value), text_of(self._why)
        self._secret = ""
        try:
            if not why.strip():
                raise NoReason
            key = self._kept(way) if step is Step.BEGIN else ""
            change = Change(step=step, key=key, days=int(self._days.value or 0), why=why)
            ask_change(self._row(way), change, self._seen(way))
        except Refused as missing:
            self._refuse(str(missing))
            return
        self._sign(lambda: ask_change(self._row(way), change, self._seen(way)))

    def _kept(self, way: Direction) -> str:
        """Keep the new secret in the vault and return its key's name.

        Raises:
            NoSuchSecret: what was typed is none.
        """
        if way == "send":
            self._secret = new_secret()
            return self._keys.keep(way, self._secret)
        try:
            return self._keys.keep(way, text_of(self._theirs).strip())
        except ValueError:
            raise NoSuchSecret from None
