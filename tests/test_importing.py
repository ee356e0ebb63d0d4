"""Importing packages: what is taken, what is refused, and what happens when it does not go on."""

import hashlib
import io
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import pytest

from chartrepo import importing
from chartrepo.catalog import PackageRecord
from chartrepo.core.errors import CatalogUnavailable
from chartrepo.importing import Outcome, Report, Result, import_packages
from chartrepo.sources import Item, SourceError, Stored
from storage.base import ANYWAY, NoSpace, Storage, Unavailable
from storage.memory import MemoryStorage
from tests.support import packages
from tests.support.packages import package
from tests.support.repositories import Shop, provenance

THEN = 1_600_000_000
LINK_IN_IT = packages.archive(
    [("app/Chart.yaml", packages.chart_yaml()), ("app/templates/x.yaml", packages.Link("/etc/passwd"))]
)
"""Helm loads it; an upload of it is refused."""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.build()
    return shop


@pytest.fixture
def old() -> Storage:
    """The storage that is imported."""
    return MemoryStorage()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "_PAUSES", (0.0,) * 3)


def put(old: Storage, key: str, data: bytes, *, published: int = THEN) -> None:
    old.put(key, data, condition=ANYWAY, published=published)


@dataclass
class Watched(Stored):
    """A source that remembers what was fetched from it."""

    storage: Storage
    near: bool = True
    fetched: list[str] = field(default_factory=list)
    when_fetching: Callable[[Item], object] = lambda _item: None

    def __post_init__(self) -> None:
        super().__init__(self.storage, near=self.near)

    def fetch(self, item: Item, into: BinaryIO) -> int | None:
        self.fetched.append(item.place)
        self.when_fetching(item)
        return super().fetch(item, into)


def bring(shop: Shop, source: Stored | Storage, *, to: str = "", jobs: int = 2) -> Report:
    """Import all that a source has."""
    source = source if isinstance(source, Stored) else Stored(source, near=True)
    report = Report()
    for outcome in import_packages(source.items(), source, shop.repositories, to=to, jobs=jobs, spool=shop.folder):
        report.add(outcome)
    return report


def counts(report: Report) -> dict[str, int]:
    return {result.value: number for result, number in report.counts.items()}


def record(shop: Shop, name: str = "app", repository: str = "") -> PackageRecord:
    return shop.catalog.versions(repository, name)[0]


