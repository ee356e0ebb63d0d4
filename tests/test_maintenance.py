"""Check, reindex, and building the catalog beside servers."""

import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from chartrepo import checking, maintenance
from chartrepo.catalog import PackageRecord
from chartrepo.checking import Finding, Kind, Report, check
from chartrepo.core.errors import CatalogUnavailable
from chartrepo.maintenance import Reindexed, build_if_needed, reindex
from chartrepo.outcomes import Outcome, ReadMany, Task
from chartrepo.reading import read_many
from storage.base import Unavailable
from storage.local import LocalStorage
from tests.support import packages
from tests.support.packages import package
from tests.support.repositories import NOW, Shop, provenance


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.build()
    return shop


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_UNDER_WAY", 0.0)
    monkeypatch.setattr(maintenance, "_LOOK_EVERY", 0.01)


def read(shop: Shop) -> ReadMany:
    return lambda tasks: read_many(lambda: shop.storage, tasks, tell_failures=True)


def checked(shop: Shop) -> Report:
    return check(shop.storage, shop.catalog, read(shop))


def found(shop: Shop) -> list[tuple[Kind, str]]:
    return [(finding.kind, finding.key) for finding in checked(shop).findings]


def only(shop: Shop) -> Finding:
    (finding,) = checked(shop).findings
    return finding


class TestACheck:
    def test_finds_nothing_where_all_is_well(self, shop: Shop) -> None:
        shop.publish()
        shop.publish(package("lib"), provenance(package("lib"), "lib-1.0.0.tgz", name="lib"), repository="team/app")
        assert checked(shop) == Report(packages=2, compared=True, findings=())
        assert checked(shop).sound

    def test_finds_bytes_that_changed_though_the_listing_tells_of_nothing(self, tmp_path: Path) -> None:
        folder = tmp_path / "charts"
        folder.mkdir()
        shop = Shop(tmp_path, inner=LocalStorage(folder))
        shop.build()
        shop.publish(package(description="as it was"))
        file = folder / "app-1.0.0.tgz"
        before = file.stat()
        file.write_bytes(package(description="as it is!"))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert file.stat().st_size == before.st_size
        finding = only(shop)
        assert (finding.kind, finding.key, finding.harmless) == (Kind.DIGEST, "app-1.0.0.tgz", False)
        assert "restore it from a back-up" in finding.message

    def test_finds_bytes_that_were_replaced_by_hand(self, shop: Shop) -> None:
        shop.publish()
        shop.put("app-1.0.0.tgz", package(description="another"))
        assert found(shop) == [(Kind.DIGEST, "app-1.0.0.tgz")]

    def test_finds_what_the_catalog_does_not_know(self, shop: Shop) -> None:
        shop.put("app-1.0.0.tgz", package())
        assert found(shop) == [(Kind.UNKNOWN, "app-1.0.0.tgz")]

    def test_finds_what_is_not_in_storage(self, shop: Shop) -> None:
        shop.publish()
        shop.inner.delete("app-1.0.0.tgz")
        assert found(shop) == [(Kind.MISSING, "app-1.0.0.tgz")]

    def test_finds_what_is_set_aside_with_the_reason(self, shop: Shop) -> None:
        shop.put("app-1.0.0.tgz", b"no package")
        shop.put("other-1.0.0.tgz", package())
        shop.sync()
        report = checked(shop)
        assert [each.kind for each in report.findings] == [Kind.SET_ASIDE] * 2
        assert "gzip" in report.findings[0].message
        assert "rename the file to 'app-1.0.0.tgz'" in report.findings[1].message
        assert not report.sound

    def test_finds_what_the_catalog_lists_and_cannot_be_served(self, shop: Shop) -> None:
        shop.publish()
        shop.put("app-1.0.0.tgz", b"no package")
        assert found(shop) == [(Kind.SET_ASIDE, "app-1.0.0.tgz"), (Kind.ENTRY, "app-1.0.0.tgz")]

    def test_finds_an_entry_that_is_not_what_the_package_says(self, shop: Shop) -> None:
        made = shop.publish().record
        with shop.catalog.exclusive("", "app-1.0.0.tgz") as entry:
            fields = {name: getattr(made, name) for name in PackageRecord.__slots__}
            entry.record(PackageRecord(**{**fields, "created": NOW + 1}))
        assert found(shop) == [(Kind.ENTRY, "app-1.0.0.tgz")]

    def test_finds_a_provenance_that_the_catalog_does_not_know(self, shop: Shop) -> None:
        shop.publish()
        shop.put("app-1.0.0.tgz.prov", provenance(package()))
        assert found(shop) == [(Kind.PROVENANCE, "app-1.0.0.tgz.prov")]

    def test_finds_a_provenance_of_other_bytes(self, shop: Shop) -> None:
        shop.publish()
        shop.put("app-1.0.0.tgz.prov", provenance(b"other bytes"))
        shop.sync()
        finding = only(shop)
        assert (finding.kind, finding.key) == (Kind.WAITING, "app-1.0.0.tgz.prov")
        assert "does not name the digest" in finding.message

    def test_finds_a_file_that_cannot_be_read_and_goes_on(self, shop: Shop) -> None:
        shop.publish()
        shop.publish(package("lib"))
        shop.storage.fail("open", Unavailable("the disk is broken"), key="app-1.0.0.tgz", times=None)
        findings = checked(shop).findings
        assert {finding.key for finding in findings} == {"app-1.0.0.tgz"}
        assert findings[0].message == "the disk is broken"

    def test_tells_of_harmless_things_too(self, shop: Shop) -> None:
        shop.publish()
        shop.put("app-1.0.0.tgz", package(), published=NOW)
        shop.put("lib-1.0.0.tgz.prov", b"waits")
        shop.put("odd-1.0.0.tgz", packages.archive([("./Chart.yaml", packages.chart_yaml("odd"))]))
        shop.repositories.refresh("", "odd-1.0.0.tgz")
        report = checked(shop)
        assert [(each.kind, each.key) for each in report.findings] == [
            (Kind.REWRITTEN, "app-1.0.0.tgz"),
            (Kind.WAITING, "lib-1.0.0.tgz.prov"),
            (Kind.RESERVED, "odd-1.0.0.tgz"),
        ]
        assert report.sound

    def test_changes_nothing(self, shop: Shop) -> None:
        shop.publish()
        shop.put("lib-1.0.0.tgz", package("lib"))
        before = list(shop.catalog.records()), sorted(info.key for info in shop.inner.list())
        shop.storage.calls.clear()
        checked(shop)
        assert {call.operation for call in shop.storage.calls} <= {"list", "open", "stat"}
        assert (list(shop.catalog.records()), sorted(info.key for info in shop.inner.list())) == before

    def test_does_not_mind_an_upload_that_comes_meanwhile(self, shop: Shop) -> None:
        shop.publish()

        def read_late(tasks: Iterable[Task]) -> Iterator[Outcome]:
            if not shop.catalog.versions("", "lib"):
                shop.publish(package("lib"))
            yield from read(shop)([*tasks, Task("", "lib-1.0.0.tgz", signed=False)])

        assert check(shop.storage, shop.catalog, read_late).findings == ()

    def test_without_a_catalog_reads_the_packages_alone(self, tmp_path: Path) -> None:
        shop = Shop(tmp_path)
        shop.put("app-1.0.0.tgz", package())
        shop.put("bad-1.0.0.tgz", b"no package")
        report = checked(shop)
        assert not report.compared
        assert [finding.kind for finding in report.findings] == [Kind.SET_ASIDE]
        assert not list(tmp_path.iterdir())


