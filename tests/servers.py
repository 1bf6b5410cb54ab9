"""PostgreSQL for tests, from a URL, the system or a wheel, never skipped: see faults.postgres."""

from collections.abc import Iterator

import pytest

from dashboards.faults.postgres import fresh_database, postgres_running


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
