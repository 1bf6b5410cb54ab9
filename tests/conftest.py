"""What every test may use: the servers, the browser, and how properties are tried."""

from __future__ import annotations

import gc
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from core import credentials
from tests.order import dealt

if TYPE_CHECKING:
    from tests.plant import LivingPlant

pytest_plugins = [
    name
    for name in ("tests.browser", "tests.servers", "tests.floor")
    if importlib.util.find_spec(name)
]

# A busy machine makes an example slow, not wrong, so no deadline; the blob repeats a failure.
settings.register_profile(
    "batchwright",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("batchwright")

# A secret costs 46 MB of memory on purpose. A test of anything else does not pay for it; tests of
# the cost ask for `plants_hasher`, and every program that a test starts has the plant's own.
PLANTS_HASHER = credentials.HASHER
credentials.HASHER = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture
def plants_hasher(monkeypatch: pytest.MonkeyPatch) -> PasswordHasher:
    """Give secrets the cost that they have in a plant."""
    monkeypatch.setattr(credentials, "HASHER", PLANTS_HASHER)
    return PLANTS_HASHER


@pytest.fixture
def living_plant(tmp_path: Path) -> Iterator[LivingPlant]:
    """A seeded plant of this test alone, with simulated scales, served on a free port."""
    from tests.plant import running_plant  # the screens' libraries take seconds to load

    with running_plant(tmp_path / "plant") as plant:
        yield plant


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the long first where several workers share the tests, and see to markers.

    A requirement marker without an id is refused; the users of a server are marked by its fixture.
    """
    items[:] = dealt(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    for item in items:
        for marker in item.iter_markers("requirement"):
            if not marker.args or not all(isinstance(name, str) for name in marker.args):
                raise pytest.UsageError(f"{item.nodeid}: requirement needs feature ids, as in 'D3'")
        fixtures = getattr(item, "fixturenames", ())
        if "browser" in fixtures or "chromium" in fixtures:
            item.add_marker("browser")
        if any(name.startswith("postgres") for name in fixtures):
            item.add_marker("postgres")


def pytest_collection_finish() -> None:
    """Let the collector of garbage pass over what was loaded: most of a worker, and it stays."""
    gc.collect()
    gc.freeze()


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Carry the feature ids into the report, so that a trace matrix can be made from its XML."""
    if call.when == "setup":
        for marker in item.iter_markers("requirement"):
            item.user_properties.extend(("requirement", name) for name in marker.args)
