"""The page `/office`: the boundary policy, the link to the ERP, the keys; its state is the URL."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from core.authority import PlantRules
from core.clock import now
from core.erp_key import ErpKey
from core.errors import Refused
from core.execution import Actor
from dashboards import menu, parts, visit
from dashboards.components.sheet import Sheet
from dashboards.components.signature_dialog import SignatureDialog
from dashboards.finance.link import Opens, link_view
from dashboards.finance.pulled import pulls_view, stale_view
from dashboards.link_state import LinkReader
from dashboards.names import Names
from dashboards.office.keys_form import KeysForm
from dashboards.office.keys_view import keys_view
from dashboards.office.log_keys_section import LogKeysSection
from dashboards.office.master import KINDS, drifts, records, versions
from dashboards.office.master_view import drift_view, records_view, versions_view
from dashboards.office.policy import ask_policy, history, in_force, ready_profiles
from dashboards.office.policy_form import PolicyForm
from dashboards.office.policy_view import Look, history_view, profiles_view, standing_view
from dashboards.office.seals import seal_rows, seals_view
from dashboards.office.two_people import sentences
from dashboards.palette import State
from dashboards.plant import PlantServices
from dashboards.review.evidence import pane
from dashboards.session import Viewer
from dashboards.signing_act import Ask, SigningAct
from dashboards.theme import Frame, frame
from erp.live_keys import WAYS

HERE, SIGN, KEY = "/office", "boundary-policy.sign", "erp-key.begin"
FINANCE_CSS = Path(__file__).parent.parent / "finance" / "finance.css"
CSS = FINANCE_CSS.read_text("utf-8") + (Path(__file__).parent / "office.css").read_text("utf-8")
VIEWS = {
    "": "Boundary policy",
    "link": "Link to the ERP",
    "master": "Master data",
    "keys": "Keys",
}
FIELDS = ("view", "edit", "kind", "record")


class OfficePage:
    """One visit to `/office`."""

    def __init__(self, plant: PlantServices, viewer: Viewer) -> None:
        self._plant, self._viewer, newest = plant, viewer, plant.hub.newest
        self._asked = asked({name: visit.query(name) for name in FIELDS})
        self._look = Look(zone=plant.zone, names=Names(plant.execution), opens=self._opens)
        self._ready = ready_profiles()
        self._actor = Actor(viewer.person, viewer.station, visit.signing_session(plant.execution))
        self._link: LinkReader | None = plant.readers.get("link")
        self._document, self._queued = visit.document(), False
        self._stale_shown = Markup("")
        self.top = Sheet(self._go, css=CSS, follows=True)
        self.history = Sheet(self._go, css=CSS)
        self.message = self._answer = pane(margin=(0, 10))
        self.form = PolicyForm(self._rules, self._ready, zone=plant.zone, sign=self._sign)
        self.keys = self._keys_form()
        self.log_keys = LogKeysSection(plant, viewer.person, look=self._look, screen=self)
        self.log_keys.follow(self._draw)
        erp = [] if self.keys is None else [self.keys.body]
        self._forms = [self.form.body, *erp, *self.log_keys.bodies]
        for body in self._forms:
            body.margin = (0, 10, 14, 10)
        self.dialog = SignatureDialog()
        if self._link is not None:
            visit.on_leave(self._link.watch(self._told))
        stream = f"{PlantRules.KIND}/{plant.execution.plant}"
        plant.hub.subscribe([stream], lambda _news: self._draw(), after=newest)
        self._stream = stream
        self._draw()

    def body(self) -> list[Any]:
        return [self.top, self.message, *self._forms, self.history, self.dialog]

    def _rules(self) -> PlantRules:
        rules: PlantRules = self._plant.execution.nouns.get(PlantRules, self._plant.execution.plant)
        return rules

    def signers(self, action: str = SIGN) -> list[str]:
        """Return the roles that may."""
        return sorted(self._rules().matrix.get(action, ()))

    def may(self, action: str) -> bool:
        """Whether the reader may do that."""
        return not self._viewer.roles.isdisjoint(self._rules().matrix.get(action, ()))

    def _opens(self, text: object, href: str) -> Markup:
        may = menu.may_open(href.partition("?")[0], self._viewer.roles)
        return parts.link(text, href) if may else parts.safe(text)

    def _told(self) -> None:
        """Hear of a reading, in the reader's thread: one turn of the page is queued at a time."""
        if self._queued:
            return
        if self._asked.view in ("link", "master") or self._stale() != self._stale_shown:
            self._queued = True
            visit.later(self._document, self._news)

    def _news(self) -> None:
        self._queued = False
        self._draw()

    def _go(self, query: Mapping[str, str]) -> None:
        self._asked = asked(query)
        self._say("")
        self._draw()

    def _draw(self) -> None:
        is_policy = self._asked.view == ""
        edits = is_policy and self._asked.edit and self.may(SIGN)
        self.form.body.visible = edits
        if self.keys is not None:
            self.keys.body.visible = self._asked.view == "keys" and self.may(KEY)
        self.log_keys.show(is_shown=self._asked.view == "keys")
        self._stale_shown = self._stale()
        self.top.show(_tabs(self._asked.view), self._stale_shown, self._shown(edits))
        self.history.show(self._history() if is_policy else Markup(""))

    def _stale(self) -> Markup:
        link = None if self._link is None else self._link.newest
        if link is None:
            return Markup("")
        return stale_view(link.pulls, self._plant.execution.master_data(), link.at)

    def _shown(self, edits: bool) -> Markup:
        plant = self._plant
        if self._asked.view == "link":
            if self._link is None:
                return _no_erp()
            opens = Opens(row=self._opens, resend=self._resends)
            newest, size = self._link.newest, plant.ledger.size()
            return link_view(newest, zone=plant.zone, size=size, opens=opens)
        if self._asked.view == "master":
            return self._master()
        if self._asked.view == "keys":
            erp = _no_erp() if self._boundary is None else self._keys()
            plant = self._plant
            seals = seal_rows(plant.keys, plant.stampers, now(), zone=plant.zone)
            return parts.join(self.log_keys.view(), seals_view(seals, plant.zone), erp)
        rules, at = self._rules(), now()
        return parts.join(
            standing_view(rules, at, self._look),
            profiles_view(self._ready, in_force(rules, at)),
            _edit_link(self.may(SIGN), edits, self.signers()),
        )

    @property
    def _boundary(self) -> Any:
        return self._plant.readers.get("boundary")

    def _keys(self) -> Markup:
        """Return the live keys beside what the ledger knows of their rotation."""
        rows = () if self.keys is None else self.keys.rows()
        return keys_view(rows, self._plant.zone, now(), person=self._look.names.name)

    def _keys_form(self) -> KeysForm | None:
        """Return the form of a key's change; None where the ERP shares no key with us."""
        live = None if self._boundary is None else self._boundary.keys
        if live is None:
            return None
        execution, streams = self._plant.execution, [f"{ErpKey.KIND}/{way}" for way in WAYS]
        hub = self._plant.hub
        hub.subscribe(streams, lambda _news: self._draw(), after=hub.newest)
        form = KeysForm(
            live,
            held=lambda way: execution.nouns.get(ErpKey, way),
            seen=lambda way: execution.seen(f"{ErpKey.KIND}/{way}"),
            sign=lambda ask: self.request(ask, self._key_signed),
            refuse=lambda why: self.refuse(why, at=form.answer),
        )
        return form

    def _key_signed(self) -> None:
        assert self.keys is not None
        self._boundary.take_up_keys()
        self.say_signed(self.keys.signed(), at=self.keys.told)

    def _master(self) -> Markup:
        """Return the ERP's records, or the versions of one."""
        execution, ask = self._plant.execution, self._asked
        if ask.record:
            stream = f"{KINDS[ask.kind][1].KIND}/{ask.record}"
            found = versions(self._plant.ledger.stream(stream))
            return versions_view(ask.kind, ask.record, found, look=self._look)
        link = None if self._link is None else self._link.newest
        decisions = in_force(self._rules(), now())
        return parts.join(
            drift_view(drifts(execution, decisions)),
            pulls_view(link.pulls, self._plant.zone) if link else Markup(""),
            records_view(ask.kind, records(execution, ask.kind), self._look),
        )

    def _history(self) -> Markup:
        entries = self._plant.ledger.stream(self._stream)
        return history_view(history(self._rules(), entries, now()), self._look)

    def _resends(self, text: object, href: str) -> Markup:
        may = menu.may_open("/reconcile", self._viewer.roles)
        return parts.link(text, href) if may else parts.safe("Finance resends, on Reconcile")

    def _ask(self) -> Ask:
        seen = self._plant.execution.seen(self._stream)
        return ask_policy(self._rules(), self.form.draft(), seen=seen, zone=self._plant.zone)

    def _sign(self) -> None:
        """Ask for a signature over what the form holds."""
        try:
            self._ask()
        except Refused as missing:
            self.refuse(str(missing), at=self.form.answer)
            return
        self.request(self._ask, self._signed)

    def _signed(self) -> None:
        version = self._rules().policies[-1]
        self.form.reset()
        self._asked = Asked()
        self.top.at(HERE)
        self._draw()
        text = f"Version {version.version} stands below, with its signature."
        self._say(text, State.OK, "Recorded.")

    def refuse(self, why: str, *, at: Any) -> None:
        """Say in a pane of a form why nothing is signed."""
        self._say(why, State.BAD, "Not signed.", at=at)

    def request(self, ask: Callable[[], Ask], done: Callable[[], object]) -> None:
        """Open the signature dialog; `done` follows a signature."""
        self._say("")
        act = SigningAct(self._plant.execution, self._actor, ask)

        def signed(_receipt: Any) -> None:
            done()

        self.dialog.request(act, done=signed)

    def say_signed(self, told: str | Markup, following: Sequence[str] = (), *, at: Any) -> None:
        """Draw anew, and say in a pane of a form what was signed and what to do next."""
        self._draw()
        self._say(told, State.OK, "Signed.", following=following, at=at)

    def _say(
        self,
        text: str | Markup,
        state: State = State.INFO,
        word: str = "",
        *,
        following: Sequence[str] = (),
        at: Any = None,
    ) -> None:
        """Say it in one pane, the page's where none is given, and nothing elsewhere."""
        shown = parts.notice(state, word, text) if text else Markup("")
        more = sentences(following, "following") if following else Markup("")
        live = Markup('<div role="status" data-testid="answer">{}{}</div>').format(shown, more)
        before, self._answer = self._answer, self.message if at is None else at
        if before is not self._answer:
            before.object = ""
        self._answer.object = parts.markup(live)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the URL asks for; every state of the page but the form's content is in it."""

    view: str = ""
    edit: bool = False
    kind: str = "bom"
    record: str = ""


