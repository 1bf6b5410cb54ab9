"""What each member of a message says, for people; the schemas say what it may hold."""

# path -> meaning; a member that is not always there says when it is
MEMBERS: dict[str, str] = {
    "specversion": "Always `1.0`: CloudEvents.",
    "id": "The message's id, the same on every attempt. It is the idempotency key.",
    "source": "The plant that speaks, `/mes/<plant>`.",
    "type": "Which message this is; the number at its end is the version of its schema.",
    "subject": "The work order, by its number in the MES.",
    "time": "When it happened, in milliseconds.",
    "datacontenttype": "Always `application/json`.",
    "dataschema": "The name of the schema that `data` follows.",
    "partitionkey": "The work order: messages of one come one after another.",
    "sequence": "Position within the work order, from 1, without gaps.",
    "data.erp_ref": "16 characters for the document's reference field. Store it: we look it up.",
    "data.occurred_at": "When it happened, in microseconds.",
    "data.posting_date": "The plant's calendar day of it: the date to post on.",
    "data.order.erp": "The work order, by your number.",
    "data.order.mes": "The work order, by our number.",
    "data.batch": "The batch, which is also the lot number of what it makes; or null.",
    "data.lines[].n": "Line number, from 1.",
    "data.lines[].item": "The item, by your code.",
    "data.lines[].lot": "The lot; null only where an item is not kept by lot.",
    "data.lines[].quantity": "How much. Negative only in a reversal.",
    "data.lines[].unit": "Its unit.",
    "data.lines[].movement": "`issue`, `return`, `scrap`, `receipt`, `release` or `reject`.",
    "data.lines[].location": "Where, if the plant tells it; null otherwise.",
    "data.entry": "Number of the ledger's entry behind it: an inspector finds the fact by it.",
    "data.corrects": "In `posting_reversed`: the id of the message that it undoes. Otherwise null.",
    "data.checkpoint.size": "How many entries the ledger had when the message was made.",
    "data.checkpoint.root": "The hash over all of them. Give both back in the receipt.",
    "data.signed_record.ebr": "With a release or rejection: the batch record that was signed.",
    "data.signed_record.sha256": "The SHA-256 of that record.",
    "data.work_center": "Where, in `work_order_started` and `equipment_state`.",
    "data.order_yield.quantity": "In `work_order_completed`: good quantity. It moves no stock.",
    "data.order_yield.unit": "Its unit.",
    "data.deviation.id": "In messages of a deviation: its number here.",
    "data.deviation.severity": "`low`, `medium`, `high` or `critical`, when it opens.",
    "data.why": "The reason, as the floor or the signer wrote it.",
    "data.document.id": "In `document_reversed`: your document that is undone.",
    "data.document.year": "Its year.",
    "data.replaces": "Where a fact is told once more: the id of the message that it stands for.",
    "data.equipment_state": "`running` or `idle`, in `equipment_state`.",
}


def members() -> str:
    """Return the table of all members."""
    rows = "\n".join(f"| `{path}` | {says} |" for path, says in MEMBERS.items())
    return f"""## What a message says

| member | meaning |
|---|---|
{rows}"""
