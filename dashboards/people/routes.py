"""The routes below `/people`: each form is read, sent as its command, and answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup

from core.access_review import REVIEWING, ReviewAccess, SeenPerson
from core.authority import PlantRules
from core.client import Client, RevokeKey
from core.clock import now
from core.command_id import new_command_id
from core.errors import MesError
from core.fact import Command
from core.people import Person, PersonState
from core.signature import Seen
from dashboards import open_sessions, parts, theme
from dashboards.login import chosen_scheme
from dashboards.palette import State
from dashboards.people import acts, draw
from dashboards.people.acts import Act, Field, Form, one
from dashboards.people.sign import PATH, Asked, SignSheet
from dashboards.plant import PlantServices
from dashboards.security import Gate
from dashboards.session import Login, Viewer, same_csrf

NOTHING = Markup("")
OWN = "~"  # no user id begins with it


class PeoplePages:
    """People, their means of access, programs, and the access review."""

    def __init__(self, plant: PlantServices, gate: Gate) -> None:
        self._plant, self._gate = plant, gate
        self._sheet = SignSheet(plant.execution, issuer=plant.provider_issuer)

    def router(self) -> APIRouter:
        """Return the routes; the fixed ones stand before those with a person's name."""
        routes = APIRouter(include_in_schema=False)
        routes.get("/people")(self.everybody)
        for path in (
            "new",
            "policy",
            "client",
            "client/{client}",
            "client/{client}/{key}",
            "review",
        ):
            routes.get(f"/people/{OWN}{path}")(self.ask)
            routes.post(f"/people/{OWN}{path}")(self.take)
        routes.post(f"/people/{OWN}sign")(self.take)
        routes.get("/people/{person}")(self.person)
        routes.get("/people/{person}/{act}")(self.ask)
        routes.post("/people/{person}/{act}")(self.take)
        return routes

    def _login(self, request: Request) -> Login:
        return self._gate.guard("/people")(request)

    def _page(self, request: Request, title: str, body: Markup, *, status: int = 200) -> Response:
        document = theme.plain(
            title, body, login=self._login(request), plant=self._plant.name,
            zone=str(self._plant.zone), here="/people", chosen=chosen_scheme(request),
        )  # fmt: skip
        return HTMLResponse(document, status)

    def may(self, viewer: Viewer, action: str) -> bool:
        """Tell whether the plant's matrix lets somebody do this; only to offer it or not."""
        rules = self._plant.execution.nouns.get(PlantRules, self._plant.execution.plant)
        return rules is not None and bool(viewer.roles & set(rules.matrix.get(action, ())))

    def _known(self, person: str) -> Person:
        found = self._plant.execution.nouns.get(Person, person)
        if found is None:
            raise HTTPException(404, "Nobody has this user id. Go back to People.")
        return found

    def everybody(self, request: Request) -> Response:
        """Show who has access, what happened to it, and the programs."""
        viewer, plant = self._login(request).viewer, self._plant
        ways = (
            ("person.register", "Register a person", "/people/~new"),
            ("person.review-access", "Review access", "/people/~review"),
            ("client.register", "Register a program", "/people/~client"),
            ("plant.adopt-account-policy", "Change the rules for secrets", "/people/~policy"),
        )
        buttons = Markup("").join(
            Markup('<li><a class="bw-act" href="{}">{}</a></li>').format(href, label)
            for action, label, href in ways
            if self.may(viewer, action)
        )
        nouns = plant.execution.nouns
        pieces = [
            Markup("<h1>People</h1>"),
            Markup('<ul class="bw-acts">{}</ul>').format(buttons),
            draw.people_table(
                nouns.all(Person), plant.zone, whole_badges=self.may(viewer, "person.issue-badge")
            ),
            draw.entries_table(
                "Security alerts",
                draw.alerts(plant.ledger),
                "Nothing happened yet.",
                zone=plant.zone,
            ),
        ]
        stream = plant.ledger.stream(f"plant/{plant.execution.plant}")
        adopted = [entry for entry in stream if entry.type == "account-policy.adopted"]
        policy = plant.execution.authentication.policy
        pieces.append(draw.policy_facts(policy, adopted[-1] if adopted else None, plant.zone))
        if self.may(viewer, "client.issue-key"):
            used = plant.execution.secrets.keys_used()
            pieces.append(draw.clients_table(nouns.all(Client), used, now(), zone=plant.zone))
        if "done" in request.query_params:
            pieces.insert(1, parts.notice(State.OK, "Recorded.", "The list shows it."))
        return self._page(request, "People", _whole(*pieces))

    def person(self, request: Request, person: str) -> Response:
        """Show one person and what can be done."""
        viewer, found = self._login(request).viewer, self._known(person)
        offered = [act for act in acts.ACTS if act.fits(found) and self.may(viewer, act.action)]
        whole = self.may(viewer, "person.issue-badge")
        history = self._plant.ledger.stream(f"person/{person}")[::-1][:20]
        done = parts.notice(State.OK, "Recorded.", "The entry is below.")
        body = _whole(
            Markup("<h1>{}</h1>").format(found.name),
            done if "done" in request.query_params else "",
            draw.person_facts(found, self._plant.zone, whole_badge=whole),
            draw.acts_list(found, offered),
            Markup("<p>{}</p>").format(parts.link("Open sessions", f"/people/{person}/sessions"))
            if open_sessions.may_end(self._plant, viewer)
            else "",
            draw.entries_table("Newest entries", history, "None.", zone=self._plant.zone),
            Markup("<p>{}</p>").format(parts.link("All people", "/people")),
        )
        return self._page(request, found.name, body)

    def ask(self, request: Request) -> Response:
        """Show the form of one act."""
        return self._form(request, self._act(request))

    async def take(self, request: Request) -> Response:
        """Take a form that was filled in."""
        login = self._login(request)
        given = await request.form(max_fields=3000, max_files=0)
        form: Form = {name: tuple(str(value) for value in given.getlist(name)) for name in given}
        if not same_csrf(login, one(form, "csrf")):
            return HTMLResponse("This form is too old. Go back and load it again.", 403)
        if request.url.path == PATH:
            return await run_in_threadpool(self._sign, request, login, form)
        return await run_in_threadpool(self._do, request, login, form)

    def _act(self, request: Request) -> "_Act":
        """Return the form that an address stands for.

        Raises:
            HTTPException: 404 where it stands for none.
        """
        names = request.path_params
        match request.url.path.removeprefix("/people/").split("/"):
            case ["~new"]:
                return _Act(
                    title="Register a person", button="Register", fields=acts.NEW_PERSON,
                    says="Then issue an enrolment code, which another person hands out.",
                    command=lambda form, _: acts.new_person(form), back="/people",
                )  # fmt: skip
            case ["~policy"]:
                policy = self._plant.execution.authentication.policy
                return _Act(
                    title="Rules for secrets", button="Put them in force",
                    fields=acts.policy_fields(policy),
                    says="They hold for everybody from here on. What a secret must be made of is"
                    " fixed: a passphrase of 12 to 128 characters, or a PIN to go with a badge.",
                    command=lambda form, _: acts.new_policy(self._plant.execution.plant, form),
                    back="/people",
                )  # fmt: skip
            case ["~client"]:
                return _Act(
                    title="Register a program", button="Register", fields=acts.NEW_CLIENT,
                    says="A program has roles and keys of its own, and never signs.",
                    command=lambda form, _: acts.new_client(form), back="/people",
                )  # fmt: skip
            case ["~client", client]:
                return _Act(
                    title=f"Give {client} a key", button="Give the key", fields=(),
                    says=f"The key is shown one time and ends after {acts.KEY_DAYS} days. Two"
                    " keys live at once, so that a new one can take the old one's place.",
                    command=lambda _, __: acts.new_key(client), back="/people",
                )  # fmt: skip
            case ["~client", client, key]:
                return _Act(
                    title=f"Revoke key {key}", button="Revoke it now", warns=True,
                    fields=(Field(name="why", label="Why"),),
                    says=f"{client} cannot use it from here on.",
                    command=lambda form, _: RevokeKey(
                        client=client, key=key, why=one(form, "why")
                    ),
                    back="/people",
                )  # fmt: skip
            case ["~review"]:
                return self._review(request)
        found, act = self._known(names["person"]), acts.BY_PATH.get(names["act"])
        if act is None:
            raise HTTPException(404, "There is no such form. Go back to People.")
        return _of_person(found, act)

    def _review(self, request: Request) -> "_Act":
        viewer, nouns = self._login(request).viewer, self._plant.execution.nouns
        rows = [
            (row.ver, row.state)
            for row in nouns.rows(Person.KIND)
            if row.state.state is not PersonState.RETIRED and row.state.person != viewer.person
        ]
        people = [state for _, state in rows]
        listed = parts.join(
            draw.people_table(people, self._plant.zone, whole_badges=False),
            Markup("").join(
                Markup('<input type="hidden" name="people" value="{}:{}">').format(
                    ver, state.person
                )
                for ver, state in rows
            ),
        )
        plant = self._plant.execution.plant

        def command(form: Form, seen: Seen) -> Command:
            shown = [text.partition(":") for text in form.get("people", ())]
            listed = tuple(
                SeenPerson(person=person, ver=int(ver) if ver.isdigit() else 0)
                for ver, _, person in shown
            )
            return ReviewAccess(plant=plant, people=listed, found=one(form, "found"), seen=seen)

        return _Act(
            title="Review access", button="Go on to sign", above=listed, signs=REVIEWING,
            says="Read who may do what. Your own line is left to another person of QA. What must"
            " change is changed by an administrator, before you sign or after.",
            fields=(Field(name="found", label="What you found"),), back="/people",
            record=f"plant/{plant}", command=command,
        )  # fmt: skip

    def _form(
        self, request: Request, it: "_Act", *, refusal: str = "", form: Form | None = None
    ) -> Response:
        hidden = {
            "csrf": self._login(request).csrf,
            "idem": f"people:{new_command_id()}",
        }
        if it.record:
            seen = self._plant.execution.seen(it.record)
            hidden |= {"ver": str(seen.ver), "head": seen.head}
        fields = [_filled(each, form or {}) for each in it.fields]
        body = draw.form(
            it.title, it.says, action=request.url.path, back=it.back, hidden=hidden,
            fields=fields, button=it.button, refusal=refusal, above=it.above, warns=it.warns,
        )  # fmt: skip
        return self._page(request, it.title, body, status=422 if refusal else 200)

    def _do(self, request: Request, login: Login, form: Form) -> Response:
        it, viewer = self._act(request), login.viewer
        ver = one(form, "ver")
        seen = Seen(stream=it.record, ver=int(ver) if ver.isdigit() else 0, head=one(form, "head"))
        execution, idem = self._plant.execution, one(form, "idem")
        actor = viewer.actor
        try:
            command = it.command(form, seen)
            if it.signs:
                shown = execution.prepare(command, actor=actor, idem=idem, who=viewer.person)
                asked = Asked(
                    person=viewer.person, command=command, idem=idem, shown=shown, back=it.back
                )
                return self._ask_signature(request, asked)
            receipt = execution.submit(command, actor=actor, idem=idem)
        except (MesError, ValueError) as refusal:
            says = str(refusal) if isinstance(refusal, MesError) else "Choose one of the options."
            return self._form(request, it, refusal=says, form=form)
        once = self._plant.shown_once(command, receipt)
        if once:
            [(name, code)] = once.items()
            title = "Enrolment code" if name == "enrolment_code" else "Key"
            says = (
                "It is shown this one time. Give it to nobody but whom it is for, and write it"
                " nowhere. If it is lost, give another one."
            )
            return self._page(request, title, draw.once(title, code, says=says, back=it.back))
        return RedirectResponse(f"{it.back}?done", 303)

    def _ask_signature(self, request: Request, it: Asked, *, refusal: str = "") -> Response:
        body = self._sheet.draw(it, csrf=self._login(request).csrf, refusal=refusal)
        return self._page(request, "Sign", body, status=422 if refusal else 200)

    def _sign(self, request: Request, login: Login, form: Form) -> Response:
        viewer = login.viewer
        it = self._sheet.take(form, viewer.person)
        if it is None:
            return HTMLResponse("This form is too old. Go back and begin again.", 403)
        try:
            self._sheet.sign(it, form, viewer.actor)
        except MesError as refusal:
            if self._sheet.is_shown(it):
                return self._ask_signature(request, it, refusal=str(refusal))
            says = parts.join(
                parts.notice(State.BAD, "Not signed.", str(refusal)),
                Markup("<p>{}</p>").format(parts.link("Go back and begin again", it.back)),
            )
            return self._page(request, "Not signed", says, status=409)
        return RedirectResponse(f"{it.back}?done", 303)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Act:
    """A form at one address."""

    title: str
    says: str
    button: str
    fields: Sequence[Field]
    command: Any
    back: str
    above: Markup = NOTHING
    record: str = ""
    signs: str = ""
    warns: bool = False


def _whole(*pieces: object) -> Markup:
    """Return pieces as one block, whose heading stands in line with them."""
    return Markup("<div>{}</div>").format(parts.join(*pieces))


def _of_person(person: Person, act: Act) -> _Act:
    return _Act(
        title=f"{act.title}: {person.name}",
        says=act.says,
        button=act.button,
        fields=act.fields(person),
        command=lambda form, seen: act.command(person, form, seen),
        back=f"/people/{person.person}",
        record=f"person/{person.person}" if act.meaning else "",
        signs=act.meaning,
        warns=act.path in ("retire", "revoke-badge"),
    )


def _filled(field: Field, form: Form) -> Field:
    given = form.get(field.name, field.value)
    return Field(
        name=field.name, label=field.label, kind=field.kind, options=field.options,
        many=field.many, hint=field.hint, value=() if field.kind == "password" else given,
    )  # fmt: skip
