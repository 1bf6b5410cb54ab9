"""Which entries a review of the audit trail reads first (EU Annex 11 (2011) 9)."""

from core.ledger.entry import Entry

RISKY = frozenset(
    {
        "attempt.refused", "batch-exception.raised", "batch-exception.reviewed", "batch.held",
        "batch.rejected", "batch.resumed", "daily-check.failed", "deviation.closed",
        "deviation.dispositioned", "deviation.opened", "lot.status-changed",
        "order-change-request.raised", "person.authentication-failed", "person.locked",
        "person.badge-revoked", "person.enrolment-issued", "person.identity-linked",
        "person.identity-proposed",
        "person.lock-withheld", "client.key-issued",
        "erp-key.proposed", "erp-key.begun", "erp-key.ended", "erp-door.locked",
        "key.rotated", "key.revocation-proposed", "key.revoked",
        "key.recovery-proposed", "key.recovery-named", "key.recovered",
        "person.roles-changed", "person.unlocked",
        "step.value-corrected", "weighing.reversed",
        "step.reopened", "material.consumption-reversed", "material.production-reversed",
        "material.scrapped", "amendment.opened",
        "amendment.commented", "amendment.rejected", "work-order.held", "clock.stepped",
        "message.skipped", "message.superseded", "posting.reversal-proposed",
        "posting.reversal-ordered", "posting.replacement-proposed", "posting.replacement-ordered",
        "correction.requested", "correction.declined",
    }
)  # fmt: skip


def is_risky(entry: Entry) -> bool:
    """Tell whether an entry is one that an audit-trail review starts with.

    Exceptions, decisions about them, refused attempts, changes, and values outside their limits.
    """
    return entry.type in RISKY or entry.data.get("within") is False