class TestReindex:
    def test_finds_a_right_catalog_right(self, shop: Shop) -> None:
        shop.publish()
        mark = shop.catalog.mark("")
        assert reindex(shop.repositories, read(shop)) == Reindexed(packages=1, changed=0, set_aside=0)
        assert shop.catalog.mark("") == mark

    def test_puts_everything_right(self, shop: Shop) -> None:
        made = shop.publish().record
        shop.publish(package("gone"))
        with shop.catalog.exclusive("", "app-1.0.0.tgz") as entry:
            fields = {name: getattr(made, name) for name in PackageRecord.__slots__}
            entry.record(PackageRecord(**{**fields, "entry_json": '{"name":"a","version":"b"', "digest": "0" * 64}))
        shop.inner.delete("gone-1.0.0.tgz")
        shop.put("new-1.0.0.tgz", package("new"))
        shop.put("bad-1.0.0.tgz", b"no package")
        assert reindex(shop.repositories, read(shop)) == Reindexed(packages=3, changed=4, set_aside=1)
        assert shop.listed() == ["app 1.0.0", "new 1.0.0"]
        assert shop.catalog.versions("", "app") == [made]

    def test_builds_a_catalog_that_is_missing(self, tmp_path: Path) -> None:
        shop = Shop(tmp_path)
        shop.put("app-1.0.0.tgz", package())
        assert reindex(shop.repositories, read(shop)) == Reindexed(packages=1, changed=None, set_aside=0)
        assert shop.listed() == ["app 1.0.0"]

    def test_keeps_the_time_of_publication(self, shop: Shop) -> None:
        shop.put("app-1.0.0.tgz", package(), published=NOW - 1000)
        reindex(shop.repositories, read(shop))
        assert shop.catalog.versions("", "app")[0].created == NOW - 1000


class TestBuildingIfNeeded:
    def test_leaves_a_catalog_alone_that_is_there(self, shop: Shop) -> None:
        mark = shop.catalog.mark("")
        assert not build_if_needed(shop.repositories, read(shop))
        assert shop.catalog.mark("") == mark

    def test_waits_for_a_server_that_is_building_it(self, tmp_path: Path) -> None:
        shop = Shop(tmp_path)
        shop.put("app-1.0.0.tgz", package())
        building, go_on = threading.Event(), threading.Event()

        def read_slowly(tasks: Iterable[Task]) -> Iterator[Outcome]:
            building.set()
            go_on.wait()
            yield from read(shop)(tasks)

        server = threading.Thread(target=lambda: build_if_needed(shop.repositories, read_slowly))
        server.start()
        building.wait()
        waited: list[bool] = []
        command = threading.Thread(target=lambda: waited.append(build_if_needed(shop.repositories, read(shop))))
        command.start()
        go_on.set()
        server.join()
        command.join()
        assert waited == [False]
        assert shop.listed() == ["app 1.0.0"]

    def test_does_not_wait_for_ever(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(maintenance, "_PATIENCE", 0.0)
        shop = Shop(tmp_path)
        with shop.catalog.sync_lock(), pytest.raises(CatalogUnavailable, match="takes long"):
            build_if_needed(shop.repositories, read(shop))
