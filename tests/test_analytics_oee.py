"""OEE: published worked examples in exact fractions, then the edge cases through DuckDB."""

from datetime import UTC, date, datetime, time
from fractions import Fraction

import pytest

from analytics.oee import Elements, check_sums, oee, percent, total
from analytics.rules import HOUR_US, MINUTE_US, OeeRules, Rate
from config.plant import BreakItem, ShiftItem
from core.clock import micros
from tests.analytics_plant import DAY, SHIFTS, SIX, Open, Plant, minutes

MIN = MINUTE_US
X = OeeRules(rates=(Rate(line="L1", sku="X", ideal_us_per_item=MIN),))


def example(
    planned: int, run: int, ideal_us: int, *, made: int, scrap: int, calendar: int = 0
) -> Elements:
    """Return the elements of a single-SKU shift; times in minutes."""
    return Elements(
        calendar_us=calendar * MIN,
        planned_us=planned * MIN,
        run_us=run * MIN,
        pq=made,
        gq=made - scrap,
        sq=scrap,
        rated_pq=made,
        ideal_total_us=made * ideal_us,
        ideal_good_us=(made - scrap) * ideal_us,
    )


EXAMPLES = [
    # Vorne's worksheet; versalytics "Calculating OEE" (2008), three machines
    (example(420, 373, MIN // 60, made=19271, scrap=423), ".8881", ".8611", ".9780", ".7479"),
    (example(455, 423, MIN // 6, made=2240, scrap=50), ".9297", ".8826", ".9777", ".8022"),
    (example(455, 437, 45_000_000, made=450, scrap=25), ".9604", ".7723", ".9444", ".7005"),
    (example(455, 433, 70_000_000, made=229, scrap=11), ".9516", ".6170", ".9520", ".5590"),
    # PyPI oee 0.2.0 README, six losses
    (example(480, 400, MIN // 2, made=700, scrap=100), ".8333", ".875", ".8571", ".625"),
]


@pytest.mark.requirement("J1")
@pytest.mark.parametrize(("shift", "a", "p", "q", "index"), EXAMPLES)
def test_published_example_comes_out(shift: Elements, a: str, p: str, q: str, index: str) -> None:
    got = (shift.availability, shift.performance, shift.quality, shift.oee)
    for value, published in zip(got, (a, p, q, index), strict=True):
        assert value is not None
        assert abs(value - Fraction(published)) < Fraction(1, 1000)


@pytest.mark.requirement("J1")
@pytest.mark.parametrize("shift", [shift for shift, *_ in EXAMPLES])
def test_product_of_the_three_is_oee_exactly(shift: Elements) -> None:
    assert shift.availability is not None
    assert shift.performance is not None
    assert shift.quality is not None
    assert shift.availability * shift.performance * shift.quality == shift.oee


@pytest.mark.requirement("J1")
def test_teep_and_calendar_utilisation_of_the_worksheet() -> None:
    shift = example(420, 373, MIN // 60, made=19271, scrap=423, calendar=480)
    assert shift.calendar_utilisation == Fraction(7, 8)
    assert shift.teep == Fraction(18848, 60) / 480
    assert percent(shift.teep, 2) == "65.44 %"


@pytest.mark.requirement("J4")
def test_roll_up_is_a_sum_and_not_a_mean() -> None:
    one = example(100, 90, MIN, made=80, scrap=0)
    two = example(300, 150, MIN, made=150, scrap=15)
    assert (one.oee, two.oee) == (Fraction(80, 100), Fraction(45, 100))
    both = total([one, two])
    assert both.oee == Fraction(215, 400)  # .5375, where the mean is .625
    assert (both.availability, both.performance) == (Fraction(3, 5), Fraction(23, 24))
    assert both.quality == Fraction(215, 230)


def test_world_class_is_the_product() -> None:
    assert Fraction("0.90") * Fraction("0.95") * Fraction("0.999") == Fraction("0.854145")


@pytest.mark.requirement("J1", "J4")
def test_quality_of_several_skus_is_weighted_by_ideal_time() -> None:
    rates = (
        Rate(line="L1", sku="X", ideal_us_per_item=MIN),
        Rate(line="L1", sku="Y", ideal_us_per_item=MIN // 10),
    )
    plant = Plant(OeeRules(rates=rates))
    plant.machines.state("execute", minutes(0), minutes(200), sku="X")
    plant.machines.state("execute", minutes(200), minutes(400), sku="Y", order="O2")
    plant.machines.state("held", minutes(400), minutes(480), sku="Y", order="O2")
    plant.machines.pieces(50, 50, minutes(10))
    plant.machines.pieces(1000, 0, minutes(300), sku="Y", order="O2")
    with plant.reader() as reader:
        [row] = oee(reader, ("line", "shift"))
        by_sku = oee(reader, ("line", "shift", "sku"))
        assert check_sums(reader) == []
    assert (row.line, row.shift) == ("L1", "early")
    assert (row.availability, row.performance) == (Fraction(400, 480), Fraction(1, 2))
    assert (row.quality, row.oee) == (Fraction(3, 4), Fraction(150, 480))  # count quality: .3977
    assert [one.sku for one in by_sku] == ["X", "Y"]
    assert total(by_sku).oee == row.oee


@pytest.mark.requirement("J2")
@pytest.mark.parametrize(
    ("elements", "missing", "why"),
    [
        (Elements(), "availability", "no time was planned"),
        (Elements(), "oee", "no time was planned"),
        (Elements(planned_us=MIN), "performance", "the line did not run"),
        (Elements(planned_us=MIN), "quality", "nothing was counted"),
        (Elements(planned_us=MIN, run_us=MIN), "performance", "nothing was counted"),
        (Elements(planned_us=MIN, run_us=MIN), "oee", "nothing was counted"),
        (Elements(planned_us=MIN, run_us=MIN, pq=2, gq=2, rated_pq=1), "performance", "no ideal"),
        (Elements(planned_us=MIN, run_us=MIN, pq=2, gq=2, rated_pq=1), "oee", "no ideal rate"),
    ],
)
def test_unknown_ratio_is_none_with_its_reason(elements: Elements, missing: str, why: str) -> None:
    assert getattr(elements, missing) is None
    assert elements.why[missing].startswith(why)
    assert percent(getattr(elements, missing)) == "—"


@pytest.mark.requirement("J2")
def test_down_shift_has_zero_oee_and_no_performance() -> None:
    down = Elements(planned_us=8 * HOUR_US)
    assert (down.availability, down.oee, down.performance, down.quality) == (0, 0, None, None)


@pytest.mark.requirement("J2")
def test_performance_above_one_is_shown_and_flagged() -> None:
    fast = example(100, 50, MIN, made=60, scrap=0)
    assert fast.performance == Fraction(6, 5)
    assert any("disagree" in flag for flag in fast.flags)
    assert example(100, 60, MIN, made=60, scrap=0).flags == ()


@pytest.mark.requirement("J2")
@pytest.mark.parametrize(("unknown", "valid"), [(5, True), (6, False)])
def test_figures_are_valid_from_95_percent_coverage(unknown: int, valid: bool) -> None:
    plant = Plant(X)
    plant.machines.state("execute", minutes(0), minutes(100 - unknown))
    plant.machines.state("unknown", minutes(100 - unknown), minutes(100))
    plant.machines.pieces(50, 0, minutes(3))
    with plant.reader() as reader:
        [row] = oee(reader)
    assert row.coverage == Fraction(100 - unknown, 100)
    assert row.availability == Fraction(100 - unknown, 100)
    assert row.availability_high == 1
    assert row.valid is valid
    assert bool(row.flags) is not valid


def test_unknown_after_a_stop_is_not_taken_as_running() -> None:
    plant = Plant(X)
    plant.machines.state("execute", minutes(0), minutes(30))
    plant.machines.state("held", minutes(30), minutes(40))
    plant.machines.state("unknown", minutes(40), minutes(300))  # hours without any known state
    plant.machines.state("execute", minutes(300), minutes(310))
    plant.machines.state("unknown", minutes(310), minutes(430))
    with plant.reader() as reader:
        [row] = oee(reader)
    assert (row.unknown_us, row.unknown_after_run_us) == (380 * MIN, 120 * MIN)


@pytest.mark.requirement("J3")
def test_stop_across_a_shift_edge_is_one_stop_and_no_minor_one() -> None:
    edge = 8 * 60
    plant = Plant(X)  # two minutes
    plant.machines.state("execute", minutes(edge - 60), minutes(edge - 1.5))
    plant.machines.state("held", minutes(edge - 1.5), minutes(edge + 1.5))
    plant.machines.state("execute", minutes(edge + 1.5), minutes(edge + 60))
    with plant.reader() as reader:
        rows = {row.shift: row for row in oee(reader)}
    assert {name: row.minor_stop_us for name, row in rows.items()} == {"early": 0, "late": 0}
    assert rows["early"].unlabeled_us == rows["late"].unlabeled_us == 90_000_000
    assert (rows["early"].stops, rows["late"].stops) == (1, 0)


@pytest.mark.requirement("J5")
@pytest.mark.parametrize(("length", "minor"), [(1.99, True), (2, False)])
def test_stop_shorter_than_the_threshold_stays_in_run_time(length: float, minor: bool) -> None:
    plant = Plant(X)
    plant.machines.state("execute", minutes(0), minutes(59))
    plant.machines.state("held", minutes(59), minutes(59 + length))  # it crosses the hour
    plant.machines.state("execute", minutes(59 + length), minutes(120))
    with plant.reader() as reader:
        [row] = oee(reader)
    assert (row.run_us == 120 * MIN) is minor
    assert (row.minor_stops, row.stops) == ((1, 0) if minor else (0, 1))
    assert row.minor_stop_us == (minutes(59 + length) - minutes(59) if minor else 0)


def test_break_is_not_planned_and_running_in_it_is_planned_and_flagged() -> None:
    pause = BreakItem(start=time(9), minutes=30)
    early = ShiftItem(shift="early", start=time(6), end=time(14), breaks=(pause,))
    plant = Plant(X, shifts=(early, *SHIFTS[1:]))
    plant.machines.state("execute", minutes(0), minutes(190))  # ten minutes into the break
    plant.machines.state("held", minutes(190), minutes(215))
    plant.machines.state("execute", minutes(215), minutes(480))
    with plant.reader() as reader:
        [row] = oee(reader)
        assert check_sums(reader) == []
    assert row.calendar_us == 480 * MIN
    assert row.planned_us == (480 - 30 + 10) * MIN
    assert row.run_us == (480 - 25) * MIN
    assert (row.unplanned_run_us, row.unlabeled_us) == (10 * MIN, 5 * MIN)
    assert row.availability is not None
    assert row.availability <= 1
    assert any("break" in flag for flag in row.flags)


@pytest.mark.requirement("J3")
@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 28), 7), (date(2026, 10, 24), 9), (date(2026, 3, 2), 8)]
)
def test_night_shift_is_as_long_as_its_clock(day: date, hours: int) -> None:
    plant = Plant(X)
    noon = micros(datetime(day.year, day.month, day.day, 11, tzinfo=UTC))
    plant.machines.state("execute", noon, noon + 24 * HOUR_US)
    with plant.reader() as reader:
        nights = oee(reader, ("business_date", "shift"), shift="night")
    assert [(row.business_date, row.planned_us) for row in nights] == [(day, hours * HOUR_US)]


def test_time_that_nobody_recorded_is_unknown() -> None:
    plant = Plant(X)
    plant.machines.state("execute", minutes(0), minutes(30))
    plant.machines.state("execute", minutes(250), minutes(260))
    with plant.reader() as reader:
        [row] = oee(reader)
        assert check_sums(reader) == []
    assert (row.planned_us, row.unknown_us, row.run_us) == (260 * MIN, 220 * MIN, 40 * MIN)


@pytest.mark.requirement("J3")
def test_open_stretch_counts_up_to_when_it_was_seen() -> None:
    plant = Plant(X)
    plant.machines.state("execute", minutes(0), minutes(60))
    plant.machines.opened = [
        Open("L1", "execute", minutes(60), minutes(70), minutes(60), "early", DAY.isoformat())
    ]
    plant.now_us = minutes(70)
    with plant.reader() as reader:
        [row] = oee(reader)
    assert (row.run_us, row.unknown_us) == (70 * MIN, 0)
    plant.now_us = minutes(100)  # the collector is silent: half an hour later nothing is known
    with plant.reader() as reader:
        [row] = oee(reader)
        assert reader.execute("select count(*) from base.interval").fetchall() == [(1,)]
    assert (row.run_us, row.unknown_us, row.unknown_after_run_us) == (70 * MIN, 30 * MIN, 30 * MIN)


def test_ideal_rate_is_the_one_in_force_when_the_piece_was_made() -> None:
    rates = (
        Rate(line="L1", sku="X", ideal_us_per_item=MIN),
        Rate(line="L1", sku="X", ideal_us_per_item=MIN // 2, from_us=minutes(60)),
    )
    plant = Plant(OeeRules(rates=rates))
    plant.machines.state("execute", minutes(0), minutes(120))
    plant.machines.pieces(10, 0, minutes(59))
    plant.machines.pieces(10, 0, minutes(60))
    plant.machines.pieces(5, 0, minutes(61), sku="Z")
    with plant.reader() as reader:
        known, strange = oee(reader, ("sku",), line="L1")
    assert known.ideal_total_us == 15 * MIN
    assert (strange.sku, strange.performance) == ("Z", None)
    assert strange.why["performance"] == "the line did not run"


@pytest.mark.requirement("J4")
def test_slices_add_up_to_the_same_number() -> None:
    plant = Plant(X)
    plant.machines.state("execute", minutes(0), minutes(700))
    plant.machines.state("held", minutes(700), minutes(900), order=None)
    plant.machines.pieces(300, 20, minutes(100))
    plant.machines.pieces(100, 0, minutes(600))
    with plant.reader() as reader:
        [whole] = oee(reader, ())
        for by in (("hour_us",), ("shift",), ("sku", "order_id"), ("business_date", "batch")):
            assert total(oee(reader, by)).oee == whole.oee
        assert oee(reader, (), from_date=date(2027, 1, 1)) == []
    assert whole.no_order_us == 200 * MIN
    assert SIX % HOUR_US == 0


def test_unknown_key_is_refused() -> None:
    with Plant(X).reader() as reader, pytest.raises(ValueError, match="colour") as refusal:
        oee(reader, ("line", "colour"))
    assert str(refusal.value) == (
        "by: colour is none of line, shift, business_date, hour_us, order_id, batch, sku."
    )
