"""The first page after signing in: what this person may open."""

from markupsafe import Markup

from dashboards import menu, parts
from dashboards.plant import PlantServices
from dashboards.session import Viewer
from dashboards.theme import Frame, frame


def place(entry: menu.Entry) -> Markup:
    """Return one page as a large link with what it is for."""
    return Markup('<a class="place" href="{}"><b>{}</b><span>{}</span></a>').format(
        entry.path, entry.label, entry.note
    )


def home_page(plant: PlantServices, viewer: Viewer) -> Frame:
    """Draw the home page."""
    places = [entry for entry in menu.entries_for(viewer.roles) if entry.path != "/"]
    body = parts.html(parts.cards(*(place(entry) for entry in places)))
    return frame(
        f"Good day, {viewer.name}", body, viewer=viewer, nav="/", plant=plant.name, zone=plant.zone
    )
