"""The lock on one storage key, and the transaction that writes under it."""

from contextlib import ExitStack

import pytest

from chartrepo.catalog import Catalog
from chartrepo.core.errors import AlreadyPublished, CatalogIncomplete
from tests.support.catalogs import Place, aside, build, package, record, remove


def test_what_is_known_of_the_package_can_be_read_under_the_lock(catalog: Catalog) -> None:
    record(catalog, package(), aside())
    with catalog.exclusive("", "app-1.0.0.tgz") as entry:
        assert (entry.package(), entry.set_aside()) == (package(), None)
    with catalog.exclusive("", "bad-1.0.0.tgz") as entry:
        assert (entry.package(), entry.set_aside()) == (None, aside())
    with catalog.exclusive("", "new-1.0.0.tgz") as entry:
        assert (entry.package(), entry.set_aside()) == (None, None)


def test_what_was_recorded_is_read_back_before_it_is_written(catalog: Catalog, place: Place) -> None:
    with catalog.exclusive("", "app-1.0.0.tgz") as entry:
        entry.record(package())
        assert entry.package() == package()
        entry.put_aside(aside("app-1.0.0.tgz"))
        assert (entry.package(), entry.set_aside()) == (None, aside("app-1.0.0.tgz"))
        assert catalog.set_aside() == []
    assert catalog.set_aside() == [aside("app-1.0.0.tgz")]


def test_the_last_thing_recorded_counts(catalog: Catalog) -> None:
    with catalog.exclusive("", "app-1.0.0.tgz") as entry:
        entry.record(package(size=1))
        entry.remove()
        entry.record(package(size=2))
    assert [one.size for one in catalog.versions("", "app")] == [2]


def test_a_package_is_either_served_or_set_aside(catalog: Catalog) -> None:
    record(catalog, package())
    record(catalog, aside("app-1.0.0.tgz"))
    assert catalog.package("", "app-1.0.0.tgz") is None
    record(catalog, package())
    assert catalog.set_aside() == []
    remove(catalog, package())
    record(catalog, aside("app-1.0.0.tgz"))
    remove(catalog, package())
    assert list(catalog.states()) == []


def _find_and_fail(catalog: Catalog, failure: BaseException) -> None:
    with catalog.exclusive("", "app-1.0.0.tgz") as entry:
        entry.record(package())
        raise failure


def test_a_refusal_after_something_was_found_in_storage_does_not_lose_it(catalog: Catalog) -> None:
    with pytest.raises(AlreadyPublished):
        _find_and_fail(catalog, AlreadyPublished("somebody wrote it and died"))
    assert catalog.versions("", "app") == [package()]


def test_a_block_that_is_broken_off_writes_nothing(catalog: Catalog) -> None:
    with pytest.raises(KeyboardInterrupt):
        _find_and_fail(catalog, KeyboardInterrupt())
    assert catalog.versions("", "app") == []
    record(catalog, package())


def test_only_the_locked_package_can_be_recorded(catalog: Catalog) -> None:
    with catalog.exclusive("", "app-1.0.0.tgz") as entry:
        with pytest.raises(ValueError, match=r"not on 'app-1\.0\.0\.tgz'"):
            entry.record(package(repository="team"))
        with pytest.raises(ValueError, match=r"not on 'bad-1\.0\.0\.tgz'"):
            entry.put_aside(aside())
    assert list(catalog.states()) == []


def test_a_folder_that_can_be_no_repository_can_be_locked(catalog: Catalog) -> None:
    one = aside("\udcff.tgz", repository="Some\udcfe/../Folder")
    record(catalog, one)
    remove(catalog, one)
    assert list(catalog.states()) == []


def test_one_lock_does_not_keep_readers_out(catalog: Catalog) -> None:
    record(catalog, package())
    with catalog.exclusive("", "app-1.0.0.tgz") as entry:
        entry.remove()
        assert catalog.package("", "app-1.0.0.tgz") is not None
    assert catalog.package("", "app-1.0.0.tgz") is None


def test_two_packages_can_be_locked_at_once(catalog: Catalog, place: Place) -> None:
    other = place.open()
    with catalog.exclusive("", "app-1.0.0.tgz") as first, other.exclusive("", "app-2.0.0.tgz") as second:
        first.record(package())
        second.record(package(version="2.0.0"))
    other.close()
    assert catalog.mark("").revision == 2


def test_nothing_can_be_written_while_the_catalog_is_built(catalog: Catalog) -> None:
    with catalog.rebuilding(), pytest.raises(CatalogIncomplete), catalog.exclusive("", "app-1.0.0.tgz"):
        pytest.fail("the block was entered")


def test_an_upload_that_a_rebuild_overtook_is_not_acknowledged(catalog: Catalog, place: Place) -> None:
    """The rebuild may have listed the storage before the upload put its package there."""
    builder = place.open()
    rebuilding = ExitStack()

    def upload() -> None:
        with catalog.exclusive("", "app-1.0.0.tgz") as entry:
            rebuilding.enter_context(builder.rebuilding())
            entry.record(package())

    with rebuilding, pytest.raises(CatalogIncomplete):
        upload()
    builder.close()
    assert catalog.versions("", "app") == []


def test_an_upload_that_ends_after_a_rebuild_is_in_the_new_catalog(catalog: Catalog, place: Place) -> None:
    builder = place.open()
    with catalog.exclusive("", "app-1.0.0.tgz") as entry:
        build(builder, package(size=5))
        entry.record(package(size=7))
    builder.close()
    assert [one.size for one in catalog.versions("", "app")] == [7]
    assert [one.size for one in catalog.repositories()] == [7]


def test_what_was_removed_under_the_lock_is_not_in_a_catalog_that_was_rebuilt_meanwhile(
    catalog: Catalog, place: Place
) -> None:
    builder = place.open()
    with catalog.exclusive("", "app-1.0.0.tgz") as entry:
        build(builder, package())
        entry.remove()
    builder.close()
    assert catalog.versions("", "app") == []
