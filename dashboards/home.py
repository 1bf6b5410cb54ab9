"""The first page after signing in: what this person may open."""

from dashboards import menu, parts
from dashboards.plant import PlantServices
from dashboards.session import Viewer
from dashboards.theme import Frame, frame


def home_page(plant: PlantServices, viewer: Viewer) -> Frame:
    """Draw the home page."""
    places = [entry for entry in menu.entries_for(viewer.roles) if entry.path != "/"]
    body = parts.html(
        parts.facts([("Signed in as", viewer.name), ("Role", viewer.role_text)]),
        parts.cards(*(parts.card(entry.label, parts.link("Open", entry.path)) for entry in places)),
    )
    return frame("Home", body, viewer=viewer, nav="/", plant=plant.name, zone=plant.zone)
