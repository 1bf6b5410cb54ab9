"""OQ of electronic signatures: components and periods, what they show, what they are bound to."""

from core.execution import Credentials
from dashboards.qualify.scratch import STATION, Scratch, current
from dashboards.qualify.script import Found, script

IDLE_MIN = 10  # what the pack's signing gates state


@script(
    "OQ-10",
    "Two components at the first signing, the secret alone within the period",
    shows=("H1",),
    clauses=("21 CFR 11.200(a)(1)", "21 CFR 11.200(a)(1)(i)", "21 CFR 11.200(a)(1)(ii)"),
    steps=(
        "On a page, sign with the secret alone, then with badge and secret.",
        "Sign with the secret alone; after 9 minutes again.",
        "After 11 minutes without a signing, sign with the secret alone.",
        "In another browser of the same person, sign with the secret alone.",
        "At a shared kiosk over REST, sign with badge and secret, then with the secret alone.",
    ),
    expected="Refused, accepted; accepted, accepted; refused; refused; accepted, refused.",
)
def signing_period(plant: Scratch, found: Found) -> None:
    """The first signing asks for both components, later ones in one period for the secret."""
    account = plant.account("quinn")
    alone = Credentials(account.secret)
    both = Credentials(account.secret, badge=account.badge)
    first, page = "FirstSigningNeedsBoth", plant.sign_on_page
    found.refused("First signing, the secret alone", lambda: page("one", alone), by=first)
    found.accepted("First signing, badge and secret", lambda: page("one", both))
    found.accepted("Second signing, the secret alone", lambda: page("one", alone))
    plant.clock.pass_time(minutes=IDLE_MIN - 1)
    found.accepted(f"After {IDLE_MIN - 1} min, the secret alone", lambda: page("one", alone))
    plant.clock.pass_time(minutes=IDLE_MIN + 1)
    late = f"After {IDLE_MIN + 1} min, the secret alone"
    found.refused(late, lambda: page("one", alone), by=first)
    found.accepted("Then badge and secret", lambda: page("one", both))
    found.refused("In another browser, the secret alone", lambda: page("two", alone), by=first)
    kiosk = plant.person("quinn", STATION)
    found.accepted(
        "At the kiosk, badge and secret", lambda: plant.change_lot("quinn", client=kiosk)
    )
    found.refused(
        "At the kiosk, the secret alone",
        lambda: plant.change_lot("quinn", {"secret": account.secret}, client=kiosk),
        by="EverySigningNeedsBoth",
    )


@script(
    "OQ-11",
    "Nobody signs as another person",
    shows=("H1",),
    clauses=("21 CFR 11.200(a)(2)", "21 CFR 11.200(a)(3)"),
    steps=(
        "Sign with the badge of one person and the secret of another.",
        "Sign with both of one.",
    ),
    expected="Refused, and the failure is an entry; accepted, under the name of whose they are.",
)
def own_components(plant: Scratch, found: Found) -> None:
    """A signature needs both components of one person, and bears that person's name."""
    quinn, viktor = plant.account("quinn"), plant.account("viktor")
    mixed = {"badge": quinn.badge, "secret": viktor.secret}
    failed = len(plant.entries("person.authentication-failed"))
    found.refused(
        "Badge of Quinn Marsh, secret of Viktor Lenz",
        lambda: plant.change_lot("quinn", mixed),
        by="DoesNotFit",
    )
    count = len(plant.entries("person.authentication-failed")) - failed
    found.must(count == 1, f"The failure is in the audit trail: {count} entry.")
    plant.clock.pass_time(minutes=1)
    whole = {"badge": quinn.badge, "secret": quinn.secret}
    found.accepted("Badge and secret of Quinn Marsh", lambda: plant.change_lot("quinn", whole))
    newest = plant.entries("signature.applied")[-1]
    signer = newest.data["manifest"]["signer"]
    found.must(signer == "quinn", f"Entry {newest.seq} is the signature of {signer}.")


