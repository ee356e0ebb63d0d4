"""What was published last: in its order, bounded, and for whoever may read it."""

from chartrepo.catalog import Catalog, PackageRecord
from tests.support.catalogs import NOW, build, package, record


def stocked(catalog: Catalog) -> None:
    for number, (repository, name, version) in enumerate(
        [
            ("a", "web", "2.0.0"),
            ("b", "app", "1.0.0"),
            ("a", "web", "1.0.0"),
            ("", "app", "1.0.0"),
            ("a", "db", "1.0.0"),
        ]
    ):
        record(catalog, package(name, version, repository=repository, created=NOW - 10 + number // 2))


def names(records: list[PackageRecord]) -> list[str]:
    return [f"{each.repository}/{each.name}-{each.version}" for each in records]


LATEST = ["a/db-1.0.0", "a/web-1.0.0", "/app-1.0.0", "b/app-1.0.0", "a/web-2.0.0"]


def test_the_latest_come_first(catalog: Catalog) -> None:
    stocked(catalog)
    browsing = catalog.browsing
    assert names(browsing.latest(10)) == LATEST
    assert names(browsing.latest(2)) == LATEST[:2]
    assert names(browsing.latest(10, repository="a")) == ["a/db-1.0.0", "a/web-1.0.0", "a/web-2.0.0"]
    assert names(browsing.latest(10, repository="")) == ["/app-1.0.0"]
    assert names(browsing.latest_of_chart("a", "web", 1)) == ["a/web-1.0.0"]
    assert browsing.latest(10, repository="\0") == browsing.latest_of_chart("a", "\0", 1) == []


def test_who_reads_some_gets_those_and_as_many(catalog: Catalog) -> None:
    stocked(catalog)
    browsing = catalog.browsing
    assert names(browsing.latest(2, readable=lambda _, chart: chart == "app")) == ["/app-1.0.0", "b/app-1.0.0"]
    assert names(browsing.latest(9, repository="a", readable=lambda _, chart: chart != "web")) == ["a/db-1.0.0"]
    assert browsing.latest(9, readable=lambda *_: False) == []


def test_who_reads_little_gets_it_from_behind_a_thousand_others(catalog: Catalog) -> None:
    others = [package("web", f"1.0.{number}", repository="b", created=NOW) for number in range(1_200)]
    build(catalog, *others, package("app", created=NOW - 1), package("app", "2.0.0", created=NOW - 9))
    found = catalog.browsing.latest(5, readable=lambda repository, _: repository == "")
    assert names(found) == ["/app-1.0.0", "/app-2.0.0"]


def test_what_all_is_at_changes_with_every_change_and_with_nothing_else(catalog: Catalog) -> None:
    browsing = catalog.browsing
    empty = browsing.stamp(), browsing.stamp("a")
    assert [each.changed_at for each in empty] == [0, 0]
    stocked(catalog)
    all_, one, other = browsing.stamp(), browsing.stamp("a"), browsing.stamp("b")
    assert all_ == browsing.stamp() != empty[0]
    record(catalog, package("new", repository="c"))
    assert browsing.stamp().revision > all_.revision
    record(catalog, package("new", repository="a"))
    assert browsing.stamp("a").revision > one.revision
    assert browsing.stamp("b") == other
