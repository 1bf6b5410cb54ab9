"""OQ of access: who comes in, who may do what, and how an account is locked and ended."""

from dataclasses import replace

import httpx

from core.clock import parse_iso
from dashboards.demo.client import Account
from dashboards.qualify.scratch import STATION, Scratch
from dashboards.qualify.script import Found, script

FAILURES = 5  # what the manual promises; the program has its own figure, which this one judges
WAIT_MIN = 1  # longer than the pause after four failures, 4 s


def tried(plant: Scratch, account: Account) -> int:
    """Try to sign in at the form; return the answer's status, 303 for who came in."""
    form = {"user": account.user, "password": account.secret}
    return httpx.post(f"{plant.web.base}/login", data=form, trust_env=False).status_code


@script(
    "OQ-01",
    "Access needs a sign-in and a role",
    shows=("H7", "B7"),
    clauses=("21 CFR 11.10(d)", "21 CFR 11.10(g)", "EU Annex 11 (2011) §12.1"),
    steps=(
        "Ask for orders, and send a command, without signing in.",
        "Ask for the same orders as a signed-in supervisor.",
        "As an administrator, try to change the status of a lot; as QA, do it signed.",
    ),
    expected="Without sign-in 401; with it the orders. The administrator is refused and the"
    " attempt is an entry; QA is accepted.",
)
def access(plant: Scratch, found: Found) -> None:
    """Nobody reads or writes without a sign-in, and nobody does what his role does not allow."""
    url = f"{plant.web.base}/api/v1"
    read = httpx.get(f"{url}/order", trust_env=False).status_code
    found.must(read == 401, f"Orders without sign-in: status {read}.")
    headers = {"idempotency-key": "qualification-1"}
    sent = httpx.post(f"{url}/commands/order.dispatch", json={}, headers=headers, trust_env=False)
    found.must(sent.status_code == 401, f"A command without sign-in: status {sent.status_code}.")
    orders = plant.person("sana").all("order")
    found.note(f"Signed in, the supervisor reads {len(orders)} orders.")
    before = len(plant.entries("attempt.refused"))
    found.refused(
        "An administrator changes a lot's status",
        lambda: plant.change_lot("ada"),
        by="NotAuthorized",
    )
    added = plant.entries("attempt.refused")[before:]
    found.must(
        [one.actor for one in added] == ["ada"],
        f"The attempt is in the audit trail: {len(added)} entry by ada.",
        otherwise=f"The attempt is not in the audit trail: {len(added)} entries.",
    )
    found.accepted("QA changes the same lot's status, signed", lambda: plant.change_lot("quinn"))


@script(
    "OQ-02",
    "Five failures lock the account",
    shows=("H7",),
    clauses=("21 CFR 11.300(d)", "EU Annex 11 (2011) §12.3"),
    steps=(
        "Sign in with a wrong secret four times, then with the right one.",
        "Sign in with a wrong secret five times, then with the right one.",
        "Let an administrator unlock the account, and sign in with the right secret.",
    ),
    expected="After four failures the right secret opens. The fifth in a row locks: the right"
    " secret opens nothing, and the lock is an entry. Unlocked by an administrator it opens again.",
)
def lockout(plant: Scratch, found: Found) -> None:
    """Guessing a secret ends at a fixed number of tries, and leaves evidence."""
    right = plant.account("dora")
    wrong = replace(right, secret="not her secret")  # noqa: S106

    def fails(count: int) -> None:
        for _ in range(count):
            plant.clock.pass_time(minutes=WAIT_MIN)
            status = tried(plant, wrong)
            if status != 401:
                found.must(False, f"A wrong secret was answered with status {status}.")
        plant.clock.pass_time(minutes=WAIT_MIN)

    fails(FAILURES - 1)
    status = tried(plant, right)
    found.must(status == 303, f"After {FAILURES - 1} failures, the right secret: status {status}.")
    before = len(plant.entries("person.locked"))
    fails(FAILURES)
    status = tried(plant, right)
    found.must(
        status == 401,
        f"After {FAILURES} failures, the right secret opens nothing: status {status}.",
        otherwise=f"After {FAILURES} failures, the right secret still opens: status {status}.",
    )
    locks = plant.entries("person.locked")[before:]
    found.must(
        [one.data["person"] for one in locks] == ["dora"],
        f"The lock is in the audit trail, {len(locks)} entry.",
        otherwise=f"The lock is not in the audit trail, {len(locks)} entries.",
    )
    ada = plant.person("ada")
    found.accepted(
        "An administrator unlocks", lambda: ada.send("person.unlock", {"person": "dora"})
    )
    plant.clock.pass_time(minutes=16)
    status = tried(plant, right)
    found.must(status == 303, f"Unlocked, the right secret: status {status}.")
    found.values["entries"] = [one.seq for one in locks]