class TestWhatIsThere:
    def test_is_taken_byte_by_byte_with_its_time(self, shop: Shop, old: Storage) -> None:
        put(old, "app-1.0.0.tgz", package())
        assert counts(bring(shop, old)) == {"imported": 1}
        assert shop.fetch() == package()
        assert record(shop).created == THEN
        assert shop.storage.stat("app-1.0.0.tgz").published == THEN

    def test_keeps_its_provenance(self, shop: Shop, old: Storage) -> None:
        put(old, "app-1.0.0.tgz", package())
        put(old, "app-1.0.0.tgz.prov", provenance(package()))
        bring(shop, old)
        assert shop.fetch_provenance() == provenance(package())

    def test_stays_in_its_repository_below_the_one_that_was_named(self, shop: Shop, old: Storage) -> None:
        put(old, "app-1.0.0.tgz", package())
        put(old, "org/team/lib-1.0.0.tgz", package("lib"))
        bring(shop, old, to="old/charts")
        assert [each.name for each in shop.catalog.repositories()] == ["old/charts", "old/charts/org/team"]

    def test_gets_the_name_that_its_chart_asks_for(self, shop: Shop, old: Storage) -> None:
        put(old, "latest.tgz", package())
        assert counts(bring(shop, old)) == {"imported": 1}
        assert shop.fetch("app-1.0.0.tgz") == package()

    def test_is_nothing_but_packages(self, shop: Shop, old: Storage) -> None:
        for key in ("index.yaml", "index-cache.yaml", "app-1.0.0.tgz.prov", "README.md", "team/values.yaml"):
            put(old, key, b"something")
        assert counts(bring(shop, old)) == {}

    def test_is_taken_when_it_is_larger_than_memory_should_hold(
        self, shop: Shop, old: Storage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(importing, "_IN_MEMORY", 10)
        put(old, "app-1.0.0.tgz", package())
        assert counts(bring(shop, old)) == {"imported": 1}
        assert shop.fetch() == package()


class TestASecondRun:
    def test_fetches_nothing_again(self, shop: Shop, old: Storage) -> None:
        for name in ("one", "two"):
            put(old, f"{name}-1.0.0.tgz", package(name))
        bring(shop, old)
        source = Watched(old)
        assert counts(bring(shop, source)) == {"there already": 2}
        assert source.fetched == []

    def test_fetches_nothing_from_a_bucket_whose_etags_are_digests(self, shop: Shop, old: Storage) -> None:
        put(old, "app-1.0.0.tgz", package())
        bring(shop, old)
        (item,) = Stored(old, near=False).items()
        for md5, fetched in ((hashlib.md5(package()).hexdigest(), []), ("0" * 32, ["app-1.0.0.tgz"])):
            source = Watched(old, near=False)
            assert _one(shop, source, replace(item, md5=md5)).result is Result.PRESENT
            assert source.fetched == fetched

    def test_takes_what_came_meanwhile(self, shop: Shop, old: Storage) -> None:
        put(old, "one-1.0.0.tgz", package("one"))
        bring(shop, old)
        put(old, "two-1.0.0.tgz", package("two"))
        assert counts(bring(shop, old)) == {"there already": 1, "imported": 1}

    def test_brings_the_provenance_that_the_first_died_before(self, shop: Shop, old: Storage) -> None:
        put(old, "app-1.0.0.tgz", package())
        bring(shop, old)
        put(old, "app-1.0.0.tgz.prov", provenance(package()))
        assert counts(bring(shop, old)) == {"imported": 1}
        assert shop.fetch_provenance() == provenance(package())

    def test_finishes_what_lies_in_storage_and_not_in_the_catalog(self, shop: Shop, old: Storage) -> None:
        put(old, "app-1.0.0.tgz", package())
        put(old, "app-1.0.0.tgz.prov", provenance(package()))
        shop.put("app-1.0.0.tgz", package(), published=THEN)
        assert counts(bring(shop, old)) == {"imported": 1}
        assert record(shop).signed


class TestNothingIsReplaced:
    def test_by_other_bytes(self, shop: Shop, old: Storage) -> None:
        shop.publish()
        put(old, "app-1.0.0.tgz", package(description="another"))
        report = bring(shop, old)
        assert counts(report) == {"refused": 1}
        assert report.problems == [
            (
                "app-1.0.0.tgz",
                "app-1.0.0.tgz is there already, with other bytes: delete one of the two, or import it elsewhere",
            )
        ]
        assert shop.fetch() == package()

    def test_by_other_bytes_of_which_only_fetching_tells(self, shop: Shop, old: Storage) -> None:
        shop.publish()
        put(old, "app-1.0.0.tgz", package(description="another"))
        assert counts(bring(shop, Watched(old, near=False))) == {"refused": 1}
        assert shop.fetch() == package()

    def test_by_the_second_of_two_files_that_hold_one_version(self, shop: Shop, old: Storage) -> None:
        put(old, "a.tgz", package())
        put(old, "b.tgz", package(description="another"))
        assert counts(bring(shop, old, jobs=1)) == {"imported": 1, "refused": 1}
        assert shop.fetch() == package()

    def test_and_the_same_bytes_twice_are_no_conflict(self, shop: Shop, old: Storage) -> None:
        put(old, "a.tgz", package())
        put(old, "b.tgz", package())
        assert counts(bring(shop, old, jobs=1)) == {"imported": 1, "there already": 1}

    def test_by_another_chart_whose_package_has_the_same_name(self, shop: Shop, old: Storage) -> None:
        shop.publish(package("a", "1-2.0"))
        put(old, "a-1-2.0.tgz", package("a-1", "2.0"))
        report = bring(shop, old)
        assert counts(report) == {"refused": 1}


class TestWhatIsRefused:
    def test_is_told_with_the_reason_and_harms_nothing_else(self, shop: Shop, old: Storage) -> None:
        put(old, "app-1.0.0.tgz", package())
        put(old, "bad/bad-1.0.0.tgz", b"no package")
        report = bring(shop, old)
        assert counts(report) == {"imported": 1, "refused": 1}
        ((place, reason),) = report.problems
        assert place == "bad/bad-1.0.0.tgz"
        assert "gzip" in reason

    def test_is_a_folder_that_cannot_be_a_repository(self, shop: Shop, old: Storage) -> None:
        put(old, "api/app-1.0.0.tgz", package())
        ((place, reason),) = bring(shop, old).problems
        assert place == "api/app-1.0.0.tgz"
        assert "choose another name" in reason

    def test_is_not_what_helm_accepts_though_an_upload_would_be(self, shop: Shop, old: Storage) -> None:
        put(old, "app-1.0.0.tgz", LINK_IN_IT)
        report = bring(shop, old)
        assert counts(report) == {"imported": 1}
        assert report.problems == []
        assert [place for place, _ in report.warnings] == ["app-1.0.0.tgz"]
        assert record(shop).warnings == tuple(warning for _, warning in report.warnings)

    def test_is_not_what_its_source_lists_oddly(self, shop: Shop, old: Storage) -> None:
        put(old, "app-1.0.0.tgz", package())
        source = Stored(old, near=True)
        odd = replace(source.items()[0], warning="odd")
        for warnings in (("odd",), ()):  # the second time it is there
            assert _one(shop, source, odd).warnings == warnings
        assert record(shop).warnings == ()

    def test_is_a_provenance_of_other_bytes_but_not_its_package(self, shop: Shop, old: Storage) -> None:
        put(old, "app-1.0.0.tgz", package())
        put(old, "app-1.0.0.tgz.prov", provenance(b"other bytes"))
        report = bring(shop, old)
        assert counts(report) == {"imported": 1}
        assert [place for place, _ in report.problems] == ["app-1.0.0.tgz.prov"]
        assert shop.fetch() == package()
        assert not record(shop).signed

    def test_is_told_again_of_a_package_that_is_there(self, shop: Shop, old: Storage) -> None:
        put(old, "app-1.0.0.tgz", package())
        put(old, "app-1.0.0.tgz.prov", b"none")
        bring(shop, old)
        assert [place for place, _ in bring(shop, old).problems] == ["app-1.0.0.tgz.prov"]


class TestFailures:
    def test_of_one_package_are_told_and_the_others_are_imported(self, shop: Shop, old: Storage) -> None:
        def fail(item: Item) -> None:
            if item.file.startswith("one"):
                raise SourceError("the server answers 500")

        for name in ("one", "two"):
            put(old, f"{name}-1.0.0.tgz", package(name))
        report = bring(shop, Watched(old, when_fetching=fail))
        assert counts(report) == {"imported": 1, "failed": 1}
        assert report.problems == [("one-1.0.0.tgz", "the server answers 500")]

    def test_are_a_package_that_vanishes_from_the_source(self, shop: Shop, old: Storage) -> None:
        put(old, "app-1.0.0.tgz", package())
        source = Watched(old, when_fetching=lambda item: old.delete(item.place))
        assert counts(bring(shop, source)) == {"failed": 1}

    def test_of_the_storage_that_pass_are_waited_for(self, shop: Shop, old: Storage) -> None:
        put(old, "app-1.0.0.tgz", package())
        shop.storage.fail("put", Unavailable("it is away"), times=2)
        assert counts(bring(shop, old)) == {"imported": 1}

    def test_of_the_storage_that_stay_end_the_import(self, shop: Shop, old: Storage) -> None:
        put(old, "app-1.0.0.tgz", package())
        shop.storage.fail("put", Unavailable("it is away"), times=None)
        with pytest.raises(Unavailable, match="it is away"):
            bring(shop, old)

    def test_for_want_of_space_end_it_at_once(self, shop: Shop, old: Storage) -> None:
        for number in range(100):
            put(old, f"app-1.0.{number}.tgz", package("app", f"1.0.{number}"))
        source = Watched(old)
        shop.storage.fail("put", NoSpace("the disk is full"), times=None)
        with pytest.raises(NoSpace):
            bring(shop, source)
        assert len(source.fetched) < 100

    def test_of_the_catalog_that_stay_end_it(self, shop: Shop, old: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
        put(old, "app-1.0.0.tgz", package())
        for file in shop.folder.glob("catalog*"):
            file.unlink()
        with pytest.raises(CatalogUnavailable):
            bring(shop, old)


def test_closing_it_ends_it_after_what_is_under_way(shop: Shop, old: Storage) -> None:
    for number in range(100):
        put(old, f"app-1.0.{number}.tgz", package("app", f"1.0.{number}"))
    source = Watched(old)
    outcomes = import_packages(source.items(), source, shop.repositories, to="", jobs=2, spool=shop.folder)
    with closing(outcomes):
        assert next(outcomes).result is Result.IMPORTED
    fetched = len(source.fetched)
    assert fetched < 100
    assert len(shop.catalog.versions("", "app")) == fetched
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("import")] == []


def test_it_may_race_with_uploads_of_the_same_packages(shop: Shop, old: Storage) -> None:
    """The upload comes after the import has looked whether the package is there."""
    put(old, "app-1.0.0.tgz", package())
    put(old, "lib-1.0.0.tgz", package("lib"))

    def upload(item: Item) -> None:
        data = package() if item.file.startswith("app") else package("lib", description="another")
        shop.repositories.publish("", io.BytesIO(data))

    report = bring(shop, Watched(old, when_fetching=upload))
    assert counts(report) == {"there already": 1, "refused": 1}
    assert [place for place, _ in report.problems] == ["lib-1.0.0.tgz"]


def _one(shop: Shop, source: Stored, item: Item) -> Outcome:
    (outcome,) = import_packages([item], source, shop.repositories, to="", jobs=1, spool=shop.folder)
    return outcome
