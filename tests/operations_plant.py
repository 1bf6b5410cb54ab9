"""Figures of a small plant, for tests of what operations and books draw."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from analytics.books.run import BookRunner
from dashboards.live import Hub
from dashboards.operations.figures import Figures
from tests.analytics_plant import ZONE, Plant, minutes

NAMES = {"L1": "Press line"}


def figures_of(plant: Plant, hub: Hub | None = None) -> Figures:
    """Return the figures of a plant that has read everything."""
    plant.projector.catch_up()
    return Figures(plant.projector, Hub() if hub is None else hub, zone=ZONE, names=NAMES)


def a_morning(plant: Plant) -> None:
    """Two hours of running, nine minutes that nobody named, an hour of which nothing is known."""
    plant.machines.state("execute", minutes(0), minutes(120))
    plant.machines.state("held", minutes(120), minutes(129))
    plant.machines.state("execute", minutes(129), minutes(180))
    plant.machines.state("unknown", minutes(180), minutes(240))
    plant.machines.state("execute", minutes(240), minutes(300))
    for at in range(0, 300, 10):
        if not 120 <= at < 129 and not 180 <= at < 240:
            plant.machines.pieces(9, 1 if at % 50 == 0 else 0, minutes(at))
    plant.now_us = minutes(300)


@contextmanager
def followed(plant: Plant, hub: Hub) -> Iterator[dict[str, Any]]:
    """Follow a plant as a server does; yield what pages are given to ask."""
    figures = figures_of(plant, hub)
    plant.projector.start()
    figures.start()
    try:
        yield {
            "analytics": plant.projector,
            "figures": figures,
            "books": BookRunner(plant.projector),
        }
    finally:
        figures.stop()
        plant.projector.stop()
