"""Building a catalog from nothing, and anew."""

import multiprocessing
import signal

import pytest

from chartrepo.catalog import Catalog, PackageRecord
from chartrepo.core.errors import CatalogIncomplete, CatalogMisconfigured, CatalogUnavailable
from chartrepo.core.index import Form
from tests.support.catalogs import Place, aside, build, charts, package, rebuild_and_die, record


def test_a_catalog_that_was_never_built_says_so(unbuilt: Catalog) -> None:
    assert unbuilt.needs_rebuild
    for ask in (
        lambda: unbuilt.mark(""),
        lambda: unbuilt.package("", "app-1.0.0.tgz"),
        lambda: unbuilt.versions("", "app"),
        lambda: list(unbuilt.states()),
        lambda: record(unbuilt, package()),
    ):
        with pytest.raises((CatalogIncomplete, CatalogUnavailable)):
            ask()


def test_a_built_catalog_holds_what_was_loaded(unbuilt: Catalog) -> None:
    build(unbuilt, package(), aside(), package("b", repository="team"))
    assert unbuilt.complete
    assert not unbuilt.needs_rebuild
    assert unbuilt.versions("", "app") == [package()]
    assert unbuilt.set_aside() == [aside()]
    assert [status.name for status in unbuilt.repositories()] == ["", "team"]


def test_loading_takes_many_records_in_several_calls(unbuilt: Catalog) -> None:
    with unbuilt.rebuilding() as building:
        building.load(package(version=f"1.{number}.0") for number in range(1203))
        building.load([package("b"), aside()])
        building.load([])
    assert len(list(unbuilt.states())) == 1205


def test_a_package_that_a_listing_shows_twice_is_loaded_once(unbuilt: Catalog) -> None:
    build(unbuilt, package(size=1), package(size=2))
    assert [status.size for status in unbuilt.repositories()] == [2]


def test_while_it_is_built_readers_are_told_that_it_is_incomplete(catalog: Catalog, place: Place) -> None:
    record(catalog, package())
    other = place.open()
    assert other.complete
    with catalog.rebuilding() as building:
        for ask in (
            lambda: other.mark(""),
            lambda: other.changes("", None, Form.JSON).__enter__(),
            lambda: charts(other),
            lambda: other.versions("", "app"),
            other.repositories,
            other.set_aside,
            lambda: next(other.states()),
            lambda: next(other.records()),
        ):
            with pytest.raises(CatalogIncomplete):
                ask()
        assert not other.complete
        assert other.needs_rebuild
        building.load([package("b")])
    assert other.complete
    assert list(charts(other)) == ["b"]
    other.close()


def test_what_an_incomplete_catalog_knows_of_a_package_is_told(catalog: Catalog, place: Place) -> None:
    record(catalog, package())
    with catalog.rebuilding():
        assert catalog.package("", "app-1.0.0.tgz") is not None


def test_every_build_has_an_id_of_its_own(catalog: Catalog) -> None:
    ids = {catalog.mark("").catalog}
    for _ in range(3):
        build(catalog)
        ids.add(catalog.mark("").catalog)
    assert len(ids) == 4


def _load_and_fail(catalog: Catalog, one: PackageRecord) -> None:
    with catalog.rebuilding() as building:
        building.load([one])
        raise ZeroDivisionError


def test_a_rebuild_that_fails_leaves_what_was_there(catalog: Catalog) -> None:
    record(catalog, package())
    before = catalog.mark("")
    with pytest.raises(ZeroDivisionError):
        _load_and_fail(catalog, package("b"))
    assert catalog.mark("") == before
    assert catalog.versions("", "app") == [package()]
    assert catalog.versions("", "b") == []


def test_a_first_build_that_fails_leaves_nothing(unbuilt: Catalog) -> None:
    with pytest.raises(ZeroDivisionError):
        _load_and_fail(unbuilt, package())
    assert unbuilt.needs_rebuild
    build(unbuilt, package("b"))
    assert list(charts(unbuilt)) == ["b"]


def test_a_rebuild_that_died_is_seen_by_the_next_start(catalog: Catalog, place: Place) -> None:
    record(catalog, package())
    process = multiprocessing.get_context("spawn").Process(target=rebuild_and_die, args=(place,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    fresh = place.open()
    assert fresh.needs_rebuild
    build(fresh, package("b"))
    assert list(charts(catalog)) == ["b"]
    fresh.close()


def test_one_builds_at_a_time(catalog: Catalog, place: Place) -> None:
    other = place.open()
    with catalog.rebuilding() as building:
        with pytest.raises(CatalogUnavailable, match="being built"), other.rebuilding():
            pytest.fail("the block was entered")
        building.load([package()])
    other.close()
    assert catalog.versions("", "app") == [package()]


def test_one_sync_runs_at_a_time(catalog: Catalog, place: Place) -> None:
    other = place.open()
    with catalog.sync_lock() as first, other.sync_lock() as second:
        assert (first, second) == (True, False)
    with other.sync_lock() as third:
        assert third
    other.close()


def test_whoever_syncs_may_rebuild(catalog: Catalog) -> None:
    with catalog.sync_lock() as mine:
        assert mine
        build(catalog, package())
    assert catalog.versions("", "app") == [package()]


def test_two_storages_do_not_share_a_catalog(catalog: Catalog, place: Place) -> None:
    record(catalog, package())
    stranger = Place(place.url, place.lock_dir, "another storage").open()
    for ask in (
        lambda: stranger.mark(""),
        lambda: stranger.complete,
        lambda: stranger.needs_rebuild,
        lambda: list(stranger.states()),
        lambda: record(stranger, package("b")),
        lambda: build(stranger),
    ):
        with pytest.raises(CatalogMisconfigured, match="another storage"):
            ask()
    stranger.close()
    assert catalog.versions("", "app") == [package()]


def test_an_error_of_whoever_builds_is_passed_on_as_it_is(catalog: Catalog) -> None:
    with pytest.raises(OSError, match="of the storage"), catalog.rebuilding():
        raise OSError("of the storage")
    assert catalog.complete
