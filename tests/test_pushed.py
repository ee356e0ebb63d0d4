"""What was pushed is in the storage: a catalog that is built, synced or remembered answers as the one before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chartrepo import layout
from chartrepo.building import build
from chartrepo.catalog import ManifestRecord
from chartrepo.core import oci
from chartrepo.reading import read_many
from chartrepo.snapshot import Snapshot
from storage.memory import MemoryStorage
from tests.support.oci_contents import Bundle, Content, artifact, digest_of
from tests.support.packages import package
from tests.support.pushes import (
    APP,
    NEWER,
    find,
    manifest_of,
    names,
    pull,
    push,
    push_bundle,
    put_blob,
    referrers,
    tags,
)
from tests.support.repositories import Shop, provenance
from tests.support.site import Site


def folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(folder(tmp_path / "first"))
    shop.build()
    return shop


@pytest.fixture
def site(shop: Shop) -> Site:
    return Site(shop)


@pytest.fixture
def anew(shop: Shop, tmp_path: Path) -> Callable[[], Site]:
    """A server with a catalog that was built from the storage alone."""

    def start() -> Site:
        other = Shop(folder(tmp_path / "second"), shop.inner)
        other.build()
        return Site(other)

    return start


def about(site: Site, name: str, reference: str, **fields: Any) -> Bundle:
    """An artifact about a manifest."""
    subject = Content(site.get(f"/v2/{name}/manifests/{reference}").data, oci.IMAGE_MANIFEST)
    return artifact(subject=subject.described(), **fields)


def fill(site: Site) -> list[str]:
    """Push one of everything, and give all references."""
    push(site, "team/app", APP, "1.0.0", "latest", signature=provenance(APP), created="first")
    push(site, "team/app", APP, "1.0.0", created="second")
    push(site, "team/app", package(version="2.0.0"), "edge")
    push(site, "other", APP, "1.0.0", "x")
    site.upload(package("web"), "/api/team/charts")
    signature = about(site, "team/app", "1.0.0", annotations={"a": "ü"})
    push_bundle(site, "team/app", signature)
    push_bundle(site, "team/web", about(site, "team/web", "1.0.0"), "sbom")
    site.delete("/v2/other/manifests/x")
    return [
        "1.0.0",
        "latest",
        "edge",
        "sbom",
        "x",
        signature.digest,
        *(manifest_of(APP, created=c).digest for c in "ab"),
    ]


def answers(site: Site, references: list[str]) -> dict[str, Any]:
    """All that a client can find out."""
    found: dict[str, Any] = {"names": names(site)}
    for name in found["names"]:
        found[f"{name} tags"] = tags(site, name)
        for reference in references:
            digest = find(site, name, reference)
            found[f"{name} {reference}"] = digest
            found[f"{name} {reference} referrers"] = referrers(site, name, digest) if digest else None
    return found


def manifests(shop: Shop) -> set[ManifestRecord]:
    return set(shop.catalog.artifacts.all_manifests())


def test_a_catalog_that_is_built_anew_answers_the_same(site: Site, shop: Shop, anew: Callable[[], Site]) -> None:
    references = fill(site)
    before = answers(site, references)
    assert before["names"] == ["other", "team/app", "team/web"]
    assert before["team/app tags"] == ["1.0.0", "edge", "latest"]
    assert len(before["team/app 1.0.0 referrers"]) == 1
    other = anew()
    assert answers(other, references) == before
    assert manifests(other.shop) == manifests(shop)
    assert sorted(other.shop.catalog.artifacts.all_needs()) == sorted(shop.catalog.artifacts.all_needs())
    assert set(other.shop.catalog.artifacts.all_tags()) == set(shop.catalog.artifacts.all_tags())


def test_a_sync_has_nothing_to_look_at_where_nothing_changed(site: Site, shop: Shop) -> None:
    fill(site)
    assert shop.sync().changed == 0


class TestHandsInTheStorage:
    def test_what_they_bring_is_there_after_a_sync(self, site: Site, shop: Shop, tmp_path: Path) -> None:
        references = fill(site)
        empty = Shop(folder(tmp_path / "second"), MemoryStorage())
        empty.build()
        other = Site(empty)
        for info in shop.inner.list():
            with shop.inner.open(info.key) as reader:
                empty.put(info.key, reader.read())
        empty.sync()
        assert answers(other, references) == answers(site, references)
        assert empty.sync().changed == 0

    def test_what_they_take_is_gone_after_a_sync(self, site: Site, shop: Shop) -> None:
        fill(site)
        for info in list(shop.inner.list("_oci/")):
            shop.inner.delete(info.key)
        shop.sync()
        assert names(site) == ["team/app", "team/web"]
        assert tags(site, "team/app") == ["1.0.0"]
        assert manifests(shop) == set()
        assert pull(site, "team/app", "1.0.0")[:2] == (APP, provenance(APP))

    def test_a_tag_that_they_turn_is_followed_after_a_sync(self, site: Site, shop: Shop) -> None:
        first, second = artifact(), artifact()
        push_bundle(site, "app", first, "latest")
        push_bundle(site, "app", second)
        shop.put(layout.tag_key("app", "latest"), f'{{"manifest": "{second.digest}"}}'.encode())
        shop.sync()
        assert find(site, "app", "latest") == second.digest
        site.delete(f"/v2/app/manifests/{second.digest}")
        assert tags(site, "app") == []

    def test_a_package_that_they_take_out_of_the_blobs_hides_its_manifest(self, site: Site, shop: Shop) -> None:
        push(site, "other", APP, "1.0.0")
        shop.inner.delete(layout.blob_key("other", oci.parse_digest(digest_of(APP))))
        shop.sync()
        assert names(site) == []
        assert find(site, "other", "1.0.0") == ""


GARBAGE = {
    "a manifest of other bytes": layout.manifest_key("app", oci.digest_of(b"nothing")),
    "a manifest whose name is no digest": "_oci/app/_manifests/sha256/README",
    "a manifest with a suffix": layout.manifest_key("app", oci.digest_of(b"nothing")) + ".bak",
    "a tag that is none": "_oci/app/_tags/latest~",
    "a tag that is far too long": "_oci/app/_tags/" + "x" * 200,
    "a blob whose name is no digest": "_oci/app/_blobs/sha256/README",
    "a name with capitals": "_oci/App/_tags/latest",
    "no name": "_oci/_tags/latest",
    "an algorithm that nobody knows": "_oci/app/_manifests/md5/00",
    "a file": "_oci/README",
    "a folder too deep": "_oci/app/_manifests/sha256/a/b",
}


class TestGarbage:
    @pytest.mark.parametrize("what", [*GARBAGE])
    @pytest.mark.parametrize("content", ["nonsense", "a manifest", "a tag"])
    def test_it_stops_nothing_and_is_not_served(
        self, site: Site, shop: Shop, anew: Callable[[], Site], what: str, content: str
    ) -> None:
        good = artifact()
        push_bundle(site, "app", good, "good")
        contents = {
            "nonsense": b"\xff nonsense",
            "a manifest": good.manifest.data,
            "a tag": f'{{"manifest": "{good.digest}"}}'.encode(),
        }
        key = GARBAGE[what]
        shop.put(key, contents[content])
        shop.sync()
        for each in (site, anew()):
            assert names(each) == ["app"]
            assert tags(each, "app") == ["good"]
            assert find(each, "app", "good") == good.digest
            assert find(each, "app", str(oci.digest_of(b"nothing"))) == ""
        assert manifests(site.shop) == {record for record in manifests(shop) if record.digest == good.digest}

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"nonsense",
            b"[]",
            b'"x"',
            b"{}",
            b'{"manifest": 5}',
            b'{"manifest": "md5:00"}',
            b"\xff",
            b"[" * 4000,
            b'{"manifest": "sha256:%s", "package": "../x"}' % (b"a" * 64),
        ],
        ids=range(10),
    )
    def test_a_tag_that_says_nothing_is_none(
        self, site: Site, shop: Shop, anew: Callable[[], Site], content: bytes
    ) -> None:
        shop.publish(APP)
        push(site, "app", APP, "1.0.0", "latest")
        for tag in ("1.0.0", "latest", "new"):
            shop.put(layout.tag_key("app", tag), content)
        shop.sync()
        for each in (site, anew()):
            assert pull(each, "app", "1.0.0").package == APP
            assert find(each, "app", "new") == find(each, "app", "latest") == ""
        assert push(site, "app", APP, "1.0.0", "latest").status_code == 201
        assert find(site, "app", "latest") == manifest_of(APP).digest

    def test_a_manifest_that_hands_change_is_not_served_under_its_digest(self, site: Site, shop: Shop) -> None:
        push(site, "app", APP, "1.0.0", "latest")
        other = manifest_of(APP, created="later")
        key = layout.manifest_key("app", oci.parse_digest(manifest_of(APP).digest))
        for content in (other.data, b"nonsense", b""):
            shop.put(key, content)
            assert find(site, "app", manifest_of(APP).digest) == find(site, "app", "latest") == ""
            assert pull(site, "app", "1.0.0").package == APP

    def test_pushing_it_again_mends_it(self, site: Site, shop: Shop) -> None:
        push(site, "app", APP, "1.0.0")
        shop.put(layout.manifest_key("app", oci.parse_digest(manifest_of(APP).digest)), b"nonsense")
        assert push(site, "app", APP, "1.0.0").status_code == 201
        assert find(site, "app", manifest_of(APP).digest) == manifest_of(APP).digest


class TestSnapshot:
    def test_it_gives_manifests_and_tags_back_so_that_none_is_read(
        self, site: Site, shop: Shop, tmp_path: Path
    ) -> None:
        references = fill(site)
        snapshot = Snapshot(shop.state, shop.catalog, folder=tmp_path / "snapshots")
        snapshot.write()
        other = Shop(folder(tmp_path / "second"), shop.inner, shop.state)
        read = Snapshot(shop.state, other.catalog, folder=tmp_path / "snapshots").read
        build(
            other.catalog,
            other.storage,
            lambda tasks: read_many(lambda: other.storage, tasks, tell_failures=True),
            remembered=read,
        )
        assert not [call for call in other.storage.calls if call.operation == "open"]
        assert answers(Site(other), references) == answers(site, references)
        assert manifests(other) == manifests(shop)

    def test_an_old_one_is_not_believed(self, site: Site, shop: Shop, tmp_path: Path) -> None:
        first, second = artifact(), artifact()
        push_bundle(site, "app", first, "latest", "gone")
        Snapshot(shop.state, shop.catalog, folder=tmp_path / "snapshots").write()
        push_bundle(site, "app", second, "latest")
        site.delete("/v2/app/manifests/gone")
        push(site, "other", APP, "x")
        put_blob(site, "app", NEWER)
        other = Shop(folder(tmp_path / "second"), shop.inner, shop.state)
        read = Snapshot(shop.state, other.catalog, folder=tmp_path / "snapshots").read
        build(other.catalog, other.storage, lambda _tasks: iter(()), remembered=read)
        assert find(Site(other), "app", "latest") == second.digest
        assert tags(Site(other), "app") == ["latest"]
        assert tags(Site(other), "other") == ["x"]
