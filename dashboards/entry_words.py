"""Entries of the ledger in words: what happened, and whether it carries risk."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from core.batch_record.risk import is_risky as is_risky
from core.ledger.entry import Entry
from core.log_key import short
from core.quantity import kg_text
from dashboards.entry_changes import cut


def _kg(text: object) -> str:
    return kg_text(Decimal(str(text)))


def _instant(text: str) -> str:
    return text[:19].replace("T", " ")


def _weight(it: dict[str, Any]) -> str:
    judged = "within limits" if it["within"] else "outside limits"
    return (
        f"Step {it['step']}: net {_kg(it['net_g'])} of {it['material']}, lot {it['lot']},"
        f" container {it['container']}, on {it['scale']}; {judged}."
    )


def _values(it: dict[str, Any]) -> str:
    unit = f" {it['unit']}" if it.get("unit") else ""
    given = ", ".join(f"{name} {value}{unit}" for name, value in it["values"].items())
    judged = "" if it["within"] else "; outside limits"
    return f"Step {it['step']}: {given or 'done'}{judged}."


def _corrected(it: dict[str, Any]) -> str:
    unit = f" {it['unit']}" if it.get("unit") else ""
    changes = ", ".join(
        f"{name} {it['old'][name]} corrected to {new}{unit}" for name, new in it["new"].items()
    )
    judged = "" if it["within"] else "; outside limits"
    return f"Step {it['step']}: {changes}{judged}. {it['why']}"


def _chosen(it: dict[str, Any]) -> str:
    """Return which messages a replay sends again."""
    if it["messages"]:
        return f"Messages {', '.join(it['messages'])}"
    whose = f" of order {it['order']}" if it["order"] else ""
    since = f" from {_instant(it['since'])}" if it["since"] else ""
    return f"Messages{whose} made{since} until {_instant(it['until'])} UTC"


def _told(text: str) -> str:
    return text[:1].upper() + text[1:].replace("_", " ")


def _reversal(it: dict[str, Any], what: str) -> str:
    document = it["document"]
    return f"ERP document {document['id']}/{document['year']}: {what} {it['why']}"


def _explained(it: dict[str, Any]) -> int:
    return len(it["differences"]) or sum(one["rows"] for one in it.get("reasons", ()))


def _fact(it: dict[str, Any]) -> str:
    line = it["fact"]["line"]
    told = f"{line['quantity']} {line['unit']} of {line['material']}"
    return f"What entry {it['fact']['entry']} says, {line['movement']} {told},"


WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "weighing.weight-recorded": _weight,
    "weighing.tare-recorded": lambda it: f"Step {it['step']}: tare {_kg(it['tare_g'])}.",
    "scan.accepted": lambda it: (
        f"Step {it['step']}: scanned {it['material']}, lot {it['lot']},"
        f" container {it['container']}."
    ),
    "step.value-recorded": _values,
    "step.value-corrected": _corrected,
    "step.reopened": lambda it: f"Step {it['step']} is done anew: rework, {it['deviation']}.",
    "weighing.reversed": lambda it: (
        f"Step {it['step']}: {_kg(it['net_g'])} of {it['material']}, lot {it['lot']}, taken back."
        f" {it['why']}"
    ),
    "material.consumption-reversed": lambda it: (
        f"Step {it['step']}: {_kg(it['net_g'])} of {it['material']}, lot {it['lot']}; entry"
        f" {it['corrects']} is reversed."
    ),
    "material.production-reversed": lambda it: (
        f"{it['quantity']} {it['unit']} of {it['product']}, lot {it['lot']}; entry"
        f" {it['corrects']} is reversed. {it['why']}"
    ),
    "material.scrapped": lambda it: (
        f"Step {it['step']}: {_kg(it['net_g'])} of {it['material']}, lot {it['lot']}, scrapped."
    ),
    "room.occupied": lambda it: f"{it['equipment']}: batch {it['batch']} is weighed here.",
    "room.vacated": lambda it: f"{it['equipment']}: batch {it['batch']} is weighed.",
    "deviation.disposition-proposed": lambda it: (
        f"{it['deviation']}: {it['disposition'].replace('_', ' ')} proposed; a second person of QA"
        f" decides. {it['assessment']}"
    ),
    "severity-rules.adopted": lambda it: f"Rules of severity, version {it['version']}.",
    "container.returned": lambda it: (
        f"{it['quantity']} {it['unit']} are back in container {it['container']} from"
        f" {it['batch']}, step {it['step']}; {it['left']} {it['unit']} are in it."
    ),
    "amendment.opened": lambda it: (
        f"Batch {it['batch']}, {it['before']}, reopened as {it['amendment']}: {it['why']}"
    ),
    "amendment.commented": lambda it: it["text"],
    "amendment.released": lambda it: (
        f"{it['amendment']} released: {it['quantity']} {it['unit']} of {it['product']}."
    ),
    "amendment.rejected": lambda it: f"{it['amendment']} rejected: {it['why']}",
    "step.started": lambda it: f"Step {it['step']} started.",
    "step.completed": lambda it: f"Step {it['step']} complete.",
    "step.verified": lambda it: (
        f"Step {it['step']} of {it['performed_by']} verified by {it['verified_by']}."
    ),
    "signature.applied": lambda it: (
        f"{it['manifest']['name']} signed: {it['manifest']['meaning']}."
        + (f" Comment: {it['manifest']['comment']}" if it["manifest"].get("comment") else "")
    ),
    "passkey.registered": lambda it: f"{it['person']} registered the passkey {it['label']}.",
    "passkey.used": lambda it: f"A passkey signed {it['record']}; its count is {it['sign_count']}.",
    "passkey.revoked": lambda it: f"A passkey of {it['person']} was revoked: {it['why']}",
    "signing-gates.adopted": lambda it: (
        f"Signing gates, version {it['version']}, in force: {', '.join(sorted(it['gates']))}."
    ),
    "batch-exception.raised": lambda it: f"{it['exception']}, {it['kind']}: {it['says']}",
    "batch-exception.reviewed": lambda it: f"{it['exception']} reviewed: {it['assessment']}",
    "deviation.opened": lambda it: f"{it['deviation']}, {it['kind']}: {it['says']}",
    "deviation.dispositioned": lambda it: (
        f"{it['deviation']}: {it['disposition'].replace('_', ' ')}. {it['assessment']}"
    ),
    "batch.held": lambda it: f"Held at step {it['step']} by {it['deviation']}.",
    "batch.resumed": lambda it: (
        f"Step {it['step']} freed: {it['disposition'].replace('_', ' ')} ({it['deviation']})."
    ),
    "batch.created": lambda it: (
        f"Batch {it['batch']} of order {it['order']}, recipe {it['recipe']}."
    ),
    "batch.released": lambda it: f"Released: {it['quantity']} {it['unit']} of {it['product']}.",
    "batch.rejected": lambda it: f"Rejected: {it['why']}",
    "attempt.refused": lambda it: f"Refused: {it['says']}",
    "material.consumed": lambda it: (
        f"Step {it['step']}: {_kg(it['net_g'])} of {it['material']}, lot {it['lot']}, is in."
    ),
    "container.dispensed": lambda it: (
        f"{it['quantity']} {it['unit']} left container {it['container']} for"
        f" {it['batch']}, step {it['step']}; {it['left']} {it['unit']} remain."
    ),
    "lot.status-changed": lambda it: f"{it['before']} became {it['after']}: {it['why']}",
    "audit-trail.reviewed": lambda it: f"Audit trail reviewed up to version {it['entries']}.",
    "work-order.held": lambda it: f"Batch {it['batch']} held: {it['why']}",
    "person.authentication-failed": lambda it: (
        f"{it['person']}: failed attempt {it['failures']}, {it['purpose']}."
        if it.get("badge") is None
        else f"{it['person']}: somebody tried the dead badge {it['badge']}, {it['purpose']}."
    ),
    "person.signed-in": lambda it: (
        f"{it['person']} signed in."
        if it.get("means", "secret") == "secret"
        else f"{it['person']} signed in, by {it['means']}."
    ),
    "person.signed-out": lambda it: f"{it['person']} signed out: {it['cause']}.",
    "person.registered": lambda it: f"{it['name']} registered as {', '.join(it['roles'])}.",
    "person.locked": lambda it: f"{it['person']} locked after {it['failures']} failed attempts.",
    "person.lock-withheld": lambda it: (
        f"{it['person']}: {it['failures']} failed attempts. Not locked, as the last administrator;"
        " each next try waits longer."
    ),
    "person.unlocked": lambda it: f"{it['person']} unlocked.",
    "person.retired": lambda it: f"{it['person']}: access ended for ever.",
    "person.roles-changed": lambda it: (
        f"{it['person']}: {', '.join(it['before']) or 'no role'} became"
        f" {', '.join(it['after']) or 'no role'}."
    ),
    "person.enrolment-confirmed": lambda it: f"{it['person']}: enrolment code handed out.",
    "person.enrolment-issued": lambda it: (
        f"{it['person']}: enrolment code issued. Identity checked by {it['checked_by']} on"
        f" {it['checked_on']}, {it['document'].replace('_', ' ')}. {it['why']}"
    ),
    "person.secret-changed": lambda it: (
        f"{it['person']} chose a secret."
        if it["origin"] == "own"
        else f"{it['person']}: first secret set by the installer."
    ),
    "person.badge-revoked": lambda it: f"{it['person']}: badge {it['badge']} {it['cause']}, dead.",
    "person.badge-issued": lambda it: (
        f"{it['person']}: badge {it['badge']} given"
        + (f" in place of {it['replaces']}." if it.get("replaces") else ".")
    ),
    "person.identity-proposed": lambda it: (
        f"{it['person']} may be {it['subject']} of {it['issuer']}; another person must confirm it."
        f" {it['why']}"
    ),
    "person.identity-linked": lambda it: (
        f"{it['person']} is {it['subject']} of {it['issuer']}. {it['why']}"
    ),
    "access.reviewed": lambda it: f"Access of {len(it['people'])} people reviewed: {it['found']}",
    "client.registered": lambda it: (
        f"Client {it['client']}: {it['name']}, as {', '.join(it['roles'])}."
    ),
    "client.key-issued": lambda it: f"Client {it['client']}: key {it['key']} given.",
    "client.key-revoked": lambda it: f"Client {it['client']}: key {it['key']} ended. {it['why']}",
    "work-order.received": lambda it: (
        f"Order {it['order']}: {it['quantity']} {it['unit']} of {it['product']},"
        f" {'from the ERP' if it['origin'] == 'erp' else 'opened here'}."
    ),
    "work-order.made-ready": lambda it: f"Order {it['order']} is ready: every gate is green.",
    "work-order.dispatched": lambda it: (
        f"Order {it['order']} went to {it['room']} as batch {it['batch']}."
    ),
    "work-order.started": lambda it: f"Order {it['order']} started, batch {it['batch']}.",
    "work-order.resumed": lambda it: f"Order {it['order']} goes on, batch {it['batch']}.",
    "work-order.completed": lambda it: (
        f"Order {it['order']} completed: {it['quantity']} {it['unit']}, batch {it['batch']}."
    ),
    "batch.completed": lambda it: f"Batch {it['batch']}: every step is complete.",
    "record.printed": lambda it: (
        f"Copy {it['copy']} of the record of {it['batch']} printed"
        f"{': ' + it['why'] if it.get('why') else ''}."
    ),
    "record.sealed": lambda it: (
        f"Copy {it['copy']} of the record of {it['batch']} sealed, file {it['file_sha256'][:16]} …,"
        f" {'time-stamped by ' + it['stamped_by'] if it.get('stamped_by') else 'no time stamp'}."
        f" Its seals can be checked until {it['until'][:10]}."
    ),
    "record.closed": lambda it: (
        f"Record of {it['batch']}, revision {it['revision']}, closed with content"
        f" {it['content_sha256'][:16]} …."
    ),
    "batch.closed": lambda it: f"Batch {it['batch']}: the record is closed.",
    "material.produced": lambda it: (
        f"{it['quantity']} {it['unit']} of {it['product']} produced, lot {it['lot']}."
    ),
    "lot.created": lambda it: f"Lot {it['lot']} of {it['material']} from {it['supplier']}.",
    "material.registered": lambda it: f"{it['material']}: {it['name']}, in {it['unit']}.",
    "equipment.registered": lambda it: f"{it['equipment']}: {it['name']}, {it['kind']}.",
    "instrument.calibrated": lambda it: (
        f"{it['equipment']} calibrated, certificate {it['certificate']}, due {it['due_on']}."
    ),
    "instrument.used": lambda it: (
        f"{it['equipment']} weighed {_kg(it['net_g'])} for {it['batch']}, step {it['step']}."
    ),
    "station.bound": lambda it: f"Station {it['station']}: room {it['room']}, {it['scale']}.",
    "master-recipe.approved": lambda it: f"{it['recipe']} approved for {it['party']}.",
    "master-recipe.made-effective": lambda it: f"{it['recipe']} is effective.",
    "deviation.linked-to-capa": lambda it: f"{it['capa']} deals with {it['deviation']}.",
    "deviation.capa-reported": lambda it: (
        f"{it['capa']} is {it['status'].replace('_', ' ')} there."
    ),
    "erp-key.proposed": lambda it: (
        f"Key {it['key']} to {it['direction']} should {it['step']}; a second person must agree."
    ),
    "erp-key.begun": lambda it: (
        f"Key {it['key']} to {it['direction']} lives beside {it['before']}, until"
        f" {_instant(it['until'])} UTC."
    ),
    "erp-key.ended": lambda it: f"Key {it['key']} to {it['direction']} is dead.",
    "erp-material.received": lambda it: (
        f"The ERP states material {it['material']}: {it['name']}, in {it['unit']};"
        f" version {it['version']}."
    ),
    "customer.received": lambda it: (
        f"The ERP states customer {it['customer']}: {it['name']}; version {it['version']}."
    ),
    "number.assigned": lambda it: f"{it['name']} given out for {it['assigned_for']}.",
    "telemetry.sealed": lambda it: (
        f"{it['line']}: {it['rows']} rows sealed, SHA-256 {it['sha256'][:16]} …."
    ),
    "key.rotated": lambda it: (
        f"The log key {it['old'].split('+')[1]} handed the log over to {it['new'].split('+')[1]}."
    ),
    "key.revocation-proposed": lambda it: (
        f"The log key {short(it['key'])}, {it['cause']}, is proposed to count up to"
        f" {it['trusted']} entries only. A second person must agree."
    ),
    "key.revoked": lambda it: (
        f"The log key {short(it['key'])} was {it['cause']} and is revoked: its checkpoints"
        f" count up to {it['trusted']} entries. Proposed by {it['proposed_by']}."
    ),
    "key.recovery-proposed": lambda it: (
        f"The recovery key {short(it['key'])} is proposed. A second person must agree."
    ),
    "key.recovery-named": lambda it: (
        f"The recovery key {short(it['key'])} may hand the log over, once. Proposed by"
        f" {it['proposed_by']}."
    ),
    "key.recovered": lambda it: (
        f"The log key {short(it['old'])} was lost: the recovery key {short(it['recovery'])} handed"
        f" the log over to {short(it['new'])}."
    ),
    "erp-door.locked": lambda it: (
        f"The ERP's door {it['door']} was shut until {_instant(it['until'])} UTC after"
        f" {it['failures']} refused tries in a row."
    ),
    "clock.stepped": lambda it: (
        f"The server's clock stepped by {it['by_ms'] / 1000:+.1f} s,"
        f" from {_instant(it['expected'])} to {_instant(it['now'])} UTC."
    ),
    "difference.assigned": lambda it: (
        f"Difference {it['difference']}, {it['shown']['match_class'].replace('_', ' ')}, is"
        f" {it['owner']}'s: {it['code'].replace('_', ' ')}. {it['note']}"
    ),
    "message.resend-ordered": lambda it: f"Message {it['message']} is sent again. {it['why']}",
    "message.replay-ordered": lambda it: f"{_chosen(it)} are sent again. {it['why']}",
    "message.skipped": lambda it: f"Message {it['message']} is not sent. {it['why']}",
    "message.superseded": lambda it: (
        f"Message {it['message']} is not sent, {it['instead']} stands for it. {it['why']}"
    ),
    "posting.reversal-proposed": lambda it: _reversal(it, "its reversal is proposed."),
    "posting.reversal-ordered": lambda it: _reversal(
        it, f"is reversed; {it['proposed_by']} proposed it."
    ),
    "posting.replacement-proposed": lambda it: (
        f"{_fact(it)} is to be posted anew in the ERP. {it['why']}"
    ),
    "posting.replacement-ordered": lambda it: (
        f"{_fact(it)} is posted anew in the ERP; {it['proposed_by']} proposed it. {it['why']}"
    ),
    "correction.requested": lambda it: (
        f"{it['to']} is asked to correct entry {it['entry']} of batch {it['batch']} until"
        f" {it['due_on']}: {it['what']}"
    ),
    "correction.made": lambda it: f"Entry {it['entry']} was corrected as asked. {it['why']}",
    "correction.declined": lambda it: f"Entry {it['entry']} stays as it is. {it['why']}",
    "reconciliation.signed": lambda it: (
        f"Reconciliation of {it['period']}, revision {it['revision']}: {it['figures']['total']}"
        f" rows, {_explained(it)} differences with owner and reason."
    ),
    "daily-check.passed": lambda it: f"Check weight shown as {_kg(it['shown_g'])}: passed.",
    "daily-check.failed": lambda it: f"Check weight shown as {_kg(it['shown_g'])}: failed.",
}


def summary(entry: Entry) -> str:
    """Return in one sentence what an entry says; any type, known here or not."""
    wording = WORDS.get(entry.type)
    if wording is not None:
        try:
            return cut(wording(entry.data))
        except (KeyError, TypeError, ArithmeticError):
            pass  # an older version of the type; its plain fields follow
    told = [
        f"{name.replace('_', ' ')} {value}"
        for name, value in entry.data.items()
        if isinstance(value, str | int) and not isinstance(value, bool) and value != ""
    ]
    return cut(", ".join(told[:5])) or _told(entry.type.replace(".", " ").replace("-", " "))
