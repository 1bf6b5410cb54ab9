import re
from fractions import Fraction

import pytest
from markupsafe import Markup

from dashboards import menu, parts
from dashboards.palette import (
    DARK,
    GRAPHIC_RATIO,
    LIGHT,
    SERIES_DARK,
    SERIES_LIGHT,
    TEXT_RATIO,
    Palette,
    State,
    contrast,
)

SCHEMES = pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", "21.00"),
        ("#767676", "#ffffff", "4.54"),
        ("#777777", "#ffffff", "4.48"),
    ],
)
def test_contrast_is_the_ratio_of_wcag(one: str, other: str, ratio: str) -> None:
    assert f"{float(contrast(one, other)):.2f}" == ratio
    assert contrast(one, other) == contrast(other, one)


@SCHEMES
def test_text_can_be_read_on_every_ground(colours: Palette) -> None:
    for ground in (colours.page, colours.surface, colours.raised):
        for ink in (colours.text, colours.muted, colours.primary):
            assert contrast(ink, ground) >= TEXT_RATIO, (ink, ground)
    assert contrast(colours.on_primary, colours.primary) >= TEXT_RATIO
    assert contrast(colours.on_header, colours.header) >= TEXT_RATIO
    assert contrast(colours.on_alarm, colours.alarm) >= TEXT_RATIO


@SCHEMES
@pytest.mark.parametrize("state", list(State))
def test_state_words_can_be_read_and_state_borders_seen(colours: Palette, state: State) -> None:
    for ground in (colours.page, colours.surface):
        assert contrast(colours.state(state), ground) >= TEXT_RATIO


@SCHEMES
def test_borders_of_controls_are_seen(colours: Palette) -> None:
    for ground in (colours.page, colours.surface, colours.raised):
        assert contrast(colours.control, ground) >= GRAPHIC_RATIO


@pytest.mark.parametrize(("series", "ground"), [(SERIES_LIGHT, LIGHT), (SERIES_DARK, DARK)])
def test_lines_of_charts_are_seen(series: tuple[str, ...], ground: Palette) -> None:
    assert all(contrast(colour, ground.surface) >= GRAPHIC_RATIO for colour in series)
    assert len(set(series)) == len(series)


def test_white_on_the_usual_green_would_fail() -> None:
    assert contrast("#ffffff", "#5cb85c") < Fraction(3)


EVIL = '<img src=x onerror="alert(1)">'


@pytest.mark.parametrize(
    "piece",
    [
        parts.chip(State.OK, EVIL, testid=EVIL),
        parts.card(EVIL, EVIL, unit=EVIL, state=State.BAD, word=EVIL, note=EVIL, href="/x?" + EVIL),
        parts.facts([(EVIL, EVIL)]),
        parts.table(EVIL, (EVIL,), [(EVIL,)], units={EVIL: EVIL}, testid=EVIL),
        parts.table("t", ("a",), [], empty=EVIL),
        parts.notice(State.NEAR, EVIL, EVIL),
        parts.heading(EVIL, note=EVIL),
        parts.paragraph(EVIL),
        parts.link(EVIL, "/" + EVIL),
        parts.progress(EVIL, 1, 2),
        parts.columns(parts.safe(EVIL)),
    ],
)
def test_no_builder_lets_markup_through(piece: Markup) -> None:
    assert "<img" not in piece
    assert "&lt;img" in piece


def test_plain_text_is_no_piece() -> None:
    with pytest.raises(TypeError, match="not escaped"):
        parts.html(EVIL)  # type: ignore[arg-type]


@pytest.mark.parametrize("href", ["//evil.example", "https://evil.example", "javascript:alert(1)"])
def test_links_lead_to_our_own_pages_only(href: str) -> None:
    with pytest.raises(ValueError, match="links lead to pages of ours"):
        parts.link("x", href)


def test_table_names_its_columns_units_and_rows() -> None:
    table = parts.table(
        "Net", ("Lot", "Net"), [("L1", "9.1")], units={"Net": "kg"}, numbers=("Net",)
    )
    assert re.search(r"<caption>Net</caption>", table)
    assert '<th scope="col" class="number">Net <span class="unit">kg</span></th>' in table
    assert '<th scope="row">L1</th><td class="number">9.1</td>' in table


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("/review/batch/B26-0178?tab=gates", "/review/batch/B26-0178?tab=gates"),
        ("/", "/"),
        (None, "/"),
        ("//evil.example/review", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/nowhere", "/"),
        ("/review\r\nset-cookie: x", "/"),
    ],
)
def test_next_page_is_one_of_ours(wanted: str | None, path: str) -> None:
    assert menu.next_path(wanted) == path


@pytest.mark.parametrize(
    "path", ["/session_info", "/alive", "/nowhere", "/static", "/admin", "/kioskx"]
)
def test_paths_outside_the_table_are_denied_to_every_role(path: str) -> None:
    assert not menu.may_open(path, menu.ROLES)


def test_each_role_opens_its_pages_only() -> None:
    assert menu.may_open("/review/batch/1", {"qa"})
    assert not menu.may_open("/review/batch/1", {"operator", "finance", "admin"})
    assert not menu.may_open("/kiosk/ws", {"qa"})
    assert [entry.path for entry in menu.entries_for({"finance"})] == [
        "/", "/reconcile", "/books", "/help",
    ]  # fmt: skip
