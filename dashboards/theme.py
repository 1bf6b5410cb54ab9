"""One look for every page: Material theme, the frame around a page, plain server-made HTML.

`frame(...)` makes a live page (Panel), `plain(...)` an ordinary HTML document with the same
header. Both escape every value; neither asks another host for anything.
"""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import panel.ui as pu
from jinja2 import Environment, FileSystemLoader, Template
from markupsafe import Markup
from panel.io.resources import _env as panel_templates

from dashboards import menu, palette, visit
from dashboards.session import Login, Viewer

HERE = Path(__file__).parent
ASSETS = HERE / "assets"
FONT = '"Segoe UI", system-ui, -apple-system, Roboto, "Helvetica Neue", Arial, sans-serif'
VERSION = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted(ASSETS.iterdir()) if path.is_file())
).hexdigest()[:12]

_plain = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip
_page: Template = panel_templates.from_string(
    "{% extends base %}\n" + (HERE / "templates" / "page.html").read_text("utf-8")
)


def _material(colours: palette.Palette) -> dict[str, Any]:
    """Return the Material theme of one scheme."""
    return {
        "palette": {
            "primary": {"main": colours.primary, "contrastText": colours.on_primary},
            "success": {"main": colours.ok, "contrastText": colours.surface},
            "warning": {"main": colours.near, "contrastText": colours.surface},
            "error": {"main": colours.bad, "contrastText": colours.surface},
            "info": {"main": colours.info, "contrastText": colours.surface},
            "text": {"primary": colours.text, "secondary": colours.muted},
            "background": {"default": colours.page, "paper": colours.surface},
            "divider": colours.line,
            # How much darker a button is under the pointer: its words must stay readable.
            "tonalOffset": 0.2 if colours is palette.LIGHT else 0.08,
        },
        "typography": {"fontFamily": FONT, "fontSize": 15, "button": {"textTransform": "none"}},
        "shape": {"borderRadius": 6},
        "components": {
            "MuiButton": {
                "defaultProps": {"disableElevation": True},
                "styleOverrides": {"root": {"minHeight": 44, "fontWeight": 600}},
            },
            # A menu that fades out still takes the focus of whoever presses Tab at once.
            "MuiMenu": {"defaultProps": {"transitionDuration": 0}},
            "MuiButtonBase": {"defaultProps": {"disableRipple": True}},
            "MuiOutlinedInput": {
                "styleOverrides": {"notchedOutline": {"borderColor": colours.control}}
            },
            "MuiTab": {"styleOverrides": {"root": {"minHeight": 48}}},
        },
    }


THEME_CONFIG = {"light": _material(palette.LIGHT), "dark": _material(palette.DARK)}

# For kiosks: what a gloved hand needs (72 px is 19 mm at 96 dpi).
KIOSK_BUTTON = {"minHeight": 72, "fontSize": 24, "fontWeight": 600}
KIOSK_INPUT = {
    "& .MuiInputBase-input": {"fontSize": 26, "height": 40},
    "& .MuiInputLabel-root": {"fontSize": 18},
}


def css_variables(dark: bool | None) -> Markup:
    """Return the custom properties of a scheme, inside `:root { ... }`.

    None leaves the choice to the browser: dark colours follow in a media query.
    """
    font = f"--bw-font: {FONT};"
    if dark is not None:
        scheme = "dark" if dark else "light"
        return Markup(f"{palette.of(dark).css()} --bw-scheme: {scheme}; {font}")  # noqa: S704
    return Markup(  # noqa: S704
        f"{palette.LIGHT.css()} --bw-scheme: light; {font} }} "
        f"@media (prefers-color-scheme: dark) {{ :root {{ {palette.DARK.css()} "
        "--bw-scheme: dark; }"
    )


def _surroundings(
    *, plant: str, zone: str, here: str, login: Login | None, dark: bool | None
) -> dict[str, Any]:
    """Return what both kinds of page know of their surroundings."""
    at = datetime.now(UTC)
    viewer = login.viewer if login else None
    return {
        "css": css_variables(dark),
        "version": VERSION,
        "plant": plant,
        "zone": zone,
        "dark": bool(dark),
        "theme": "dark" if dark else "light",
        "now": int(at.timestamp() * 1000),
        "clock": f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}",
        "here": menu.section(here),
        "menu": menu.entries_for(viewer.roles) if viewer else (),
        "name": viewer.name if viewer else "",
        "roles": viewer.role_text if viewer else "",
        "station": (viewer.station if viewer else None) or "",
        "simulated": bool(viewer and viewer.simulated),
        "csrf": login.csrf if login else "",
    }


class Frame(pu.Column):
    """A page's root: the body, inside the frame's header, menu and `main` landmark."""

    def dress(self, title: str, surroundings: dict[str, Any]) -> None:
        """Keep what `server_doc` needs."""
        self._bw_title, self._bw = title, surroundings

    def server_doc(self, doc: Any = None, title: str | None = None, location: Any = True) -> Any:
        """Return the document, in our own template."""
        doc = super().server_doc(doc, title, location)
        doc.title = f"{self._bw_title} · Batchwright"
        doc.template = _page
        bw = self._bw
        attributes = Markup(
            'data-theme="{theme}" data-auto="{auto}" data-zone="{zone}" data-now="{now}"'
        ).format(theme=bw["theme"], auto=bw["auto"], zone=bw["zone"], now=bw["now"])
        doc.template_variables.update(
            bw=bw,
            bw_header=_plain.get_template("header.html").render(bw=bw),
            html_attrs=attributes,
        )
        return doc


def frame(
    title: str,
    body: Any,
    *,
    viewer: Viewer,
    nav: str,
    plant: str = "Batchwright",
    zone: ZoneInfo | str = "UTC",
    quiet_title: bool = False,
) -> Frame:
    """Return a live page.

    Args:
        title: the page's heading and the tab's name.
        body: one viewable, or a list of them, drawn below each other.
        nav: this page's path, to mark it in the menu.
        quiet_title: keep the heading for screen readers only, where the page draws its own.
    """
    dark = visit.is_dark()
    visit.use_theme(dark)
    page = Frame(
        *(body if isinstance(body, list | tuple) else [body]),
        theme_config=THEME_CONFIG,
        dark_theme=dark,
        sizing_mode="stretch_width",
        margin=0,
        stylesheets=[":host { font-family: var(--bw-font); }"],
    )
    bw = _surroundings(plant=plant, zone=str(zone), here=nav, login=visit.login(), dark=dark)
    bw |= {"title": title, "quiet": quiet_title, "auto": "yes" if visit.follows_browser() else "no"}
    assert viewer == visit.viewer(), "a page is drawn for the person who opened it"
    page.dress(title, bw)
    return page


def plain(
    title: str,
    body: Markup,
    *,
    login: Login | None,
    plant: str,
    zone: str,
    here: str = "/",
    chosen: str = "",
    template: str = "plain.html",
    **values: Any,
) -> str:
    """Return an ordinary HTML document; an empty `chosen` scheme follows the browser."""
    dark = {"dark": True, "light": False}.get(chosen)
    bw = _surroundings(plant=plant, zone=zone, here=here, login=login, dark=dark)
    bw |= {"auto": "no", "theme": chosen or "light"}
    header = Markup(_plain.get_template("header.html").render(bw=bw)) if login else ""  # noqa: S704
    return _plain.get_template(template).render(
        title=title, body=body, header=header, bw=bw, **values
    )
