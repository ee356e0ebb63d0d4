"""What pages show of a repository, in both engines: the right rows, in their order, so many at a time."""

from dataclasses import replace

import pytest

from chartrepo.catalog import Catalog, ManifestRecord, TagRecord, Withheld
from chartrepo.catalog.shelves import ArtifactStatus
from chartrepo.core.oci import Name
from tests.support.catalogs import aside, build, package, record


@pytest.fixture(params=["recorded", "built"])
def full(request: pytest.FixtureRequest, unbuilt: Catalog) -> Catalog:
    """Three repositories: recorded one by one, or built at once."""
    records = [
        package("root"),
        package("web", "1.0.0", repository="a", digest="11" * 32),
        package("web", "2.0.0-rc.1", repository="a", digest="12" * 32),
        package("web", "1.10.0", repository="a", digest="13" * 32),
        package("db", "1.0.0-rc.1", repository="a", digest="14" * 32),
        package("db", "1.0.0-rc.2", repository="a", digest="15" * 32),
        package("web", "3.0.0", repository="a/b", digest="16" * 32),
        aside("bad-1.0.0.tgz", repository="a"),
        aside("worse-1.0.0.tgz", repository="a/b"),
    ]
    if request.param == "built":
        build(unbuilt, *records)
    else:
        build(unbuilt)
        record(unbuilt, *records)
    return unbuilt


def test_repositories_come_in_their_order_the_root_first(full: Catalog) -> None:
    shelves = full.shelves
    assert [
        (each.name, each.charts, each.versions, each.size) for each in shelves.repositories(after=None, limit=9)
    ] == [
        ("", 1, 1, 1000),
        ("a", 2, 5, 5000),
        ("a/b", 1, 1, 1000),
    ]
    assert [each.name for each in shelves.repositories(after=None, limit=2)] == ["", "a"]
    assert [each.name for each in shelves.repositories(after="", limit=2)] == ["a", "a/b"]
    assert [each.name for each in shelves.repositories(after="a", limit=2)] == ["a/b"]
    assert shelves.repositories(after="a\0", limit=2) == []


def test_one_repository_has_its_sums(full: Catalog) -> None:
    found = full.shelves.repository("a")
    assert found is not None
    assert (found.charts, found.versions, found.size) == (2, 5, 5000)
    assert full.shelves.repository("nowhere") is None
    assert full.shelves.repository("") is not None


def test_the_newest_of_several_charts_are_those_that_helm_installs(full: Catalog) -> None:
    found = full.shelves.newest("a", ["web", "db", "nothing"])
    assert {name: each.version for name, each in found.items()} == {"web": "1.10.0", "db": "1.0.0-rc.2"}
    assert found["web"] == full.browsing.newest("a", "web")
    assert full.shelves.newest("a", []) == {}
    assert full.shelves.newest("a", ["\0"]) == {}


def test_set_aside_are_those_of_one_repository(full: Catalog) -> None:
    assert [each.file for each in full.shelves.set_aside("a", limit=9)] == ["bad-1.0.0.tgz"]
    assert full.shelves.set_aside("nowhere", limit=9) == []
    assert full.shelves.count_set_aside() == (2, 0)
    hidden = replace(aside("hidden-1.0.0.tgz", repository="a"), policies="x")
    waits = Withheld("a", "w-1.0.0.tgz", "state-1", "no", "x", "w", "1.0.0", "17" * 32, 5, 1, None)
    record(full, hidden, waits)
    assert full.shelves.count_set_aside() == (2, 2)
    assert len(full.shelves.set_aside("a", limit=2)) == 2


def manifest(name: str, digest: str, *, subject: str | None = None, needs: tuple[str, ...] = ()) -> ManifestRecord:
    return ManifestRecord(name, digest, "application/json", 10, subject, "x/y", "{}", None, loose=False, needs=needs)


def test_artifacts_are_what_is_no_chart_and_in_no_deeper_repository(catalog: Catalog) -> None:
    record(catalog, package("web", repository="a"))
    for name in ("a/web", "a/notes", "a/notes_2", "a_b/notes", "a/b/notes", "top", "b/other", "a/zeta"):
        with catalog.artifacts.holding(name) as held:
            for number in range(2):
                held.put_manifest(manifest(name, f"sha256:{number}"))
            held.put_tag(TagRecord(name, "v1", "sha256:0", None, None, "state"))
    of_chart = replace(manifest("a/pushed", "sha256:0"), chart="99" * 32)
    with catalog.artifacts.holding("a/pushed") as held:
        held.put_manifest(of_chart)

    def found(repository: str, after: str = "", limit: int = 9) -> list[str]:
        return [each.name for each in catalog.shelves.artifacts(repository, after=after, limit=limit)]

    assert found("a") == ["notes", "notes_2", "zeta"]
    assert found("a", limit=2) == ["notes", "notes_2"]
    assert found("a", after="notes_2") == ["zeta"]
    assert found("a_b") == ["notes"]
    assert found("") == ["top"]
    assert catalog.shelves.artifacts("a", after="", limit=1) == [ArtifactStatus("notes", 2, 1)]


def test_tags_are_told_with_their_manifests_and_others_without(catalog: Catalog) -> None:
    name = Name("a", "notes")
    with catalog.artifacts.holding(name.path) as held:
        for record_ in (
            manifest(name.path, "sha256:0"),
            manifest(name.path, "sha256:1", needs=("sha256:2",)),
            manifest(name.path, "sha256:2"),
            manifest(name.path, "sha256:3", subject="sha256:0"),
            manifest(name.path, "sha256:4"),
        ):
            held.put_manifest(record_)
        for tag, digest in (("v2", "sha256:1"), ("v1", "sha256:0"), ("latest", "sha256:1")):
            held.put_tag(TagRecord(name.path, tag, digest, None, None, "state"))
    tagged = catalog.shelves.tagged(name, after="", limit=9)
    assert [(each.tag, each.manifest.digest) for each in tagged] == [
        ("latest", "sha256:1"),
        ("v1", "sha256:0"),
        ("v2", "sha256:1"),
    ]
    assert [each.tag for each in catalog.shelves.tagged(name, after="latest", limit=1)] == ["v1"]
    assert [each.digest for each in catalog.shelves.untagged(name, limit=9)] == ["sha256:4"]
