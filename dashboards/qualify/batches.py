"""OQ of batch records: order of steps, limits, corrections, review, release, reopening."""

from decimal import Decimal

from dashboards.qualify.scratch import ROOM, STATION, Scratch, eventually
from dashboards.qualify.script import Found, script

FIRST_WEIGHING = "3"
CORRECTED = "11"  # the mean mass of the tablets


@script(
    "OQ-20",
    "Steps are done in their order",
    shows=("C1",),
    clauses=("21 CFR 11.10(f)",),
    steps=("Complete step 9 of a new batch, whose step 1 was not done.", "Complete step 1."),
    expected="Refused, and the batch is at step 1 still; accepted.",
)
def sequence(plant: Scratch, found: Found) -> None:
    """No interface lets anybody pass over a step."""
    batch, olga = plant.batch, plant.person("olga", STATION)
    early = {"batch": batch, "step": "9", "values": {"value": "1.4"}}
    found.refused(
        "Step 9 before step 1", lambda: olga.send("step.complete", early), by="NotTheCurrentStep"
    )
    states = {one["step"]: one["state"] for one in olga.one("batch", batch)["steps"]}
    found.must(states["9"] == "idle", f"Step 9 is {states['9']}.")
    body = {"batch": batch, "step": "1", "values": {}}
    found.accepted("Step 1", lambda: olga.send("step.complete", body))


@script(
    "OQ-21",
    "Only the right material, in its limits, enters a batch",
    shows=("D4", "D3", "C3"),
    clauses=("21 CFR 211.101(c)", "21 CFR 11.10(h)"),
    steps=(
        "At the step that weighs povidone, scan lactose; then scan povidone.",
        "Weigh 2 % too much, with limits of 1 %; then weigh the target.",
    ),
    expected="Refused, accepted; refused with net weight and limits, accepted. The accepted weight"
    " is what the scale sent, with its raw line.",
)
def weighing(plant: Scratch, found: Found) -> None:
    """A wrong container and a weight outside the limits are stopped where they happen."""
    batch, olga = plant.batch, plant.person("olga", STATION)
    plant.done(batch, upto=FIRST_WEIGHING)
    where = {"batch": batch, "step": FIRST_WEIGHING}
    step = plant.step(batch, FIRST_WEIGHING)
    found.refused(
        "Scan lactose for povidone", lambda: plant.scanned(where, "lactose"), by="WrongMaterial"
    )
    found.accepted("Scan povidone", lambda: plant.scanned(where, step["material"]))
    target = Decimal(step["target"])
    found.refused(
        f"Weigh {target * Decimal('1.02')} g, limits {step['low']} to {step['high']} g",
        lambda: plant.weighed(where, target * Decimal("1.02")),
        by="OutOfTolerance",
    )
    found.accepted(f"Weigh {target} g", lambda: plant.poured(where, target))
    plant.pan("REMOVE")
    newest = plant.entries("weighing.weight-recorded")[-1].data
    found.must(bool(newest["reading"]["raw"]), f"Line of the scale: {newest['reading']['raw']!r}.")
    found.must(Decimal(newest["net_g"]) == target, f"Recorded net weight: {newest['net_g']} g.")
    runs = olga.one("batch", batch)["steps"]
    state = next(one["state"] for one in runs if one["step"] == FIRST_WEIGHING)
    found.must(state == "done", f"Step {FIRST_WEIGHING} is {state} and waits for its verification.")


@script(
    "OQ-22",
    "A correction keeps the old value",
    shows=("C4", "H5"),
    clauses=("21 CFR 11.10(e)", "EU Annex 11 (2011) §9", "EU Annex 11 (2011) §8.2"),
    steps=(
        "Record a mean mass of 601 mg; correct it to 604 mg without a reason, then with one.",
        "Read the step, and the entry of the first value.",
    ),
    expected="Refused; accepted. Both values stand with who, when and why, and the entry of the"
    " first value holds the same bytes as before.",
)
def correction(plant: Scratch, found: Found) -> None:
    """A correction is a new entry; what was recorded first stays readable."""
    batch, olga = plant.batch, plant.person("olga", STATION)
    plant.done(batch, upto=CORRECTED)
    where = {"batch": batch, "step": CORRECTED}
    made = olga.send("step.complete", where | {"values": {"value": "601"}})
    ledger = plant.execution.ledger
    before = ledger.raw(made["first_seq"] - 1, 1)
    body = where | {"values": {"value": "604"}}
    found.refused(
        "Correct without a reason", lambda: olga.send("step.correct", body), by="Malformed"
    )
    why = "Misread the balance."
    found.accepted("Correct with a reason", lambda: olga.send("step.correct", body | {"why": why}))
    newest = plant.entries("step.value-corrected")[-1]
    said = newest.data
    found.must(
        (said["old"], said["new"], said["why"], newest.actor)
        == ({"value": "601"}, {"value": "604"}, why, "olga"),
        f"Entry {newest.seq}: {said['old']['value']} mg to {said['new']['value']} mg, by"
        f" {newest.actor} at {newest.at}, “{said['why']}”",
    )
    found.must(
        ledger.raw(made["first_seq"] - 1, 1) == before,
        f"Entry {made['first_seq']}, the first value, holds the same bytes.",
    )
    found.values["entries"] = [made["first_seq"], newest.seq]


