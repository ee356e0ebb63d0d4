"""A catalog in each engine."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from chartrepo.catalog import Catalog
from tests.support.catalogs import NOW, Place, build
from tests.support.postgres import Postgres


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Place:
    """Where a SQLite catalog may be made."""
    return Place(f"sqlite:///{tmp_path}/state/catalog.sqlite3", tmp_path / "locks")


@pytest.fixture(scope="session")
def _database(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as url:
        yield url


@pytest.fixture
def shared_database(_database: str) -> Iterator[str]:
    """A database without a catalog. It is not made anew for every test, which takes a while."""
    yield _database
    with psycopg.connect(_database, autocommit=True) as connection:
        found = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'chartrepo%'").fetchall()
        for (name,) in found:
            connection.execute(f'DROP SCHEMA "{name}" CASCADE')


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a catalog may be made, in each engine."""
    if request.param == "sqlite":
        return request.getfixturevalue("sqlite_place")
    return Place(request.getfixturevalue("shared_database"), tmp_path / "locks")


@pytest.fixture
def unbuilt(place: Place) -> Iterator[Catalog]:
    """A catalog that was never built."""
    catalog = place.open(clock=lambda: NOW + 0.9)
    yield catalog
    catalog.close()


@pytest.fixture
def catalog(unbuilt: Catalog) -> Catalog:
    """A complete, empty catalog."""
    build(unbuilt)
    return unbuilt