@script(
    "OQ-12",
    "A signature shows name, date and time with zone, and meaning",
    shows=("H2",),
    clauses=("21 CFR 11.50(a)", "21 CFR 11.50(b)", "EU Annex 11 (2011) §14"),
    steps=("Sign.", "Read the signature in the ledger, and the words that a person reads."),
    expected="Printed name, meaning, time and zone are in the signed manifest and in its words.",
)
def manifestation(plant: Scratch, found: Found) -> None:
    """Whoever reads a signature sees who signed, when, and what it means."""
    found.accepted("Sign a lot's status", lambda: plant.change_lot("quinn"))
    newest = plant.entries("signature.applied")[-1]
    manifest = newest.data["manifest"]
    words = manifest["words"]
    found.must(manifest["name"] == "Quinn Marsh", f"Printed name: {manifest['name']}.")
    meaning = "I decide this lot's status"
    found.must(manifest["meaning"] == meaning, f"Meaning: {manifest['meaning']}.")
    found.must(bool(manifest["at"]), f"Time: {manifest['at']}.")
    found.must(manifest["zone"] == "Europe/Berlin", f"Zone: {manifest['zone']}.")
    found.must(bool(words), f"What was signed, in words: {words}")
    found.values["entry"] = newest.seq
    found.values["manifest_sha256"] = newest.data["manifest_sha256"]


@script(
    "OQ-13",
    "A signature is bound to the record as it was seen",
    shows=("H3",),
    clauses=("21 CFR 11.70", "EU Annex 11 (2011) §14"),
    steps=(
        "Read a lot; let another person change it; sign what was read first.",
        "Read one lot and sign it for another lot.",
        "Read the lot again and sign it.",
    ),
    expected="Refused with what changed; refused; accepted, and the signature names stream, version"
    " and hash of exactly what was seen.",
)
def binding(plant: Scratch, found: Found) -> None:
    """What is signed is what was shown: not an older version, and not another record."""
    quinn, ines = plant.person("quinn"), plant.person("ines")
    seen = quinn.one("lot", plant.lot)["seen"]
    user = {"user": "ines", "secret": plant.account("ines").secret}
    found.accepted("Ines changes the lot meanwhile", lambda: plant.change_lot("ines", user))
    found.refused(
        "Quinn signs what she saw before",
        lambda: plant.change_lot("quinn", seen=seen),
        by="RecordMoved",
    )
    other = next(one["lot"] for one in quinn.all("lot") if one["lot"] != plant.lot)
    elsewhere = quinn.one("lot", other)["seen"]
    found.refused(
        f"Quinn signs what she saw of {other} for {plant.lot}",
        lambda: plant.change_lot("quinn", seen=elsewhere),
        by="WrongRecord",
    )
    now = ines.one("lot", plant.lot)["seen"]
    found.accepted("Quinn signs the lot as it is", lambda: plant.change_lot("quinn", seen=now))
    signed = plant.entries("signature.applied")[-1].data["manifest"]
    found.must(
        (signed["record"], signed["ver"], signed["head"])
        == (now["stream"], now["ver"], now["head"]),
        f"It names {signed['record']}, version {signed['ver']}, hash {signed['head']}.",
    )


@script(
    "OQ-14",
    "The person who did a step does not verify it",
    shows=("H4", "C2"),
    clauses=("21 CFR 211.101(d)", "EU Annex 11 (2011) §6"),
    steps=(
        "As Olga, who did the first step of a batch, sign its verification.",
        "As Viktor, sign the verification at the same kiosk.",
    ),
    expected="Refused with her name, and the attempt is an entry; accepted.",
)
def second_person(plant: Scratch, found: Found) -> None:
    """A verification is a second person's."""
    batch, olga = plant.batch, plant.person("olga", STATION)
    run = current(olga.one("batch", batch))
    if run is not None and run["state"] == "idle":
        body = {"batch": batch, "step": "1", "values": {}}
        found.accepted("Olga does the line clearance", lambda: olga.send("step.complete", body))
    found.refused(
        "Olga verifies her own step",
        lambda: plant.verify(batch, "1", by="olga"),
        by="SamePerson",
    )
    found.accepted("Viktor verifies it", lambda: plant.verify(batch, "1"))
