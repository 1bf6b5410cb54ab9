"""In which order tests run on several workers: what is long first, and as much of it on each.

xdist gives every worker an equal, contiguous part of the list, and lets one that has ended take the
last half of what another still has. So what is long stands at the front of each part, where it
begins at once and stays in one piece: a server, a browser and a folder that a file makes once are
made once. What is taken from one another later, and what runs last, is short.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

# Files and about how many seconds they take among others; those in one row share what costs most to
# start. Only the order depends on the figures: a file that is not here runs among the short ones.
LONG: tuple[tuple[int, tuple[str, ...]], ...] = (
    (115, ("dashboards_components",)),
    (95, ("demo",)),
    (80, ("dashboards_kiosk",)),
    (75, ("dashboards_bench",)),
    (130, ("erp_tryton", "dashboards_tryton", "erp_conformance")),
    (60, ("faults",)),
    (60, ("dashboards_signature_dialog",)),
    (55, ("analytics_match",)),
    (55, ("dashboards_finance_periods",)),
    (50, ("dashboards_audit",)),
    (45, ("dashboards_record_stamps",)),
    (45, ("dashboards_log_keys",)),
    (45, ("dashboards_review_screen",)),
    (40, ("dashboards_books",)),
    (40, ("dashboards_provider_signing",)),
    (40, ("dashboards_office",)),
    (40, ("story_browser",)),
    (35, ("run",)),
    (35, ("dashboards_recovery_form",)),
    (35, ("dashboards_finance",)),
    (35, ("dashboards_record_seals",)),
    (35, ("dashboards_finance_replace",)),
    (30, ("dashboards_passkeys",)),
    (25, ("core_projections",)),
    (25, ("dashboards_operations",)),
    (25, ("dashboards_openapi",)),
    (25, ("dashboards_finance_desk",)),
    (25, ("dashboards_finance_acts",)),
    (25, ("core_ledger_dead_line",)),
    (25, ("erp_drill",)),
    (20, ("erp_polled_conformance",)),
    (20, ("core_ledger_processes",)),
    (20, ("keyboard",)),
    (20, ("dashboards_security",)),
    (20, ("erp_pull",)),
    (15, ("erp_relay",)),
    (15, ("dashboards_office_keys",)),
    (15, ("dashboards_sign_sheet",)),
    (15, ("dashboards_long_lists",)),
    (15, ("dashboards_record_same",)),
    (15, ("qualify_operation",)),
    (15, ("dashboards_record",)),
    (15, ("analytics_projector",)),
    (15, ("dashboards_amend",)),
    (15, ("dashboards_kiosk_newborn",)),
)


def file_name(name: str) -> str:
    return f"test_{name}.py"


def dealt(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """Return all items so that each of `workers` equal parts begins with its share of the long."""
    by_file: dict[str, list[pytest.Item]] = {}
    for item in items:
        by_file.setdefault(item.path.name, []).append(item)
    shares: list[list[pytest.Item]] = [[] for _ in range(workers)]
    filled = [0] * workers
    for seconds, names in sorted(LONG, reverse=True):
        found = [item for name in names for item in by_file.pop(file_name(name), ())]
        if found:
            least = filled.index(min(filled))
            shares[least] += found
            filled[least] += seconds
    short, left = [item for found in by_file.values() for item in found], len(items)
    for n, share in enumerate(shares):
        size = left // (workers - n)  # as xdist counts it
        left -= size
        more = max(0, size - len(share))
        share += short[:more]
        del short[:more]
    return [*(item for share in shares for item in share), *short]