def asked(query: Mapping[str, str]) -> Asked:
    """Return what a query asks for; what cannot be read asks for the policy."""
    view, kind = query.get("view", ""), query.get("kind", "")
    return Asked(
        view=view if view in VIEWS else "",
        edit=query.get("edit") == "1",
        kind=kind if kind in KINDS else "bom",
        record=query.get("record", "")[:64] if view == "master" else "",
    )


def _tabs(chosen: str) -> Markup:
    made = [
        Markup('<li><a href="{}"{}>{}</a></li>').format(
            f"{HERE}?view={view}" if view else HERE,
            Markup(' aria-current="page"') if chosen == view else "",
            label,
        )
        for view, label in VIEWS.items()
    ]
    return Markup('<nav class="tabs" aria-label="Views"><ul>{}</ul></nav>').format(
        parts.join(*made)
    )


def _edit_link(may_sign: bool, edits: bool, signers: list[str]) -> Markup:
    if not may_sign:
        who = ", ".join(signers) or "nobody yet"
        text = f"The authority matrix says who signs a new version: {who}. Ask one of them."
        return parts.paragraph(text, muted=True)
    href, label = (HERE, "Close the form") if edits else (f"{HERE}?edit=1", "Prepare a new version")
    return Markup('<div class="bar"><a class="pick strong" href="{}">{}</a></div>').format(
        href, label
    )


def _no_erp() -> Markup:
    text = parts.join(
        "Nothing is sent and nothing is pulled. See ",
        parts.link("how to connect one", "/help/erp"), ".",
    )  # fmt: skip
    return parts.notice(State.UNKNOWN, "No ERP is connected.", text)


def office_page(plant: PlantServices, viewer: Viewer) -> Frame:
    """Draw the page."""
    body = OfficePage(plant, viewer).body()
    return frame("Office", body, viewer=viewer, nav=HERE, plant=plant.name, zone=plant.zone)
