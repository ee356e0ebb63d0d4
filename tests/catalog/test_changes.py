"""Revisions, and what changed since one."""

from contextlib import closing
from dataclasses import replace

import pytest

from chartrepo.catalog import Catalog, Entry, Mark
from chartrepo.core.index import Form
from tests.support.catalogs import NOW, Place, aside, build, package, record, remove


def changed(catalog: Catalog, since: Mark | None, repository: str = "") -> dict[str, list[str]]:
    with catalog.changes(repository, since, Form.JSON) as changes:
        return {name: [entry.version for entry in entries] for name, entries in changes.charts}


def test_a_repository_that_never_held_anything_is_at_revision_0(catalog: Catalog) -> None:
    assert catalog.mark("nothing").revision == 0
    with catalog.changes("nothing", None, Form.JSON) as changes:
        assert (changes.mark, changes.changed_at) == (catalog.mark("nothing"), 0)
        assert list(changes.charts) == []


def test_a_change_moves_the_mark_of_its_repository_only(catalog: Catalog) -> None:
    record(catalog, package(repository="a"))
    before = catalog.mark("a"), catalog.mark("b")
    record(catalog, package(repository="b"))
    assert catalog.mark("a") == before[0]
    assert catalog.mark("b") != before[1]


def test_the_first_reading_gives_everything(catalog: Catalog) -> None:
    one = package()
    record(catalog, one, package("b"), package("other", repository="team"))
    with catalog.changes("", None, Form.YAML) as changes:
        assert changes.whole
        assert changes.mark == catalog.mark("")
        assert changes.changed_at == NOW
        charts = dict(changes.charts)
    assert list(charts) == ["app", "b"]
    assert charts["app"] == [Entry("1.0.0", one.file, NOW, stable=True, text=one.entry_yaml)]


def test_a_changed_chart_comes_with_all_its_versions_and_no_other_comes(catalog: Catalog) -> None:
    record(catalog, package(), package("b"))
    since = catalog.mark("")
    record(catalog, package(version="2.0.0"))
    with catalog.changes("", since, Form.JSON) as changes:
        assert not changes.whole
        assert [(name, [entry.version for entry in entries]) for name, entries in changes.charts] == [
            ("app", ["2.0.0", "1.0.0"])
        ]


def test_nothing_changed_since_now(catalog: Catalog) -> None:
    record(catalog, package())
    assert changed(catalog, catalog.mark("")) == {}


def test_a_chart_whose_last_version_went_comes_without_versions(catalog: Catalog) -> None:
    record(catalog, package(), package("b"))
    since = catalog.mark("")
    remove(catalog, package())
    assert changed(catalog, since) == {"app": []}
    assert changed(catalog, None) == {"b": ["1.0.0"]}


def test_a_chart_that_went_and_came_back_comes_with_its_versions(catalog: Catalog) -> None:
    record(catalog, package())
    since = catalog.mark("")
    remove(catalog, package())
    record(catalog, package(version="2.0.0"))
    assert changed(catalog, since) == {"app": ["2.0.0"]}


def test_a_package_that_is_set_aside_leaves_its_chart(catalog: Catalog) -> None:
    record(catalog, package(), package(version="2.0.0"))
    since = catalog.mark("")
    record(catalog, aside("app-1.0.0.tgz"))
    assert changed(catalog, since) == {"app": ["2.0.0"]}


def test_a_file_that_becomes_another_charts_changes_both(catalog: Catalog) -> None:
    record(catalog, package("a", "1-2.0.0"), package("a", "1.0.0"))
    since = catalog.mark("")
    record(catalog, package("a-1", "2.0.0"))
    assert changed(catalog, since) == {"a": ["1.0.0"], "a-1": ["2.0.0"]}


def test_recording_what_is_known_changes_nothing(catalog: Catalog) -> None:
    record(catalog, package(), aside())
    before = catalog.mark("")
    record(catalog, package(), aside())
    remove(catalog, package("unknown"))
    assert catalog.mark("") == before


