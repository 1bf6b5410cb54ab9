"""OEE and deviations on screen: unknown is a dash, bounds are shown, each number opens its rows."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from analytics.deviations import point
from analytics.oee import OeeRow
from core.clock import micros
from dashboards.live import Hub
from dashboards.operations import deviation_view, drill, sections, shapes, words
from dashboards.operations.ask import Ask, ask_of
from dashboards.operations.deviation_figures import Ask as DeviationAsk
from dashboards.operations.deviation_figures import DeviationView, read_view, view_of
from dashboards.operations.figures import TOPIC
from dashboards.operations.kpi import Kpi, kpis, line_rows
from dashboards.operations.rights import Rights, entry
from dashboards.operations.words import DEFAULT_BANDS
from dashboards.palette import State
from tests.analytics_plant import DAY, ZONE, Plant, minutes
from tests.browser import grave_findings
from tests.operations_plant import a_morning, figures_of, followed
from tests.ui_plant import SECRET, create_app, plant_of, running

MINUTE = 60_000_000


def row(**elements: int) -> OeeRow:
    given = {name: value * MINUTE if name.endswith("_us") else value
             for name, value in elements.items()}  # fmt: skip
    rated = {"rated_pq": given.get("pq", 0)}
    return OeeRow(line="L1", **{**rated, **given})


def tile(found: OeeRow | None, name: str) -> Kpi:
    return next(one for one in kpis(found, DEFAULT_BANDS) if one.name == name)


@pytest.fixture
def plant() -> Plant:
    made = Plant()
    a_morning(made)
    return made


@pytest.mark.requirement("J2")
def test_unknown_is_a_dash_with_its_reason_and_never_zero() -> None:
    nothing = [one.shown for one in kpis(None, DEFAULT_BANDS)]
    assert nothing == ["—"] * 5
    stood = row(planned_us=100, calendar_us=100)
    assert tile(stood, "availability").shown == "0.0 %"
    assert (tile(stood, "performance").shown, tile(stood, "quality").shown) == ("—", "—")
    assert tile(stood, "performance").because == "the line did not run"
    assert tile(stood, "quality").because == "nothing was counted"
    unplanned = row(calendar_us=100)
    assert tile(unplanned, "oee").because == "no time was planned"


@pytest.mark.requirement("J2")
def test_unknown_time_gives_a_low_and_a_high_bound() -> None:
    found = row(planned_us=100, run_us=80, unknown_us=4, unknown_after_run_us=4, pq=80, gq=80,
                ideal_total_us=80, ideal_good_us=80)  # fmt: skip
    shown = tile(found, "availability")
    assert (shown.shown, shown.low, shown.high) == ("80.0 %", Fraction(80, 100), Fraction(84, 100))
    assert (tile(found, "oee").low, tile(found, "oee").high) == (Fraction(4, 5), Fraction(21, 25))


@pytest.mark.parametrize(("unknown", "word"), [(5, "Near target"), (6, "Not valid")])
def test_too_little_coverage_shows_the_bounds_in_place_of_the_number(
    unknown: int, word: str
) -> None:
    found = row(planned_us=100, run_us=80, unknown_us=unknown, unknown_after_run_us=unknown,
                pq=80, gq=80, ideal_total_us=80, ideal_good_us=80)  # fmt: skip
    shown = tile(found, "availability")
    assert shown.word == word
    assert shown.is_range is (word == "Not valid")
    if shown.is_range:
        assert shown.shown == "80.0 % to 86.0 %"


@pytest.mark.requirement("J2")
def test_a_line_of_which_nothing_is_known_has_no_figure() -> None:
    silent = row(planned_us=100, unknown_us=100)
    assert [tile(silent, name).shown for name in ("availability", "oee")] == ["—", "—"]
    lost = row(planned_us=100, unknown_us=100, unknown_after_run_us=100)
    assert tile(lost, "availability").shown == "0.0 % to 100.0 %"


@pytest.mark.requirement("J2")
def test_performance_above_100_percent_is_flagged_and_not_capped() -> None:
    found = row(planned_us=100, run_us=80, pq=100, gq=100, ideal_total_us=100, ideal_good_us=100)
    shown = tile(found, "performance")
    assert (shown.shown, shown.word, shown.state) == ("125.0 %", "Above 100 %", State.BAD)
    assert shown.because == "counts and run time disagree"
    exact = row(planned_us=100, run_us=80, pq=80, gq=80, ideal_total_us=80, ideal_good_us=80)
    assert tile(exact, "performance").word == "On target"


@pytest.mark.requirement("J6")
@pytest.mark.parametrize(
    ("share", "word"),
    [(649, "Below target"), (650, "Near target"), (849, "Near target"), (850, "On target")],
)
def test_band_edges_belong_to_the_better_side(share: int, word: str) -> None:
    assert DEFAULT_BANDS["oee"].judge(Fraction(share, 1000))[1] == word


def test_waterfall_adds_up_to_the_microsecond(plant: Plant) -> None:
    view = figures_of(plant).oee("L1", DAY, "early")
    level = 0
    for one in shapes.falls(view):
        if one.is_loss:
            level -= one.us
        elif level:
            assert one.us == level, one.name
        else:
            level = one.us
    assert view.whole is not None
    assert level == view.whole.ideal_good_us


@pytest.mark.requirement("J5")
def test_unlabelled_stop_is_drawn_as_such_until_a_person_names_it(plant: Plant) -> None:
    figures = figures_of(plant)
    before = figures.oee("", None, "")
    assert {one.category: one.us for one in shapes.causes(before)}["unlabeled"] == 9 * MINUTE
    assert "unlabeled" in shapes.boxes(before, "", ZONE)[1]
    plant.book.label(minutes(120), minutes(129), "breakdown", reason="feeder_blocked")
    plant.projector.catch_up()
    after = {one.name: one.us for one in shapes.causes(figures.oee("", None, ""))}
    assert after["Feeder blocked (breakdown)"] == 9 * MINUTE
    assert "Unlabelled stop" not in after


def test_pareto_line_rises_to_100_percent(plant: Plant) -> None:
    shares = [one.cumulative for one in shapes.causes(figures_of(plant).oee("L1", None, ""))]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(100)


def test_hour_without_a_figure_is_a_gap_in_the_trend(plant: Plant) -> None:
    view = figures_of(plant).oee("L1", DAY, "early")
    hours, _ = shapes.hour_axis(view, ZONE)
    points = shapes.trend_points(
        view.by_hour, lambda one: hours[one.hour_us or 0], lambda one: str(one.hour_us)
    )["L1"]
    unknown = points[3]
    assert unknown.value is None
    assert unknown.says.startswith("not known")
    assert points[0].value is not None


def test_view_is_computed_once_until_the_watermark_moves(plant: Plant) -> None:
    figures = figures_of(plant)
    first = figures.oee("", None, "")
    assert figures.oee("", None, "") is first
    assert figures.computed == 1
    plant.machines.state("execute", minutes(300), minutes(301))
    plant.projector.catch_up()
    assert figures.oee("", None, "") is not first
    assert figures.computed == 2


@pytest.mark.requirement("J6")
def test_watchers_hear_of_new_data_within_five_seconds(plant: Plant) -> None:
    hub = Hub()
    with followed(plant, hub):
        plant.machines.state("execute", minutes(300), minutes(301))
        end = time.monotonic() + 5
        while (news := hub.latest(TOPIC)) is None or news.value.interval_id != len(
            plant.machines.intervals
        ):
            assert time.monotonic() < end, news
            time.sleep(0.05)
    hub.close()


@pytest.mark.requirement("M1")
def test_stop_opens_its_telemetry_rows(plant: Plant) -> None:
    figures = figures_of(plant)
    ask = Ask(drill=f"stop:L1:{minutes(120)}")
    view = figures.oee("", None, "")
    with plant.projector.reader() as reader:
        found = drill.behind(reader, view, ask)
    assert [one.state for one in found.intervals] == ["held"]
    assert found.intervals[0].id == plant.machines.intervals[2][0]
    assert found.stretches[0].category == "unlabeled"


@pytest.mark.parametrize(
    "asked", ["stop:L9:0", "ratio:L1", "moon", "loss:", "stop:L1:x", "hour:L1:"]
)
def test_drill_that_is_nowhere_says_so(plant: Plant, asked: str) -> None:
    figures = figures_of(plant)
    view, ask = figures.oee("", None, ""), Ask(drill=asked)
    with plant.projector.reader() as reader:
        found = drill.behind(reader, view, ask)
    note = sections.Markup("")
    text = drill.drawer(found, view, ask, zone=ZONE, rights=Rights(), note=note)
    assert "data-close" in text


@pytest.mark.requirement("M7")
def test_every_line_says_how_far_it_has_read(plant: Plant) -> None:
    plant.book.label(minutes(120), minutes(129), "breakdown")
    view = figures_of(plant).oee("", None, "")
    text = line_rows(view, Ask(), zone=ZONE, bands=DEFAULT_BANDS)
    assert "As of entry 1 and machine interval" in text
    assert "Europe/Berlin, definition oee-1" in text


def test_names_from_the_floor_are_escaped(plant: Plant) -> None:
    plant.machines.state("held", minutes(300), minutes(310), reason="<img src=x onerror=1>")
    plant.now_us = minutes(310)
    view = figures_of(plant).oee("", None, "")
    text = sections.lane_table(view, Ask(), ZONE, rights=Rights())
    assert "<img" not in text
    assert "&lt;img" in text


def test_ledger_entry_is_a_link_only_for_those_who_may_open_it() -> None:
    assert "/audit?entry=7" in str(entry(7, Rights(roles=frozenset({"qa"}))))
    assert "href" not in str(entry(7, Rights(roles=frozenset({"director"}))))


def test_address_keeps_every_choice() -> None:
    ask = Ask(line="L1", day=DAY, shift="early", trend="hour", drill="ratio:L1:oee")
    query = dict(pair.split("=") for pair in ask.url().split("?")[1].replace("%3A", ":").split("&"))
    assert ask_of(query) == ask
    assert ask_of({"shift": "early"}) == Ask()


def test_ticks_follow_the_clock_when_it_changes() -> None:
    zone = ZoneInfo("Europe/Berlin")
    start = micros(datetime(2026, 3, 28, 21, 0, tzinfo=UTC))  # 22:00, the short night
    ticks = shapes.hour_ticks(start, start + 7 * 3600 * 1_000_000, zone)
    assert list(ticks.values()) == ["22:00", "23:00", "00:00", "01:00", "03:00", "04:00", "05:00",
                                    "06:00"]  # fmt: skip


# -- deviations ------------------------------------------------------------------------------


def steps(plant: Plant, day: int, done: int, *, deviations: int = 0) -> None:
    at_us = minutes(day * 24 * 60)
    for n in range(done):
        plant.book.add("step.completed", {"batch": "B1", "step": str(n)}, at_us=at_us)
    for n in range(deviations):
        number = f"D-{day}-{n}"
        data = {"deviation": number, "batch": "B1", "step": "30", "kind": "weight",
                "severity": "high", "says": "Too heavy.", "why": "x", "lots": []}  # fmt: skip
        plant.book.add("deviation.opened", data, at_us=at_us, stream=f"deviation/{number}")


def deviations_of(plant: Plant, ask: DeviationAsk) -> DeviationView:
    figures = figures_of(plant)
    with plant.projector.reader() as reader:
        return read_view(reader, figures.source.watermark, ask, today=DAY + timedelta(days=12))


@pytest.mark.requirement("G6")
def test_rate_without_an_executed_step_is_unknown() -> None:
    plant = Plant()
    view = view_of(figures_of(plant), DeviationAsk())
    assert (view.rate, view.refusal_rate) == (None, None)
    assert "no rate without a step" in deviation_view.head(view, DeviationAsk(), zone=ZONE)


@pytest.mark.requirement("G6")
@pytest.mark.parametrize(("days", "limits"), [(7, False), (8, True)])
def test_limits_wait_for_enough_points(days: int, limits: bool) -> None:
    plant = Plant()
    for day in range(days):
        steps(plant, day, 50, deviations=1)
    ask = DeviationAsk()
    view = deviations_of(plant, ask)
    assert view.has_limits is limits
    spots, labels = deviation_view.spots(view, ZONE)
    assert (spots[0].high is not None) is limits
    assert labels[0.0].endswith("n=50")
    assert ("No limits yet" in deviation_view.trend_head(view, ask)) is not limits


def test_point_outside_the_limits_is_a_signal() -> None:
    calm = point(DAY, 1, 100, center=Fraction(1, 100))
    loud = point(DAY, 9, 100, center=Fraction(1, 100))
    assert (calm.is_signal, loud.is_signal) == (False, True)


@pytest.mark.requirement("G6")
@pytest.mark.parametrize(("times", "flagged"), [(2, False), (3, True)])
def test_third_time_at_the_same_step_is_flagged(times: int, flagged: bool) -> None:
    plant = Plant()
    steps(plant, 10, 20, deviations=times)
    view = deviations_of(plant, DeviationAsk())
    assert bool(view.recurring) is flagged
    assert ("Recurs" in deviation_view.recurring(view, Rights())) is flagged


def test_refused_attempts_stand_beside_deviations() -> None:
    plant = Plant()
    steps(plant, 10, 20)
    data = {"subject": "batch/B1", "command": "weighing.scan-container", "rule": "WrongMaterial",
            "says": "This is lactose.", "facts": {"step": "30"}}  # fmt: skip
    plant.book.add("attempt.refused", data, at_us=minutes(10 * 24 * 60), stream="refusal/batch/B1")
    view = deviations_of(plant, DeviationAsk())
    text = deviation_view.near_misses(view, ZONE, Rights(roles=frozenset({"qa"})))
    assert view.refusal_rate == 50
    assert "This is lactose." in text
    assert "Wrong material" in text


# -- the pages themselves --------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True])
def test_oee_page_draws_and_its_numbers_open(plant: Plant, open_screen: Any, dark: bool) -> None:
    hub = Hub()
    with followed(plant, hub) as readers:
        services = plant_of(zone=ZONE, hub=hub, readers=readers)
        with running(create_app(services)) as url:
            screen = open_screen(url, dark=dark)
            screen.signed_in("dora", SECRET)
            page = screen.go("/oee")
            page.get_by_test_id("kpi-L1-availability").wait_for()
            assert "hatched" in (page.get_by_test_id("kpi-L1-oee").get_attribute("class") or "")
            assert grave_findings(page) == []
            page.get_by_test_id("kpi-L1-coverage").get_by_role("link").click()
            page.get_by_role("heading", name="Coverage of L1").wait_for()
            assert "drill=ratio%3AL1%3Acoverage" in page.url
            assert grave_findings(page) == []
            page.get_by_role("link", name="Close").click()
            expect(page.get_by_test_id("kpi-L1-coverage").get_by_role("link")).to_be_focused()
            page.get_by_text("stops as a table").click()
            page.get_by_test_id("stops").get_by_text("Unlabelled stop").wait_for()
            plant.book.label(minutes(120), minutes(129), "breakdown", reason="feeder_blocked")
            page.get_by_test_id("stops").get_by_text("Feeder blocked").wait_for()


def test_deviation_page_draws_with_little_data(open_screen: Any) -> None:
    plant, hub = Plant(), Hub()
    at_us = micros(datetime.now(UTC))  # the page shows the last days
    plant.book.add("step.completed", {"batch": "B1", "step": "1"}, at_us=at_us)
    with followed(plant, hub) as readers:
        services = plant_of(zone=ZONE, hub=hub, readers=readers)
        with running(create_app(services)) as url:
            screen = open_screen(url)
            screen.signed_in("quinn", SECRET)
            page = screen.go("/deviations")
            page.get_by_text("No limits yet").wait_for()
            assert grave_findings(page) == []
            page.get_by_role("link", name="By hour").click()
            page.wait_for_url("**by=hour")


@pytest.mark.requirement("J5")
def test_supervisor_names_a_stop_from_its_rows(living_plant: Any, open_screen: Any) -> None:
    plant = Plant()
    a_morning(plant)
    plant.book = living_plant.execution.ledger
    plant.projector = plant.project()
    with followed(plant, living_plant.hub) as readers:
        services = replace(living_plant.services, readers=readers)
        with running(create_app(services)) as url:
            living_plant.url = url
            screen = living_plant.screen(open_screen, "sana")
            page = screen.go(f"/oee?drill=stop:L1:{minutes(120)}")
            page.get_by_role("button", name="Feeder blocked").click()
            page.get_by_text("L1: Feeder blocked.").wait_for()
            page.get_by_role("heading", name="Name it again").wait_for()
    assert living_plant.types()[-1] == "stop.labeled"
    assert words.reason("feeder_blocked") == "Feeder blocked"
