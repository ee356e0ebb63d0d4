"""What was read is still true while the version is the same; another one, or None, says nothing."""

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path

import pytest

from chartrepo.catalog import Catalog
from chartrepo.catalog.announced import EVERYTHING, Announced
from chartrepo.catalog.locks import STRIPES, stripe_of
from chartrepo.catalog.schema import SCHEMA_VERSION
from chartrepo.core.errors import CatalogUnavailable
from tests.support.catalogs import Place, build, package, record, remove
from tests.support.processes import eventually

APP, WEB = package("app"), package("web")


@pytest.fixture
def place(sqlite_place: Place) -> Place:
    return sqlite_place


@pytest.fixture
def other(place: Place, catalog: Catalog) -> Iterator[Catalog]:
    """The same catalog, as another process has it."""
    other = place.open()
    yield other
    other.close()


@pytest.fixture
def versions(catalog: Catalog) -> Callable[[], tuple[int | None, int | None]]:
    """The versions of all and of one package, once the folder has been quiet for long enough to tell them."""

    def look() -> tuple[int | None, int | None]:
        catalog.mark("")
        number, again = catalog.watch("", APP.file)
        assert again() == number
        return catalog._engine.version(EVERYTHING), number

    eventually(lambda: None not in look(), what="the folder is quiet")
    return look


Versions = Callable[[], tuple[int | None, int | None]]


def test_it_stays_while_nothing_is_written(versions: Versions) -> None:
    assert versions() == versions()


def test_every_write_of_anybody_makes_it_another(versions: Versions, catalog: Catalog, other: Catalog) -> None:
    seen = {versions()}
    record(catalog, APP)
    seen.add(versions())
    record(other, package("app", size=7))
    seen.add(versions())
    remove(other, APP)
    seen.add(versions())
    assert len(seen) == 4
    assert not any(None in each for each in seen)


def test_a_write_leaves_that_of_a_package_of_another_stripe(versions: Versions, other: Catalog) -> None:
    assert stripe_of(b"/app-1.0.0.tgz") != stripe_of(b"/web-1.0.0.tgz")
    everything, app = versions()
    record(other, WEB)
    assert versions()[0] != everything
    assert versions()[1] == app


def test_a_mark_that_is_remembered_is_given_up_at_the_next_write(catalog: Catalog, other: Catalog) -> None:
    eventually(lambda: catalog.mark("") and catalog.mark_at_hand("") is not None, what="the mark is at hand")
    record(other, APP)
    assert catalog.mark_at_hand("") is None
    assert catalog.mark("") == other.mark("")
    assert catalog.mark_at_hand("") == other.mark("")


def test_repositories_that_clients_make_up_do_not_fill_the_memory(catalog: Catalog) -> None:
    eventually(lambda: catalog.mark("") and catalog.mark_at_hand("") is not None, what="the mark is at hand")
    for number in range(3000):
        catalog.mark(f"made-up-{number}")
    assert len(catalog._marks) <= 1024


def test_a_write_that_was_announced_and_came_to_nothing_leaves_all_open_until_the_next(
    versions: Versions, catalog: Catalog
) -> None:
    engine = catalog._engine
    stripe = stripe_of(b"/app-1.0.0.tgz")
    seen = versions()

    def fail_after_the_announcement() -> None:
        with engine.writing(stripe):
            engine._seen.announced.announce(engine._seen.announced._committed + 1, stripe)
            raise sqlite3.OperationalError

    with pytest.raises(CatalogUnavailable):
        fail_after_the_announcement()
    assert versions() == (None, None)
    record(catalog, APP)
    assert None not in versions()
    assert not {*seen} & {*versions()}


def _die_before_the_commit(place: Place) -> None:
    catalog = place.open()
    announce = Announced.announce

    def and_die(announced: Announced, number: int, *stripes: int) -> None:
        announce(announced, number, *stripes)
        os.kill(os.getpid(), signal.SIGKILL)

    Announced.announce = and_die  # type: ignore[method-assign]
    record(catalog, APP)


def test_a_writer_that_dies_in_between_leaves_nothing_that_is_taken_for_known(
    versions: Versions, place: Place, catalog: Catalog
) -> None:
    before = versions()
    process = get_context("spawn").Process(target=_die_before_the_commit, args=(place,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert versions() == (None, None)
    record(catalog, package("app", size=7))
    assert None not in versions()
    assert not {*before} & {*versions()}


def test_another_catalog_in_its_place_has_no_version_of_the_one_before(
    versions: Versions, catalog: Catalog, other: Catalog
) -> None:
    seen = versions()
    build(other, APP)
    fields = [EVERYTHING, *range(STRIPES)]
    before = {catalog._engine.version(field) for field in fields}
    assert before == {None}
    eventually(lambda: None not in versions(), what="the folder is quiet")
    assert not {*seen} & {catalog._engine.version(field) for field in fields}


def test_nothing_is_known_while_the_catalog_is_gone(versions: Versions, catalog: Catalog, place: Place) -> None:
    Path(place.url.removeprefix("sqlite:///")).with_name(f"catalog-v{SCHEMA_VERSION}.sqlite3").unlink()
    assert catalog._engine.version(EVERYTHING) is None


@pytest.mark.parametrize("left", [0, 100])
def test_where_the_numbers_are_cut_off_nothing_is_known_until_they_are_written(
    versions: Versions, catalog: Catalog, tmp_path: Path, left: int
) -> None:
    (numbers,) = (tmp_path / "state").glob("*-announced")
    os.truncate(numbers, left)
    assert versions()[0] is None
    record(catalog, WEB)  # makes the file as long as it was, with nothing where other numbers were
    everything, app = versions()
    assert everything is not None
    assert app is None or left > 0
    record(catalog, APP)
    assert None not in versions()


@pytest.mark.parametrize("change", ["gone", "short"])
def test_without_its_file_of_numbers_the_catalog_is_built_anew(
    catalog: Catalog, place: Place, tmp_path: Path, change: str
) -> None:
    (numbers,) = (tmp_path / "state").glob("*-announced")
    numbers.unlink()
    if change == "short":
        numbers.write_bytes(b"short")
    fresh = place.open()
    with pytest.raises(CatalogUnavailable, match="built anew"):
        fresh.mark("")
    assert fresh.needs_rebuild
    build(fresh, APP)
    record(catalog, WEB)
    assert fresh.package("", WEB.file) is not None
    fresh.close()


def test_postgresql_is_always_asked(shared_database: str, tmp_path: Path) -> None:
    catalog = Place(shared_database, tmp_path / "locks").open()
    build(catalog)
    assert catalog.mark("") == catalog.mark("")
    assert catalog.mark_at_hand("") is None
    assert catalog.watch("", APP.file)[0] is None
    catalog.close()


def test_a_catalog_that_lost_its_count_of_writes_is_built_anew(catalog: Catalog, other: Catalog) -> None:
    with catalog._engine.writing() as session:
        session.run("DELETE FROM writes")
    with pytest.raises(CatalogUnavailable, match="how often"):
        record(other, APP)
    assert other.needs_rebuild
    build(other, APP)
    record(catalog, WEB)
    assert other.mark("") == catalog.mark("")


def test_looking_at_the_version_asks_nobody(versions: Versions, catalog: Catalog, other: Catalog) -> None:
    _, again = catalog.watch("", APP.file)
    record(other, APP)
    asked: list[str] = []
    one = catalog._engine.one
    catalog._engine.one = lambda *arguments: asked.append("one") or one(*arguments)
    assert again() is None
    assert catalog.mark_at_hand("") is None
    assert asked == []
    assert None not in versions()
