"""Catalog and storage brought in line, beside uploads and deletes."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from chartrepo.building import build
from chartrepo.catalog import PackageRecord, SetAside
from chartrepo.core.errors import CatalogUnavailable
from chartrepo.metrics import Unmeasured
from chartrepo.outcomes import Outcome, Task
from chartrepo.reading import read_many
from chartrepo.repository import Repositories
from chartrepo.sync import sync, sync_now
from storage.base import Misconfigured, ObjectInfo, Storage, Unavailable
from storage.local import LocalStorage
from tests.support.packages import package
from tests.support.repositories import Shop, provenance

APP = package()
OTHER = package(appVersion="2.0")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.build()
    return shop


def rebuild(shop: Shop) -> None:
    def read(tasks: Iterable[Task]) -> Iterator[Outcome]:
        return read_many(lambda: shop.storage, tasks, tell_failures=True)

    build(shop.catalog, shop.storage, read)


class TestBuild:
    def test_everything_in_the_storage_is_found_at_any_depth(self, tmp_path: Path) -> None:
        shop = Shop(tmp_path)
        shop.put("app-1.0.0.tgz", APP)
        shop.put("team/deep/er/app-1.0.0.tgz", APP)

        report = shop.build()

        assert report.found == 2
        assert shop.listed() == shop.listed("team/deep/er") == ["app 1.0.0"]

    def test_time_of_publication_and_provenance_are_kept(self, tmp_path: Path) -> None:
        shop = Shop(tmp_path)
        shop.put("app-1.0.0.tgz", APP, published=1_600_000_000)
        shop.put("app-1.0.0.tgz.prov", provenance(APP))
        shop.build()

        (record,) = shop.catalog.versions("", "app")
        assert record.created == 1_600_000_000
        assert record.signed

    @pytest.mark.parametrize(
        ("key", "reason"),
        [
            ("bad-1.0.0.tgz", "not a gzip"),
            ("renamed.tgz", "rename the file to 'app-1.0.0.tgz'"),
            ("Not a repository/app-1.0.0.tgz", "cannot name a repository"),
            ("api/app-1.0.0.tgz", "cannot name a repository"),
        ],
    )
    def test_what_cannot_be_served_is_set_aside_with_the_reason_and_harms_no_other(
        self, tmp_path: Path, key: str, reason: str
    ) -> None:
        shop = Shop(tmp_path)
        shop.put(key, b"rubbish" if key.startswith("bad") else APP)
        shop.put("good/app-1.0.0.tgz", APP)

        report = shop.build()

        assert report.set_aside == 1
        assert reason in shop.catalog.set_aside()[0].reason
        assert shop.listed("good") == ["app 1.0.0"]

    @pytest.mark.parametrize(
        "key", ["index.yaml", "index-cache.yaml", "README.md", "team/index.yaml", "app-1.0.0.tgz.prov", "x.tar.gz"]
    )
    def test_what_is_no_package_is_passed_over(self, tmp_path: Path, key: str) -> None:
        shop = Shop(tmp_path)
        shop.put(key, b"something else")

        report = shop.build()

        assert (report.found, report.set_aside) == (0, 0)

    def test_a_chart_that_helm_takes_and_an_upload_does_not_is_served_with_a_warning(self, tmp_path: Path) -> None:
        shop = Shop(tmp_path)
        shop.put("app-1.0.0.tgz", APP[:-8] + bytes(4) + APP[-4:])
        shop.build()

        (record,) = shop.catalog.versions("", "app")
        assert record.warnings

    def test_hundreds_are_read_in_several_processes(self, tmp_path: Path) -> None:
        shop = Shop(tmp_path / "state", inner=LocalStorage(tmp_path / "data"))
        shop.inner.check()
        for number in range(450):
            shop.put(f"app-1.{number}.0.tgz", package(version=f"1.{number}.0"))

        assert shop.build().found == 450
        assert len(shop.catalog.versions("", "app")) == 450

    def test_a_package_that_the_storage_does_not_give_is_asked_for_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(time, "sleep", lambda _seconds: None)
        shop = Shop(tmp_path)
        shop.put("app-1.0.0.tgz", APP)
        shop.put("web-1.0.0.tgz", package("web"))
        shop.storage.fail("open", Unavailable("503"), key="app-1.0.0.tgz")

        report = shop.build()

        assert (report.set_aside, report.unsettled) == (0, 0)
        assert shop.listed() == ["app 1.0.0", "web 1.0.0"]

    def test_one_that_needs_hands_keeps_no_other_back_and_is_tried_at_the_next_sync(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(time, "sleep", lambda _seconds: None)
        shop = Shop(tmp_path)
        shop.put("app-1.0.0.tgz", APP)
        shop.put("web-1.0.0.tgz", package("web"))
        denied = "cannot read 'app-1.0.0.tgz': Permission denied"
        shop.storage.fail("open", Misconfigured(denied), key="app-1.0.0.tgz", times=None)

        report = shop.build()

        assert [each.message for each in caplog.records if each.levelname == "WARNING"] == [denied]
        assert (report.found, report.set_aside) == (2, 1)
        assert shop.listed() == ["web 1.0.0"]
        shop.storage.heal()
        shop.sync()
        assert shop.listed() == ["app 1.0.0", "web 1.0.0"]

    @pytest.mark.parametrize("key", ["app-2.0.0.tgz", None])
    def test_a_catalog_that_would_lack_what_the_storage_does_not_give_for_now_is_none(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch, key: str | None
    ) -> None:
        monkeypatch.setattr(time, "sleep", lambda _seconds: None)
        for number in range(5):
            shop.publish(package(version=f"{number}.0.0"))
        shop.storage.fail("open", Unavailable("503"), key=key, times=None)

        with pytest.raises(Unavailable, match="503"):
            rebuild(shop)

        shop.storage.heal()
        assert len(shop.listed()) == 5

    def test_a_storage_whose_packages_all_need_hands_builds_no_catalog(self, shop: Shop) -> None:
        for number in range(30):
            shop.publish(package(version=f"1.{number}.0"))
        shop.storage.fail("open", Misconfigured("the key was withdrawn"), times=None)

        with pytest.raises(Unavailable, match="withdrawn"):
            rebuild(shop)

    def test_how_many_are_to_be_read_is_said_where_there_are_any(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        shop = Shop(tmp_path)
        shop.put("app-1.0.0.tgz", APP)
        shop.build()
        assert "building the catalog: 1 package to read" in caplog.text

        known = {record.file: record for record in shop.catalog.records()}
        caplog.clear()
        build(shop.catalog, shop.storage, lambda _tasks: iter(()), remembered=lambda: known)
        assert "to read" not in caplog.text
        assert "the catalog is complete: 1 package," in caplog.text

    def test_a_storage_that_gives_nothing_builds_no_catalog(self, tmp_path: Path) -> None:
        shop = Shop(tmp_path)
        for number in range(30):
            shop.put(f"app-1.{number}.0.tgz", package(version=f"1.{number}.0"))
        shop.storage.fail("open", Unavailable("503"), times=None)

        with pytest.raises(Unavailable, match="503"):
            shop.build()

        assert shop.catalog.needs_rebuild

    def test_a_listing_that_breaks_leaves_things_as_they_were(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.storage.fail("list", Unavailable("broken"))

        with pytest.raises(Unavailable):
            build(shop.catalog, shop.storage, lambda _tasks: iter(()))

        assert shop.listed() == ["app 1.0.0"]

    def test_what_is_remembered_is_used_only_in_the_same_state(self, tmp_path: Path) -> None:
        shop = Shop(tmp_path / "first")
        shop.put("app-1.0.0.tgz", APP)
        shop.put("web-1.0.0.tgz", package("web"))
        shop.put("signed-1.0.0.tgz", package("signed"))
        shop.build()
        known = {record.file: record for record in shop.catalog.records()}
        shop.put("web-1.0.0.tgz", package("web", appVersion="2"))
        shop.put("signed-1.0.0.tgz.prov", provenance(package("signed"), "signed-1.0.0.tgz", name="signed"))
        second = Shop(tmp_path / "second", inner=shop.inner)
        asked: list[str] = []

        def read_many(tasks: object) -> Iterator[PackageRecord | SetAside | None]:
            asked.extend(task.file for task in tasks)  # type: ignore[attr-defined]
            return iter(())

        build(second.catalog, second.storage, read_many, remembered=lambda: known)

        assert sorted(asked) == ["signed-1.0.0.tgz", "web-1.0.0.tgz"]
        assert second.listed() == ["app 1.0.0"]


class TestSync:
    def test_nothing_new_changes_nothing(self, shop: Shop) -> None:
        shop.publish(APP)
        mark = shop.catalog.mark("")
        shop.storage.calls.clear()

        report = shop.sync()

        assert (report.found, report.changed) == (1, 0)
        assert shop.catalog.mark("") == mark
        assert [call.operation for call in shop.storage.calls] == ["list"]

    def test_packages_put_replaced_and_removed_by_hand_are_noticed(self, shop: Shop) -> None:
        for name in ("kept", "replaced", "removed"):
            shop.publish(package(name))
        shop.put("added-1.0.0.tgz", package("added"))
        shop.put("replaced-1.0.0.tgz", package("replaced", appVersion="2"))
        shop.inner.delete("removed-1.0.0.tgz")

        report = shop.sync()

        assert report.changed == 3
        assert shop.listed() == ["added 1.0.0", "kept 1.0.0", "replaced 1.0.0"]
        assert '"2"' in shop.catalog.versions("", "replaced")[0].entry_json

    def test_a_provenance_that_came_or_went_is_noticed(self, shop: Shop) -> None:
        shop.publish(APP)
        shop.put("app-1.0.0.tgz.prov", provenance(APP))
        shop.sync()
        assert shop.catalog.versions("", "app")[0].signed

        shop.inner.delete("app-1.0.0.tgz.prov")
        shop.sync()
        assert not shop.catalog.versions("", "app")[0].signed

    def test_what_was_set_aside_is_read_again_only_when_it_changes(self, shop: Shop) -> None:
        shop.put("app-1.0.0.tgz", b"rubbish")
        shop.sync()
        shop.storage.calls.clear()

        shop.sync()
        assert not [call for call in shop.storage.calls if call.operation == "open"]

        shop.put("app-1.0.0.tgz", APP)
        shop.sync()
        assert shop.listed() == ["app 1.0.0"]
        assert shop.catalog.set_aside() == []

    def test_a_file_that_is_too_young_is_left_alone_for_now(self, shop: Shop) -> None:
        shop.put("app-1.0.0.tgz", APP, published=int(time.time()))

        report = shop.sync()

        assert report.unsettled == 1
        assert shop.listed() == []

    def test_whoever_waits_for_it_gets_the_young_ones_too(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        waited: list[float] = []
        monkeypatch.setattr(time, "sleep", waited.append)
        shop.put("app-1.0.0.tgz", APP, published=int(time.time()))

        sync_now(shop.repositories, Unmeasured())

        assert waited == [2]
        assert shop.listed() == ["app 1.0.0"]

    def test_an_entry_is_not_dropped_because_a_listing_missed_it(self, shop: Shop) -> None:
        shop.publish(APP)

        sync(Repositories(_Forgetful(shop.inner), shop.catalog))

        assert shop.listed() == ["app 1.0.0"]

    def test_one_package_that_cannot_be_had_keeps_no_other_back(self, shop: Shop) -> None:
        shop.put("app-1.0.0.tgz", APP)
        shop.put("web-1.0.0.tgz", package("web"))
        shop.storage.fail("open", Unavailable("503"), key="app-1.0.0.tgz")

        report = shop.sync()
        assert (report.changed, report.unread) == (1, 1)
        assert shop.listed() == ["web 1.0.0"]

        shop.sync()
        assert shop.listed() == ["app 1.0.0", "web 1.0.0"]

    def test_one_package_that_a_fault_of_ours_meets_keeps_no_other_back_and_is_met_once(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        real = Repositories.refresh

        def faulty(
            self: Repositories, repository: str, file: str, *, reread: bool = False
        ) -> PackageRecord | SetAside | None:
            if file == "odd-1.0.0.tgz":
                raise RecursionError("too deep")
            return real(self, repository, file, reread=reread)

        monkeypatch.setattr(Repositories, "refresh", faulty)
        shop.put("odd-1.0.0.tgz", package("odd"))
        shop.put("web-1.0.0.tgz", package("web"))

        shop.sync()
        assert shop.listed() == ["web 1.0.0"]
        assert "nobody foresaw" in shop.catalog.set_aside()[0].reason
        assert "too deep" in caplog.text

        caplog.clear()
        shop.sync()
        assert caplog.text == ""

    def test_a_package_published_beyond_all_calendars_is_served(self, shop: Shop) -> None:
        shop.put("app-1.0.0.tgz", APP, published=999_999_999_999)
        shop.sync()

        assert shop.listed() == ["app 1.0.0"]
        assert shop.fetch() == APP

    def test_an_upload_during_the_listing_is_no_work_for_it(self, shop: Shop) -> None:
        shop.clock.now = time.time()
        uploading = _During(shop.inner, lambda: shop.publish(APP))

        report = sync(Repositories(uploading, shop.catalog))

        assert (report.found, report.changed, report.unsettled) == (1, 0, 0)

    def test_only_one_at_a_time_and_the_other_waits(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = iter([0.0, 100.0, 200.0])
        monkeypatch.setattr(time, "monotonic", lambda: next(clock, 300.0))
        with shop.catalog.sync_lock() as ours:
            assert ours
            with pytest.raises(CatalogUnavailable, match="another sync"):
                sync_now(shop.repositories, Unmeasured())


class _Forgetful:
    """A storage whose listing lacks everything."""

    def __init__(self, inner: Storage) -> None:
        self._inner = inner

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        return iter(())

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


class _During(_Forgetful):
    """A storage in whose listing something happens before it begins."""

    def __init__(self, inner: Storage, happens: object) -> None:
        super().__init__(inner)
        self._happens = happens

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        self._happens()  # type: ignore[operator]
        return self._inner.list(prefix)
