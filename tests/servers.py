"""Servers for tests: PostgreSQL, never skipped (see faults.postgres), and a real ERP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from dashboards.faults.postgres import fresh_database, postgres_running

if TYPE_CHECKING:
    from tests.erp_peers import TrytonPeer


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """One PostgreSQL server for the session."""
    with postgres_running() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database of this test alone."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def tryton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrytonPeer]:
    """One Tryton for all tests at the port; each takes orders of its own."""
    from tests.erp_peers import tryton_peer  # the ERP's side takes time to load

    with tryton_peer(tmp_path_factory.mktemp("tryton")) as peer:
        yield peer
