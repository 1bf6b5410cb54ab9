"""Sign-off of a period: what is not compared or not explained is refused, what is signed stays."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.catalogue import from_data
from core.difference import NO_DIFFERENCE, ReasonCode
from core.manifest import manifest_digest
from core.reconciliation import (
    NAMED,
    ClassFigure,
    Figures,
    FiguresDoNotAddUp,
    NoPeriod,
    NotBegun,
    NotCompared,
    NothingChanged,
    NothingPosted,
    ReasonFigure,
    Reconciliation,
    ReconciliationSigned,
    RevisionNeedsReason,
    SignReconciliation,
    Unexplained,
    bounds,
)
from core.signature import RecordMoved, SignatureRequired
from core.signature_check import SignatureBroken, check_signature, signature_in, standing
from tests.floor import Floor
from tests.hands import refusal
from tests.paper import Paper, paper
from tests.write_golden import golden_file

DAY = "2026-11-22"
READ = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)


def figures(counts: dict[str, int], **changes: Any) -> Figures:
    sums = tuple(
        ClassFigure(match_class=name, unit="KGM", rows=n, floor=Decimal(n), sent=Decimal(n),
                    booked=Decimal(n))
        for name, n in counts.items() if n
    )  # fmt: skip
    fields: dict[str, Any] = {
        "total": sum(counts.values()), "counts": counts, "sums": sums, "tolerance": "0 in quantity",
        "upto_seq": 40, "checkpoint_size": 40, "checkpoint_root": "b" * 64, "books_at": READ,
        "rows_sha256": "c" * 64,
    }  # fmt: skip
    return Figures(**fields | changes)


ALL_MATCH = figures({"matched": 209, "in_flight": 3})


def reasons_of(it: Figures, code: ReasonCode | None = None) -> tuple[ReasonFigure, ...]:
    return tuple(
        ReasonFigure(match_class=name, code=code, rows=n)
        for name, n in it.counts.items()
        if n and name not in NO_DIFFERENCE
    )


def signing(plant: Paper, it: Figures = ALL_MATCH, **changes: Any) -> SignReconciliation:
    period, code = changes.get("period", DAY), changes.pop("code", None)
    fields: dict[str, Any] = {
        "period": period, "figures": it, "reasons": reasons_of(it, code),
        "seen": plant.seen(f"reconciliation/{period}"),
    }  # fmt: skip
    return SignReconciliation(**fields | changes)


@pytest.mark.requirement("L1", "L8")
def test_signed_period_keeps_its_figures_and_says_them_in_the_signature() -> None:
    plant = paper()
    refusal(SignatureRequired, lambda: plant.act(signing(plant), "finn"))
    plant.sign(signing(plant), "finn")
    found = plant.get(Reconciliation, DAY).newest
    assert (found.revision, found.figures, found.signed_by) == (1, ALL_MATCH, "finn")
    assert (found.first, found.last) == (date(2026, 11, 22), date(2026, 11, 22))
    assert found.signature.meaning == "I reconciled this period"
    assert found.signature.words == (
        "Reconciliation of 2026-11-22, revision 1: 209 matched + 3 in flight = 212 rows, tolerance"
        f" 0 in quantity. Rows SHA-256 {'c' * 64}."
    )


@pytest.mark.requirement("L3")
def test_period_with_a_row_that_is_not_compared_is_refused() -> None:
    plant = paper()
    unread = figures({"matched": 4, "not_compared": 1})
    assert refusal(NotCompared, lambda: plant.sign(signing(plant, unread), "finn")) == (
        "Period 2026-11-22: 1 row is not compared. See why in the list, mend it, then sign."
    )


@pytest.mark.requirement("L8")
def test_period_with_a_difference_without_owner_is_refused_by_name() -> None:
    plant = paper()
    keys = tuple(f"evt_{n}" for n in range(NAMED))
    seven = signing(plant, figures({"matched": 1, "qty_mismatch": 7}), unowned=keys)
    assert refusal(Unexplained, lambda: plant.sign(seven, "finn")) == (
        "Period 2026-11-22: 7 differences have no owner and no reason: evt_0, evt_1, evt_2, evt_3,"
        " evt_4 and 2 more. Assign each, then sign."
    )
    one = signing(plant, figures({"qty_mismatch": 1}), unowned=("evt_1",))
    assert refusal(Unexplained, lambda: plant.sign(one, "finn")) == (
        "Period 2026-11-22: 1 difference has no owner and no reason: evt_1. Assign each, then sign."
    )
    mended = figures({"qty_mismatch": 1})
    plant.sign(signing(plant, mended, code=ReasonCode.POSTED_BY_HAND), "finn")
    found = plant.get(Reconciliation, DAY).newest
    assert (found.figures.differences, found.reasons) == (
        1, reasons_of(mended, ReasonCode.POSTED_BY_HAND),
    )  # fmt: skip
    assert " 1 difference, with owner and reason: 1 posted by hand. " in found.signature.words


@pytest.mark.requirement("L8")
def test_period_is_signed_with_as_many_differences_as_it_has() -> None:
    plant = paper()
    many = figures({"matched": 180_000, "rounding": 20_000})
    plant.sign(signing(plant, many, code=ReasonCode.ERP_MASTER_DATA), "finn")
    found = plant.get(Reconciliation, DAY).newest
    assert found.figures.differences == 20_000
    assert (
        "20000 differences, each with owner and reason: 20000 erp master data."
        in found.signature.words
    )


def test_period_that_was_signed_with_its_differences_in_the_entry_is_still_read() -> None:
    body = json.loads(golden_file("reconciliation.signed", 1).read_text())["bodies"][0]
    assert "reasons" not in body
    found = from_data("reconciliation.signed", 1, body)
    assert isinstance(found, ReconciliationSigned)
    assert (len(found.differences), found.reasons) == (1, ())


@pytest.mark.parametrize(
    "wrong",
    [
        figures({"matched": 3}, total=4),
        figures({"matched": 3}, sums=()),
    ],
)
def test_figures_that_do_not_add_up_are_refused(wrong: Figures) -> None:
    plant = paper()
    assert refusal(FiguresDoNotAddUp, lambda: plant.sign(signing(plant, wrong), "finn")) == (
        "Period 2026-11-22: its classes do not add up to its rows. Read the period again."
    )


@given(
    counts=st.dictionaries(
        st.sampled_from(["matched", "in_flight", "late", "duplicate"]), st.integers(0, 5)
    ),
    missing=st.integers(-2, 2),
)
def test_classes_and_named_differences_always_sum_to_the_rows(
    counts: dict[str, int], missing: int
) -> None:
    plant = paper()
    total = sum(counts.values())
    open_ = counts.get("late", 0) + counts.get("duplicate", 0)
    late = max(0, counts.get("late", 0) + missing)
    explained = [("late", late), ("duplicate", counts.get("duplicate", 0))]
    reasons = tuple(ReasonFigure(match_class=kind, code=None, rows=n) for kind, n in explained if n)
    command = signing(plant, figures(counts), reasons=reasons)
    if total == 0:
        refusal(NothingPosted, lambda: plant.sign(command, "finn"))
    elif late != counts.get("late", 0):
        refusal(FiguresDoNotAddUp, lambda: plant.sign(command, "finn"))
    elif open_:
        refusal(Unexplained, lambda: plant.sign(command, "finn"))
    else:
        plant.sign(command, "finn")
        kept = plant.get(Reconciliation, DAY).newest.figures
        assert sum(kept.counts.values()) == kept.total == total


def test_period_without_a_row_has_nothing_to_sign() -> None:
    plant = paper()
    assert refusal(NothingPosted, lambda: plant.sign(signing(plant, figures({})), "finn")) == (
        "Period 2026-11-22: has no row; nothing was done and nothing was posted. Choose another"
        " period."
    )


@pytest.mark.parametrize("period", ["2026-11-31", "2026-13", "2026-00-01"])
def test_period_is_a_day_or_a_month_of_the_calendar(period: str) -> None:
    assert refusal(NoPeriod, lambda: bounds(period)) == (
        f"Period {period}: is no day and no month. Give a date as 2026-11-25, or a month as"
        " 2026-11."
    )


def test_both_ends_of_a_period_belong_to_it() -> None:
    assert bounds("2028-02") == (date(2028, 2, 1), date(2028, 2, 29))
    assert bounds("2026-11-22") == (date(2026, 11, 22), date(2026, 11, 22))


def test_period_is_signed_from_its_first_day_on_and_says_that_it_is_not_over() -> None:
    plant = paper()  # it is 23 November there
    tomorrow = signing(plant, period="2026-11-24")
    assert refusal(NotBegun, lambda: plant.sign(tomorrow, "finn")) == (
        "Period 2026-11-24: begins on 2026-11-24. Sign it then."
    )
    for period in ("2026-11-23", "2026-11"):
        plant.sign(signing(plant, period=period), "finn")
        words = plant.get(Reconciliation, period).newest.signature.words
        assert "The period is not over: what comes later shows as changed." in words


@pytest.mark.requirement("L8")
def test_second_sign_off_is_a_numbered_revision_with_a_reason_and_the_first_stays() -> None:
    plant = paper()
    plant.sign(signing(plant), "finn")
    other = msgspec.structs.replace(figures({"matched": 212}), rows_sha256="d" * 64)
    assert refusal(RevisionNeedsReason, lambda: plant.sign(signing(plant, other), "finn")) == (
        "Period 2026-11-22: this would be revision 2. Say why it is signed again."
    )
    same = signing(plant, why="Again.")
    assert refusal(NothingChanged, lambda: plant.sign(same, "finn")) == (
        "Period 2026-11-22: nothing has changed since revision 1. There is nothing to sign."
    )
    plant.sign(signing(plant, other, why="Three were in flight."), "finn")
    first, second = plant.get(Reconciliation, DAY).revisions
    assert (first.figures, first.why) == (ALL_MATCH, "")
    assert (second.revision, second.figures, second.why) == (2, other, "Three were in flight.")
    assert second.signature.words.endswith("Three were in flight.")


def test_signer_who_did_not_see_the_newest_revision_signs_nothing() -> None:
    plant = paper()
    early = signing(plant, figures({"matched": 1}, rows_sha256="d" * 64), why="Two at once.")
    plant.sign(signing(plant), "finn")
    with pytest.raises(RecordMoved):
        plant.sign(early, "finn")


@pytest.mark.requirement("H3")
def test_signature_that_begins_a_record_is_bound_to_nothing_before_it(floor: Floor) -> None:
    floor.sign(signing(floor), "finn")  # type: ignore[arg-type]
    record = floor.execution.ledger.stream(f"reconciliation/{DAY}")
    assert [one.type for one in record] == ["signature.applied", "reconciliation.signed"]
    assert str(standing(record[0], record, head=lambda _: None)) == "signed version 0"
    signature = signature_in(record[0])
    manifest = msgspec.structs.replace(signature.manifest, head="e" * 64)
    other = msgspec.structs.replace(
        signature, manifest=manifest, manifest_sha256=manifest_digest(manifest).hex()
    )
    with pytest.raises(SignatureBroken, match="over version 0 was made over other content"):
        check_signature(other, stream=manifest.record, actor="finn", head=lambda _: None)