def test_a_signature_moves_its_chart_for_the_search_and_not_the_time_of_the_index(unbuilt: Catalog) -> None:
    build(unbuilt, package(created=NOW - 100))
    since = unbuilt.mark("")
    record(unbuilt, package(created=NOW - 100, provenance_state="p", signed=True))
    with unbuilt.changes("", since, Form.JSON) as changes:
        assert [name for name, _ in changes.charts] == ["app"]
        assert changes.changed_at == NOW - 100


@pytest.mark.parametrize("others", [{"state": "state-2"}, {"provenance_state": "p"}, {"warnings": ("a warning",)}])
def test_what_no_index_shows_moves_the_mark_and_changes_no_chart(unbuilt: Catalog, others: dict[str, object]) -> None:
    build(unbuilt, package(created=NOW - 100))
    since = unbuilt.mark("")
    record(unbuilt, replace(package(created=NOW - 100), **others))
    assert unbuilt.mark("").revision == since.revision + 1
    with unbuilt.changes("", since, Form.JSON) as changes:
        assert list(changes.charts) == []
        assert changes.changed_at == NOW - 100


def test_the_time_of_the_last_change_is_that_of_a_deletion_too(unbuilt: Catalog) -> None:
    build(unbuilt, package(created=NOW - 100), package("b", created=NOW - 50))
    with unbuilt.changes("", None, Form.JSON) as changes:
        assert changes.changed_at == NOW - 50
    remove(unbuilt, package())
    with unbuilt.changes("", None, Form.JSON) as changes:
        assert changes.changed_at == NOW


def test_a_mark_of_another_catalog_gives_everything(catalog: Catalog) -> None:
    record(catalog, package())
    since = catalog.mark("")
    build(catalog, package("b"))
    with catalog.changes("", since, Form.JSON) as changes:
        assert changes.whole
        assert changes.mark.catalog != since.catalog
        assert [name for name, _ in changes.charts] == ["b"]


def test_a_mark_from_the_future_gives_everything(catalog: Catalog) -> None:
    """A database was put back to an older state: its revisions will come a second time, for other content."""
    record(catalog, package())
    now = catalog.mark("")
    assert changed(catalog, now._replace(revision=now.revision + 1)) == {"app": ["1.0.0"]}


def test_a_clock_that_is_set_back_takes_no_index_back(place: Place) -> None:
    times = iter([NOW, NOW + 50, NOW - 50, NOW + 60])
    with closing(place.open(clock=lambda: next(times))) as catalog:
        build(catalog)
        seen = []
        for number in range(3):
            record(catalog, package(version=f"{number}.0.0"))
            with catalog.changes("", None, Form.JSON) as changes:
                seen.append(changes.changed_at)
    assert seen == [NOW + 50, NOW + 50, NOW + 60]


def test_an_index_that_is_built_anew_did_not_change_in_time_to_come(catalog: Catalog) -> None:
    build(catalog, package(created=NOW + 10**9), package("old", repository="team", created=NOW - 10))
    assert {each.name: each.changed_at for each in catalog.repositories()} == {"": NOW, "team": NOW - 10}


def test_all_that_is_read_at_once_is_of_one_revision(catalog: Catalog) -> None:
    names = [f"chart-{number:03d}" for number in range(150)]
    build(catalog, *(package(name) for name in names))
    with catalog.changes("", None, Form.JSON) as changes:
        first = next(changes.charts)
        record(catalog, package(names[-1], "2.0.0"), package("zzz"))
        remove(catalog, package(names[-2]))
        rest = dict(changes.charts)
    assert list(rest) == names[1:]
    assert first[0] == names[0]
    assert [entry.version for entry in rest[names[-1]]] == ["1.0.0"]
    assert [entry.version for entry in rest[names[-2]]] == ["1.0.0"]
    assert changed(catalog, changes.mark) == {names[-2]: [], names[-1]: ["2.0.0", "1.0.0"], "zzz": ["1.0.0"]}
