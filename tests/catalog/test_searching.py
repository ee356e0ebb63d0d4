"""Charts are published, made findable, and found: in each engine."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from chartrepo.catalog.documents import Changed
from chartrepo.core.made_manifests import metadata_of
from chartrepo.core.search import Document, Taken, document
from chartrepo.findable import Findable
from chartrepo.searching import LAST, Deprecated, Found, Query, Search, Sort
from storage.base import Unavailable
from tests.support.catalogs import Place, build
from tests.support.packages import chart_yaml, package
from tests.support.repositories import NOW, Shop, provenance


@pytest.fixture
def shop(place: Place, tmp_path: Path) -> Shop:
    shop = Shop(tmp_path, database=place.url)
    shop.build()
    return shop


def publish(shop: Shop, name: str = "app", version: str = "1.0.0", *, repository: str = "", **others: object) -> bytes:
    files = others.pop("files", None)
    data = package(name, version, files=files, **others)  # type: ignore[arg-type]  # what a test says it is
    shop.publish(data, repository=repository)
    return data


def find(shop: Shop, text: str = "", **query: object) -> Found:
    return Search(shop.catalog).find(Query(text, **query), None)  # type: ignore[arg-type]  # as a test says


def names(found: Found) -> list[str]:
    return [hit.name for hit in found.hits]


def test_a_chart_is_found_by_its_name_its_keywords_its_description_and_its_readme_in_this_order(shop: Shop) -> None:
    publish(shop, "d-last", files={"README.md": "Works well with *Redis*, see https://redis.example"})
    publish(shop, "c-third", description="A client of redis")
    publish(shop, "b-second", keywords=["Redis"])
    publish(shop, "my-redis")
    publish(shop, "redis-cluster")
    publish(shop, "redis")
    publish(shop, "other", files={"README.md": "https://redis.example"})
    shop.make_findable()
    assert names(find(shop, "redis")) == ["redis", "redis-cluster", "my-redis", "b-second", "c-third", "d-last"]
    assert names(find(shop, "redi")) == ["redis", "redis-cluster", "my-redis", "b-second", "c-third", "d-last"]
    assert names(find(shop, "REDIS clu")) == ["redis-cluster"]
    assert names(find(shop, "redi cluster")) == []
    assert names(find(shop, "rediscl")) == ["redis-cluster"]


def test_the_newest_version_is_what_is_found_and_shown(shop: Shop) -> None:
    publish(shop, version="1.0.0", description="old words", appVersion="7")
    publish(
        shop, version="2.0.0", description="new words", appVersion="8", annotations={"artifacthub.io/license": "MIT"}
    )
    publish(shop, version="3.0.0-rc.1", description="strange words")
    publish(shop, "fresh", version="1.0.0-rc.1")
    shop.make_findable()
    found = find(shop, "words")
    assert [(hit.version, hit.app_version, hit.licence, hit.prerelease) for hit in found.hits] == [
        ("2.0.0", "8", "MIT", False)
    ]
    assert (names(find(shop, "strange")), names(find(shop, "old"))) == ([], [])
    assert [hit.prerelease for hit in find(shop, "fresh").hits] == [True]
    shop.repositories.delete("", "app", "2.0.0")
    shop.make_findable()
    assert (names(find(shop, "old")), names(find(shop, "new"))) == (["app"], [])


def test_a_chart_that_is_gone_is_not_found_from_that_moment_on(shop: Shop) -> None:
    publish(shop)
    publish(shop, "app-two")
    shop.make_findable()
    shop.repositories.delete("", "app", "1.0.0")
    assert (names(find(shop)), find(shop).facets.repositories[0].count) == (["app-two"], 1)
    shop.make_findable()
    assert names(find(shop)) == ["app-two"]
    shop.repositories.delete("", "app-two", "1.0.0")
    shop.make_findable()
    publish(shop)
    shop.make_findable()
    assert names(find(shop)) == ["app"]


def test_a_signature_that_comes_later_counts(shop: Shop) -> None:
    data = publish(shop, keywords=["one"], files={"crds/one.yaml": "kind: CustomResourceDefinition"})
    publish(shop, "other")
    shop.make_findable()
    assert find(shop, signed=True).total == 0
    shop.repositories.publish_provenance("", provenance(data))
    shop.storage.calls.clear()
    shop.make_findable()
    assert [call for call in shop.storage.calls if call.operation == "open"] == []
    found = find(shop, signed=True)
    assert [(hit.name, hit.signed, hit.crds, hit.keywords) for hit in found.hits] == [("app", True, True, ("one",))]
    assert find(shop, "one", crds=True).facets.signed == 1


@pytest.mark.parametrize(
    "text",
    [
        '"', "'", '"unbalanced', "*", "a*", "-app", "AND", "app AND", "NEAR(app, 5)", "app NOT x", "{name}: app",
        "^app", "app:*", "app & | !", "\\", "%", "_", "\0app\0", "👍", "\ud800", "x" * 10_000, "app " * 5_000,
        "a.b.c/d@e#f",
        "'); DROP TABLE documents; --", "база 北京 データ", "ﷺ" * 500, "(", ")", "+app", "app\n\tapp", "0", "1e5",
        "-1.5e-3",
    ],
)  # fmt: skip
def test_nothing_that_is_typed_is_a_mistake(shop: Shop, text: str) -> None:
    publish(shop, description="база 北京 データ 0 1e5")
    shop.make_findable()
    found = find(shop, text)
    assert found.total <= 1
    assert find(shop, "1e5").total == 1
    assert find(shop, "北").total == find(shop, "баз").total == 1


def test_a_typo_is_mended_by_names_and_keywords_where_nothing_else_is_found(shop: Shop) -> None:
    publish(shop, "redis-cluster", keywords=["database"], description="reddit")
    publish(shop, "rediz")
    shop.make_findable()
    assert find(shop, "rediss cluster").searched == "redis cluster"
    mended = find(shop, "databse")
    assert (names(mended), mended.searched, mended.mended) == (["redis-cluster"], "database", True)
    exact = find(shop, "databse", exact=True)
    assert (exact.total, exact.searched, exact.mended) == (0, "databse", False)
    assert not find(shop, "reddi").mended
    assert find(shop, "nothing like it").total == 0
    assert not find(shop, "databse", signed=True).hits
    assert find(shop, "redis nonsense").total == 0
    shop.repositories.delete("", "redis-cluster", "1.0.0")
    shop.make_findable()
    assert find(shop, "databse").total == 0
    assert find(shop, "redix").searched == "rediz"


def test_only_what_may_be_read_is_found_counted_and_meant(shop: Shop) -> None:
    publish(shop, "redis", repository="secret", keywords=["hidden"], type="library")
    publish(shop, "redit", repository="open", keywords=["seen"])
    shop.make_findable()
    search = Search(shop.catalog)

    def readable(repository: str, _chart: str) -> bool:
        return repository == "open"

    found = search.find(Query(), readable)
    assert (names(found), found.total) == (["redit"], 1)
    assert [choice.value for choice in found.facets.repositories] == ["open"]
    assert [choice.value for choice in (*found.facets.keywords, *found.facets.types)] == ["seen", "application"]
    assert search.find(Query("rediss"), readable).searched == "rediss"
    assert search.find(Query("redis"), readable).searched == "redit"
    assert search.find(Query("redis"), lambda *_: False).total == 0
    publish(shop, "late", repository="secret")
    assert search.find(Query(), readable).progress.indexed is None
    assert search.find(Query(), None).progress.indexed == 2


@pytest.mark.parametrize("path", ["crds/x.yaml", "templates/crds/x.yaml", "charts/sub/crds/x.yaml"])
def test_charts_bring_definitions_wherever_those_lie(shop: Shop, path: str) -> None:
    publish(shop, "one", files={"charts/sub/Chart.yaml": chart_yaml("sub", "0.0.0"), path: "a"})
    publish(shop, "two", files={"templates/crds.yaml": "a", "crds/README.md": "a", "docs/crds/x.yaml": "a"})
    shop.make_findable()
    assert names(find(shop, crds=True)) == ["one"]


def test_filters_and_what_each_of_them_would_find(shop: Shop) -> None:
    publish(shop, "one", repository="a", keywords=["db", "sql"], annotations={"artifacthub.io/license": "MIT"})
    publish(shop, "two", repository="b", keywords=["DB"], type="library")
    publish(shop, "three", repository="b", files={"crds/x.yaml": "a", "values.yaml": "image: x\n"})
    publish(shop, "four", repository="b", deprecated=True, keywords=["db"])
    shop.make_findable()
    assert names(find(shop, sort=Sort.NAME)) == ["one", "three", "two"]
    assert names(find(shop, deprecated=Deprecated.ONLY)) == ["four"]
    assert find(shop, deprecated=Deprecated.SHOWN).total == 4
    assert names(find(shop, keywords=("db",))) == ["one", "two"]
    assert names(find(shop, keywords=("DB", "sql"))) == ["one"]
    assert names(find(shop, keywords=("d",))) == []
    assert names(find(shop, types=("library",))) == ["two"]
    assert names(find(shop, licences=("MIT",))) == ["one"]
    assert names(find(shop, crds=True)) == names(find(shop, images=True)) == ["three"]
    facets = find(shop, repositories=("b",)).facets
    assert {choice.value: choice.count for choice in facets.repositories} == {"b": 2, "a": 1}
    assert {choice.value: choice.count for choice in facets.keywords} == {"db": 1}
    assert {choice.value: choice.count for choice in facets.types} == {"application": 1, "library": 1}
    assert (facets.crds, facets.images, facets.signed, facets.deprecated, facets.licences) == (1, 1, 0, 1, ())


def test_pages_and_orders(shop: Shop) -> None:
    for number in range(5):
        shop.clock.now = NOW + (number * 7) % 5
        publish(shop, f"app-{number}")
    shop.make_findable()
    assert names(find(shop, "app", size=2, page=2)) == ["app-2", "app-3"]
    assert names(find(shop, "app", size=2, page=3)) == ["app-4"]
    assert names(find(shop, sort=Sort.NEWEST)) == ["app-2", "app-4", "app-1", "app-3", "app-0"]
    assert (names(find(shop, page=9)), find(shop, page=9).total) == ([], 5)
    assert (names(find(shop, page=LAST)), find(shop, page=10**15).total) == ([], 5)


def test_what_cannot_be_read_is_found_by_its_chart_yaml(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    publish(shop, "broken", description="words of it", files={"README.md": "manual"})
    publish(shop, "whole", files={"README.md": "manual"})
    shop.storage.fail("open", Unavailable("no"), key="broken-1.0.0.tgz", times=None)
    findable = Findable(shop.repositories)
    for _ in range(3):
        with suppress(Unavailable):
            findable.work()
    shop.make_findable()
    assert names(find(shop, "manual")) == ["whole"]
    assert names(find(shop, "words")) == ["broken"]
    assert "broken-1.0.0.tgz is found by its Chart.yaml alone" in caplog.text


# ---- who makes them


class _Slow:
    """A clock on which any work takes a second."""

    def __init__(self) -> None:
        self._ticks = count()

    def __call__(self) -> float:
        return float(next(self._ticks))


def test_a_slice_of_time_ends_and_the_next_one_goes_on(shop: Shop) -> None:
    for number in range(5):
        publish(shop, f"app-{number}", repository=f"team-{number % 2}")
    findable = Findable(shop.repositories, clock=_Slow())
    seen: list[int] = []
    while shop.is_behind():
        findable.work()
        seen.append(find(shop).total)
    assert seen[:5] == [1, 2, 3, 4, 5]
    found = find(shop)
    assert not found.progress.behind


def test_while_it_is_behind_a_search_says_how_far_it_is(shop: Shop) -> None:
    for number in range(3):
        publish(shop, f"app-{number}")
    assert find(shop).progress.behind
    Findable(shop.repositories, clock=_Slow()).work()
    progress = find(shop).progress
    assert (progress.behind, progress.indexed, progress.charts) == (True, 1, 3)
    shop.make_findable()
    assert not find(shop).progress.behind


def test_a_catalog_that_is_built_anew_is_made_findable_anew(shop: Shop) -> None:
    publish(shop, "redis", keywords=["cache"])
    shop.make_findable()
    build(shop.catalog, *list(shop.catalog.records()))
    assert find(shop).total == 0
    shop.make_findable()
    assert names(find(shop, "cache")) == names(find(shop, "cahe")) == ["redis"]


def test_what_was_made_of_a_catalog_that_was_replaced_is_not_written(shop: Shop) -> None:
    publish(shop)
    due = shop.catalog.documents.due(10)
    made: list[tuple[Changed, Document | None]] = [(changed, None) for changed in due.charts]
    build(shop.catalog, *list(shop.catalog.records()))
    shop.catalog.documents.write(due, made)
    shop.make_findable()
    assert names(find(shop)) == ["app"]


def test_nothing_is_made_while_the_catalog_is_built(shop: Shop) -> None:
    publish(shop)
    with shop.catalog.rebuilding():
        Findable(shop.repositories).work()


def test_one_does_it_at_a_time(shop: Shop, place: Place) -> None:
    publish(shop)
    other = place.open()
    with other.documents.making() as ours:
        assert ours
        Findable(shop.repositories).work()
        assert shop.is_behind()
    other.close()
    shop.make_findable()
    assert names(find(shop)) == ["app"]


def _make_and_die(place: Place) -> None:
    """Die with a document written and not committed."""
    catalog = place.open()
    due = catalog.documents.due(10)

    def made() -> Iterator[tuple[Changed, Document | None]]:
        changed = due.charts[0]
        assert changed.newest is not None
        said = metadata_of(changed.newest.entry_json)
        yield changed, document(said, repository="", created=1, signed=False, stable=True, taken=Taken())
        os.kill(os.getpid(), signal.SIGKILL)

    catalog.documents.write(due, made())  # type: ignore[arg-type]  # one that never ends


def test_who_is_killed_in_between_leaves_nothing_half_done(shop: Shop, place: Place) -> None:
    publish(shop, keywords=["cache"])
    process = multiprocessing.get_context("spawn").Process(target=_make_and_die, args=(place,))
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    assert (shop.is_behind(), find(shop).total) == (True, 0)
    shop.make_findable()
    assert names(find(shop, "cahe")) == ["app"]