@script(
    "OQ-23",
    "Release needs the review, and somebody who took no part",
    shows=("I3", "H6"),
    clauses=("EU Annex 11 (2011) §15", "21 CFR 211.22", "21 CFR 211.192"),
    steps=(
        "Make the rest of the batch; release it before its audit trail was reviewed.",
        "As an operator, release it.",
        "Review exceptions and audit trail, signed; release it as QA.",
    ),
    expected="Refused with the open gates; refused by role; accepted.",
)
def release(plant: Scratch, found: Found) -> None:
    """QA decides about a batch, when nothing is open, under signature."""
    batch = plant.batch
    plant.done(batch)
    found.refused(
        "Release before the review", lambda: plant.decide("batch.release", batch), by="GatesOpen"
    )
    found.refused(
        "An operator releases",
        lambda: plant.decide("batch.release", batch, by="viktor"),
        by="NotAuthorized",
    )
    plant.reviewed(batch)
    found.accepted(
        "Review the audit trail", lambda: plant.decide("batch.review-audit-trail", batch)
    )
    found.accepted("Release", lambda: plant.decide("batch.release", batch))
    eventually(lambda: bool(plant.entries("record.closed")), "the record is closed")
    closed = plant.entries("record.closed")[-1]
    found.must(
        closed.data["revision"] == 1,
        f"Entry {closed.seq} closes revision {closed.data['revision']}, SHA-256"
        f" {closed.data['content_sha256']}.",
    )
    found.values["content_sha256"] = closed.data["content_sha256"]


@script(
    "OQ-24",
    "A released record stays as it was; reopening makes a revision",
    shows=("I4",),
    clauses=("21 CFR 11.10(e)", "21 CFR 11.70", "EU Annex 11 (2011) §17"),
    steps=(
        "Correct a value of a released batch.",
        "Reopen it as an operator; reopen it as QA, signed, with a reason.",
        "Comment in the amendment, and read the closed record of revision 1 again.",
    ),
    expected="Refused; refused, accepted. Revision 1 can be read with the hash that closed it.",
)
def reopening(plant: Scratch, found: Found) -> None:
    """What was released is not edited; QA opens an amendment, and both stand."""
    batch, olga = plant.released, plant.person("olga", STATION)
    change = {"batch": batch, "step": CORRECTED, "values": {"value": "599"}, "why": "Too late."}
    found.refused(
        "Correct a released batch", lambda: olga.send("step.correct", change), by="WrongState"
    )
    why = {"why": "A complaint asks for a comment."}
    found.refused(
        "An operator reopens",
        lambda: plant.decide("batch.reopen", batch, by="viktor", more=why),
        by="NotAuthorized",
    )
    found.accepted("QA reopens", lambda: plant.decide("batch.reopen", batch, more=why))
    opened = plant.entries("amendment.opened")[-1]
    amendment, quinn = opened.stream.partition("/")[2], plant.person("quinn")
    text = {"amendment": amendment, "text": "Nothing of it concerns this batch."}
    found.accepted("Comment in the amendment", lambda: quinn.send("amendment.comment", text))
    kept = plant.entries("record.closed")[0].data["content_sha256"]
    again = plant.closed_record(batch, 1)
    found.must(
        again == kept,
        f"Revision 1 has the SHA-256 {kept} still.",
        otherwise=f"Revision 1 has the SHA-256 {again}, it was closed with {kept}.",
    )


@script(
    "OQ-25",
    "A late entry says so and has a reason",
    shows=("C5",),
    clauses=("21 CFR 211.100(b)", "EU Annex 11 (2011) §16"),
    steps=(
        "Let 20 minutes pass. Record a step as done 2 minutes ahead of the server's clock.",
        "Record it as done 12 minutes ago without a reason, then with one.",
        "Record the next step of another batch as done 9 minutes ago.",
    ),
    expected="Refused; refused, accepted as a late entry with both times; accepted as in time.",
)
def late_entry(plant: Scratch, found: Found) -> None:
    """What was not recorded when it happened shows both times and why."""
    sana, olga = plant.person("sana"), plant.person("olga", STATION)
    plant.freed()
    batches = [plant.dispatched(ROOM), plant.dispatched("B2")]
    plant.clock.pass_time(minutes=20)
    first, second = ({"batch": one, "step": "1", "values": {}} for one in batches)
    ahead = first | {"happened_at": plant.ago(minutes=-2)}
    found.refused("Two minutes ahead", lambda: olga.send("step.complete", ahead), by="NotYet")
    late = first | {"happened_at": plant.ago(minutes=12)}
    found.refused(
        "Twelve minutes ago, no reason",
        lambda: olga.send("step.complete", late),
        by="LateNeedsReason",
    )
    why = "The kiosk was being cleaned."
    found.accepted(
        "Twelve minutes ago, with a reason", lambda: olga.send("step.complete", late, reason=why)
    )
    said = [one["says"] for one in sana.one("batch", batches[0])["exceptions"]]
    found.must(
        len(said) == 1 and why in said[0],
        f"The reviewer sees: {'; '.join(said)}",
        otherwise=f"The reviewer must see one late entry, and sees: {said}",
    )
    in_time = second | {"happened_at": plant.ago(minutes=9)}
    found.accepted("Nine minutes ago", lambda: olga.send("step.complete", in_time))
    said = [one["says"] for one in sana.one("batch", batches[1])["exceptions"]]
    found.must(not said, f"An entry in time is no exception: {len(said)} exceptions.")