@script(
    "OQ-03",
    "A login name and a badge are given out once",
    shows=("H7",),
    clauses=("21 CFR 11.100(a)", "21 CFR 11.300(a)"),
    steps=(
        "Register a new person; then another one under the same login name.",
        "Register another one with the first one's badge.",
        "Retire the first; register somebody under the retired name, and with the old badge.",
    ),
    expected="The first is registered and retired; each of the other four is refused.",
)
def identity(plant: Scratch, found: Found) -> None:
    """An identity never belongs to a second person, not even after it has ended."""
    ada = plant.person("ada")

    def register(person: str, badge: str) -> dict[str, object]:
        body = {"person": person, "name": f"Person {person}", "badge": badge, "roles": ["operator"]}
        return ada.send("person.register", body)

    found.accepted("Register tilda with badge 77001", lambda: register("tilda", "77001"))
    found.refused("Register tilda again", lambda: register("tilda", "77002"), by="AlreadyKnown")
    found.refused(
        "Register uwe with badge 77001", lambda: register("uwe", "77001"), by="AlreadyKnown"
    )
    found.accepted("Retire tilda", lambda: ada.send("person.retire", {"person": "tilda"}))
    found.refused(
        "Register the retired name again", lambda: register("tilda", "77003"), by="AlreadyKnown"
    )
    found.refused(
        "Register uwe with the retired badge", lambda: register("uwe", "77001"), by="AlreadyKnown"
    )


@script(
    "OQ-04",
    "A lost badge is dead at once",
    shows=("H7",),
    clauses=("21 CFR 11.300(c)",),
    steps=(
        "Sign with badge and secret.",
        "Let a supervisor revoke the badge as lost.",
        "Sign with the same badge and secret again.",
    ),
    expected="The first signing stands; after the loss was entered the badge signs nothing.",
)
def lost_badge(plant: Scratch, found: Found) -> None:
    """Whoever finds a badge can do nothing with it once its loss was entered."""
    account = plant.account("ines")
    given = {"badge": account.badge, "secret": account.secret}
    found.accepted("Sign with the badge", lambda: plant.change_lot("ines", given))
    sana = plant.person("sana")
    body = {"badge": account.badge, "cause": "lost"}
    found.accepted("Revoke the badge", lambda: sana.send("person.revoke-badge", body))
    again = plant.signed_in("ines")  # the revocation has ended every open session
    try:
        found.refused(
            "Sign with the dead badge",
            lambda: plant.change_lot("ines", given, client=again),
            by="BadgeIsDead",
        )
    finally:
        again.close()


@script(
    "OQ-05",
    "Entries carry who, when and where",
    shows=("H5",),
    clauses=("21 CFR 11.10(e)", "EU Annex 11 (2011) §12.4"),
    steps=(
        "Sign in as an operator at a station.",
        "Read the entry of the sign-in.",
    ),
    expected="The entry names the person and the station, and its time is the server's.",
)
def attribution(plant: Scratch, found: Found) -> None:
    """Each act leads to one person, one place and one instant."""
    begun = plant.clock.wall()
    client = plant.signed_in("olga", STATION)
    client.close()
    newest = plant.entries("person.signed-in")[-1]
    at = parse_iso(newest.at)
    found.must(
        (newest.data["person"], newest.station) == ("olga", STATION),
        f"Entry {newest.seq}: {newest.data['person']} at {newest.station}.",
    )
    found.must(
        begun <= at <= plant.clock.wall(),
        f"Its time {newest.at} lies between request and answer by the server's clock.",
    )
