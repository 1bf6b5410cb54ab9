"""Scans: GS1 labels, plain lots, and the misreadings that must not happen."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.barcode import Scan, check_digit, day, read
from capture.label import ALLOWED, DispenseLabel, NotPrintable, element_string, readable, zpl

GTIN = "07032069804988"
WHOLE = f"01{GTIN}1727123110LOT42\x1d21C-0007"


@pytest.mark.requirement("E2")
@pytest.mark.parametrize(
    "text",
    [
        f"]d2{WHOLE}",
        f"]C1{WHOLE}",
        f"]d2\x1d{WHOLE}\x1d",
        f"{WHOLE}\r\n",
        f"(01){GTIN}(17)271231(10)LOT42(21)C-0007",
        f"]d221C-0007\x1d01{GTIN}1727123110LOT42",
    ],
)
def test_container_label_gives_its_four_fields(text: str) -> None:
    scan = read(text)
    assert (scan.kind, scan.gtin, scan.lot, scan.container) == ("gs1", GTIN, "LOT42", "C-0007")
    assert (scan.expiry, scan.faults, scan.missing()) == (date(2027, 12, 31), (), ())


@pytest.mark.requirement("E2")
@pytest.mark.parametrize(
    "text",
    ["10D9T", "B-4711", "RAW-2026-001", "L240117", "0103", "17LOT", "5901234123457", "21", "00123"],
)
def test_plain_lot_stays_plain(text: str) -> None:
    assert read(text) == Scan(raw=text, kind="plain", lot=text)


@pytest.mark.requirement("E2")
def test_wrong_check_digit_is_a_fault_and_gives_no_gtin() -> None:
    for text in ("]d2010703206980498717271231", "(01)07032069804987", "010703206980498710LOT"):
        scan = read(text)
        assert scan.gtin is None
        assert scan.faults == ("GTIN 07032069804987: check digit is 7, must be 8.",)


@pytest.mark.requirement("E2")
def test_product_number_alone_is_not_a_lot() -> None:
    scan = read("]E05901234123457")
    assert (scan.kind, scan.gtin, scan.lot) == ("gs1", "05901234123457", None)
    assert scan.missing("lot") == ("lot",)


@pytest.mark.requirement("E2")
def test_unknown_field_does_not_cost_the_known_ones() -> None:
    scan = read(f"]d201{GTIN}0599XYZ\x1d10LOT42\x1d21C1")
    assert (scan.gtin, scan.lot, scan.container) == (GTIN, "LOT42", "C1")
    assert scan.others == (("", "0599XYZ"),)
    assert scan.faults == ()
    assert read(f"(01){GTIN}(0599)X(10)LOT42").lot == "LOT42"


@pytest.mark.requirement("E2")
def test_lost_separator_shows_as_a_missing_container() -> None:
    scan = read(f"]d201{GTIN}1727123110LOT4221C-0007")
    assert scan.lot == "LOT4221C-0007"
    assert scan.missing() == ("container",)


@pytest.mark.requirement("E2")
def test_two_lots_on_one_label_are_a_fault() -> None:
    scan = read(f"]d201{GTIN}10LOT1\x1d10LOT2")
    assert scan.faults == ("Label: gives lot twice, LOT1 and LOT2.",)


@pytest.mark.requirement("E2")
def test_net_mass_and_count_are_exact() -> None:
    scan = read(f"]C101{GTIN}310300125010LOT42")
    assert (scan.quantity, scan.unit) == (Decimal("1.250"), "kg")
    scan = read(f"]C101{GTIN}37120\x1d10LOT42")
    assert (scan.quantity, scan.unit) == (Decimal(120), "EA")


@pytest.mark.requirement("E2")
def test_count_without_digits_is_a_fault_and_the_other_fields_stay() -> None:
    scan = read(f"]d201{GTIN}10LOT42\x1d30")
    assert (scan.quantity, scan.lot) == (None, "LOT42")
    assert scan.faults == ("Field (30): nothing is no count.",)


@pytest.mark.requirement("E2")
def test_pallet_number_is_read_and_checked() -> None:
    assert read("]C100376130321109103420").sscc == "376130321109103420"
    assert read("]C100376130321109103421").faults == (
        "SSCC 376130321109103421: check digit is 1, must be 0.",
    )


@pytest.mark.requirement("E2")
def test_expiry_knows_month_end_and_refuses_a_day_that_is_none() -> None:
    assert read(f"]d201{GTIN}17280200").expiry == date(2028, 2, 29)
    assert read(f"]d201{GTIN}17271200").expiry == date(2027, 12, 31)
    scan = read(f"]d201{GTIN}1727023010LOT")
    assert (scan.expiry, scan.faults) == (None, ("Expiry 270230: is no date YYMMDD.",))
    assert scan.lot == "LOT"
    assert read(f"]d201{GTIN}17271331").expiry is None


def test_two_digit_year_lies_within_its_window() -> None:
    today = date(2026, 3, 2)
    assert day("760101", today=today) == date(2076, 1, 1)
    assert day("770101", today=today) == date(1977, 1, 1)
    assert day("260101", today=date(2060, 1, 1)) == date(2026, 1, 1)
    assert day("090101", today=date(2060, 1, 1)) == date(2109, 1, 1)


def test_unreadable_scans_have_a_fault_and_no_lot() -> None:
    for text in ("", "   ", "A\x00B", "(01)123(", "]d2", "x" * 300):
        scan = read(text)
        assert scan.faults
        assert scan.lot is None


@given(st.text(max_size=60) | st.from_regex(r"\](d2|C1)[0-9A-Z\x1d]{0,50}"))
def test_any_text_gives_a_scan_and_never_an_exception(text: str) -> None:
    scan = read(text)
    assert scan.gtin is None or check_digit(scan.gtin[:-1]) == int(scan.gtin[-1])


def label(**changed: object) -> DispenseLabel:
    given_fields: dict[str, object] = {
        "gtin": GTIN,
        "lot": "LOT42",
        "container": "C-0007",
        "expiry": date(2027, 12, 31),
        "material": "Lactose",
        "batch": "B26-0178",
        "product": "Paracetamol 500 mg",
        "net": "1.809 kg",
        "by": "Olga",
        "at": "2026-11-23 06:05",
    }
    return DispenseLabel(**(given_fields | changed))  # type: ignore[arg-type]


codes = st.text(alphabet=sorted(ALLOWED), min_size=1, max_size=20)


@pytest.mark.requirement("D9")
@given(lot=codes, container=codes)
def test_label_reads_back_as_it_was_made(lot: str, container: str) -> None:
    made = label(lot=lot, container=container)
    scan = read("]d2" + element_string(made))
    assert (scan.lot, scan.container, scan.expiry) == (lot, container, made.expiry)
    if not set(lot + container) & set("()"):
        typed = read(readable(made))
        assert (typed.lot, typed.container) == (lot, container)


@pytest.mark.requirement("D9")
def test_label_text_cannot_give_the_printer_orders() -> None:
    text = zpl(label(material="A^XZ~JA_B", lot="L_1", copy_number=2))
    assert "^FDA_5EXZ_7EJA_5FB^FS" in text
    assert f"^FD_101{GTIN}1727123110L__1_121C-0007^FS" in text
    assert text.count("^XZ") == 1
    assert "COPY 2" in text
    assert "COPY" not in zpl(label())


@pytest.mark.requirement("D9")
def test_field_that_gs1_cannot_carry_is_refused() -> None:
    for changed in (
        {"lot": "L^42"},
        {"lot": ""},
        {"lot": "L" * 21},
        {"container": "ü"},
        {"gtin": "07032069804987"},
        {"gtin": "123"},
    ):
        with pytest.raises(NotPrintable, match="Change it before printing"):
            zpl(label(**changed))
    assert readable(label(lot="L" * 20)).count("L" * 20) == 1
