"""All OQ tests in the order in which one scratch plant runs them.

Batches come first, at the clock's own time; then what moves the clock.
"""

from dashboards.qualify import accounts, batches, copies, signatures, trail
from dashboards.qualify.scratch import Scratch
from dashboards.qualify.script import Script

SCRIPTS: tuple[Script[Scratch], ...] = (
    accounts.access,
    accounts.attribution,
    batches.sequence,
    signatures.second_person,
    batches.weighing,
    batches.correction,
    batches.release,
    signatures.manifestation,
    signatures.own_components,
    signatures.binding,
    signatures.signing_period,
    trail.append_only,
    trail.once,
    copies.batch_bundle,
    batches.reopening,
    batches.late_entry,
    trail.clock_step,
    accounts.lockout,
    accounts.identity,
    accounts.lost_badge,
    copies.backup_restore,
    copies.ledger_bundle,
)
