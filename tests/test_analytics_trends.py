"""Losses, timelines, deviation rates, weighing and review times."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest

from analytics.deviations import pareto, point, recurrences, trend
from analytics.losses import losses, waterfall
from analytics.oee import oee
from analytics.review_times import review_times
from analytics.rules import HOUR_US, MINUTE_US, OeeRules, Rate
from analytics.store import RELATIONS, read, relation_text
from analytics.timeline import shift_timeline, shifts, timeline
from analytics.weighing_capability import weighing_capability
from tests.analytics_plant import DAY, Plant, minutes

MIN = MINUTE_US
DAY_US = 24 * HOUR_US
RULES = OeeRules(
    rates=(Rate(line="L1", sku="X", ideal_us_per_item=MIN),), reasons={"belt": "breakdown"}
)
STEP = {
    "step": "s1", "phase": "p", "title": "Weigh lactose", "kind": "weigh", "material": "LACTOSE",
}  # fmt: skip


def shift() -> Plant:
    """Return a plant with one shift of every loss."""
    plant = Plant(RULES)
    machines = plant.machines
    machines.state("setup", minutes(0), minutes(30))
    machines.state("execute", minutes(30), minutes(200))
    machines.state("held", minutes(200), minutes(201))
    machines.state("execute", minutes(201), minutes(300))
    machines.state("held", minutes(300), minutes(320), reason="belt")
    machines.state("stopped", minutes(320), minutes(350))
    machines.state("suspended", minutes(350), minutes(360))
    machines.state("stopped", minutes(360), minutes(400))
    machines.state("idle", minutes(400), minutes(450), order=None)
    machines.state("unknown", minutes(450), minutes(480))
    machines.pieces(200, 10, minutes(100))
    plant.book.label(minutes(360), minutes(380), "waiting_qa", reason="sample at the lab")
    plant.book.label(minutes(380), minutes(400), "coffee")
    return plant


def test_losses_and_good_time_are_planned_time() -> None:
    with shift().reader() as reader:
        rows = losses(reader, line="L1", shift="early")
        [whole] = oee(reader, ("line",))
    told = {(row.category, row.reason, row.labeled_by): row.loss_us // MIN for row in rows}
    assert told == {
        ("setup", "setup", "machine"): 30,
        ("minor_stop", None, "nobody"): 1,
        ("breakdown", "belt", "machine"): 20,
        ("unlabeled", None, "nobody"): 30,
        ("blocked_starved", "suspended", "machine"): 10,
        ("waiting_qa", "sample at the lab", "person"): 20,
        ("other", "coffee", "person"): 20,
        ("no_order", None, ""): 50,
        ("unknown", None, ""): 30,
        ("reduced_speed", None, ""): 59,
        ("defects", None, ""): 10,
    }
    assert sum(row.loss_us for row in rows) + whole.ideal_good_us == whole.planned_us
    assert [row.loss_us for row in rows] == sorted((row.loss_us for row in rows), reverse=True)
    bars = waterfall(whole, rows)
    assert (bars[0].us, bars[-1].us) == (480 * MIN, 200 * MIN)


def test_certified_losses_say_the_same_as_the_function() -> None:
    plant = shift()
    good = "(select sum(ideal_good_us)::bigint from line_hour)"
    assert plant.rows(f"select sum(loss_us)::bigint + {good} from loss") == [(480 * MIN,)]
    speed = "select sum(loss_us)::bigint from loss where category = 'reduced_speed'"
    assert plant.rows(speed) == [(59 * MIN,)]


@pytest.mark.requirement("J5")
def test_each_loss_lowers_one_factor() -> None:
    with shift().reader() as reader:
        rows = losses(reader, by_reason=False)
        [row] = oee(reader, ())
    by_factor: dict[str, int] = {}
    for loss in rows:
        by_factor[loss.factor] = by_factor.get(loss.factor, 0) + loss.loss_us
    assert by_factor["availability"] + by_factor["unknown"] == row.planned_us - row.run_us
    assert by_factor["performance"] == row.run_us - row.ideal_total_us
    assert by_factor["quality"] == row.ideal_total_us - row.ideal_good_us


def test_run_time_that_nobody_counted_is_not_called_reduced_speed() -> None:
    plant = Plant(RULES)
    plant.machines.state("execute", minutes(0), minutes(60))
    with plant.reader() as reader:
        assert [(row.category, row.loss_us) for row in losses(reader)] == [
            ("not_counted", 60 * MIN)
        ]
        assert losses(reader, line="L9") == []


def test_timeline_covers_the_shift_and_merges_across_the_hour() -> None:
    with shift().reader() as reader:
        rows = shift_timeline(reader, "L1", business_date=DAY, shift="early")
        [span] = shifts(reader)
        cut = timeline(reader, "L1", start_us=minutes(310), end_us=minutes(330))
        assert shift_timeline(reader, "L1", business_date=date(2020, 1, 1), shift="early") == []
    assert [(row.end_us, row.category) for row in rows][:2] == [
        (minutes(30), "setup"),
        (minutes(200), "run"),
    ]
    assert rows[0].start_us == span.start_us
    assert all(a.end_us == b.start_us for a, b in pairwise(rows))
    assert [(row.start_us, row.end_us) for row in cut] == [
        (minutes(310), minutes(320)),
        (minutes(320), minutes(330)),
    ]
    assert rows[0].start_at.utcoffset() is not None


def quality() -> Plant:
    plant = Plant()
    content = {"product": "PARA", "product_name": "Para", "quantity": "60", "unit": "kg"}
    for name in ("B1", "B2"):
        created = {"batch": name, "order": "O1", "erp_order": None, "room": "R1", "recipe": "r@1"}
        plant.book.add("batch.created", {**created, "content": {**content, "steps": [STEP]}})
        plant.book.add("step.started", {"batch": name, "step": "s1"}, at_us=minutes(1))
    for number in range(40):
        plant.book.add("step.completed", {"batch": "B1", "step": f"s{number}"})
    return plant


def deviate(plant: Plant, number: int, *, at_us: int, kind: str = "out of tolerance") -> None:
    data: dict[str, Any] = {
        "deviation": f"D{number}", "batch": "B1", "step": "s1", "kind": kind, "severity": "medium",
        "says": "x", "why": "y", "lots": ["L1"], "scale": None,
    }  # fmt: skip
    plant.book.add("deviation.opened", data, at_us=at_us, stream=f"deviation/D{number}")


@pytest.mark.requirement("G6")
def test_deviations_are_a_rate_of_executed_steps() -> None:
    plant = quality()
    deviate(plant, 1, at_us=minutes(5))
    deviate(plant, 2, at_us=minutes(5) + DAY_US)  # a day on which no step was executed
    with plant.reader() as reader:
        first, second = trend(reader)
        assert len(trend(reader, "hour")) == 2
        assert trend(reader, room="R2") == []
    assert (first.bucket, first.deviations, first.steps, first.rate) == (DAY, 1, 40, 25)
    assert first.center == 50
    assert (second.rate, second.low, second.is_signal) == (None, None, False)


@pytest.mark.requirement("G6")
def test_u_chart_limits_are_three_sigma_around_the_mean_rate() -> None:
    inside = point(1, 19, 400, center=Fraction(25, 1000))
    assert inside.low == pytest.approx(25 - 3 * (0.025 / 400) ** 0.5 * 1000)
    assert inside.high == pytest.approx(48.717, abs=0.001)
    assert not inside.is_signal
    assert point(1, 20, 400, center=Fraction(25, 1000)).is_signal
    assert point(1, 0, 10, center=Fraction(25, 1000)).low == 0


@pytest.mark.requirement("G6")
@pytest.mark.parametrize(("count", "days_apart", "flags"), [(3, 44, 1), (3, 45, 0), (2, 1, 0)])
def test_same_kind_and_step_three_times_in_90_days_recurs(
    count: int, days_apart: int, flags: int
) -> None:
    plant = quality()
    for number in range(count):
        deviate(plant, number, at_us=minutes(5) + number * days_apart * DAY_US)
    last = date.fromordinal(DAY.toordinal() + (count - 1) * days_apart)
    with plant.reader() as reader:
        found = recurrences(reader, on=last)
    assert len(found) == flags
    if found:
        assert (found[0].count, found[0].deviations) == (3, ("D0", "D1", "D2"))


def test_pareto_names_the_deviations_behind_each_bar() -> None:
    plant = quality()
    for number, kind in enumerate(["a", "b", "a"]):
        deviate(plant, number, at_us=minutes(5), kind=kind)
    with plant.reader() as reader:
        first, second = pareto(reader, "kind")
        [material] = pareto(reader, "material")
        with pytest.raises(ValueError, match="by: why is none of"):
            pareto(reader, "why")
    assert (first.name, first.count, first.cumulative) == ("a", 2, Fraction(2, 3))
    assert (first.deviations, second.cumulative) == (("D0", "D2"), 1)
    assert (material.name, material.count) == ("LACTOSE", 3)


def weigh(plant: Plant, sum_g: str, *, last: bool = True) -> None:
    grams = {"gross_g": "0", "tare_g": "0", "net_g": sum_g, "sum_g": sum_g}
    limits = {"target_g": "1000", "low_g": "980", "high_g": "1010"}
    names = {"batch": "B1", "step": "s1", "material": "LACTOSE", "lot": "L", "container": "C"}
    data = {**names, "scale": "S", **grams, **limits, "within": True, "last": last}
    plant.book.add("weighing.weight-recorded", data)


def test_weighing_capability_counts_each_finished_step_once() -> None:
    plant = quality()
    weigh(plant, "500.1", last=False)
    weigh(plant, "1005")
    weigh(plant, "990")
    with plant.reader() as reader:
        [row] = weighing_capability(reader)
        [scale] = weighing_capability(reader, "scale")
    assert (row.count, row.net_g, row.giveaway_g) == (2, Decimal(1995), Decimal(-5))
    assert (row.over_g, row.under_g, row.bias_g) == (Decimal(5), Decimal(10), Fraction(-5, 2))
    assert row.mean_of_tolerance == 0
    assert (scale.name, scale.count) == ("S", 2)


def test_review_times_are_medians_of_decided_batches() -> None:
    plant = quality()
    for name, made, decided in (("B1", 61, 81), ("B2", 31, 91)):
        plant.book.add("batch.completed", {"batch": name}, at_us=minutes(made))
        plant.book.add("batch.released", {"batch": name}, at_us=minutes(decided))
    plant.book.add("batch-exception.raised", {"batch": "B2", "step": "s1", "says": "late"})
    with plant.reader() as reader:
        [row] = review_times(reader)
    assert (row.product, row.batches, row.released, row.exceptions) == ("PARA", 2, 2, 1)
    assert (row.make_us, row.review_us, row.lead_us) == (45 * MIN, 40 * MIN, 85 * MIN)
    assert row.right_first_time == Fraction(1, 2)


@pytest.mark.parametrize("name", RELATIONS)
def test_certified_relation_opens_with_what_it_means(name: str) -> None:
    text = relation_text(name)
    head = "\n".join(line for line in text.splitlines() if line.startswith("--"))
    assert head.startswith(f"-- {name}: ")
    for word in ("Grain: ", "Units: ", "Owner: ", "Definition version: "):
        assert word in head
    with shift().reader() as reader:
        for row in read(reader, f"from {name}"):
            assert not [
                key for key, value in row.items() if key.endswith("_at") and not value.tzinfo
            ]
