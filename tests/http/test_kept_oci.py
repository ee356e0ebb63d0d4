"""Answers of the OCI side that are at hand are given only while they would be the same."""

from pathlib import Path

import pytest

from chartrepo import layout
from chartrepo.catalog import PackageRecord
from chartrepo.core import oci
from chartrepo.registry import Blobs
from storage.local import LocalStorage
from tests.support.oci_contents import artifact, digest_of
from tests.support.processes import eventually
from tests.support.pushes import (
    APP,
    NEWER,
    blob,
    find,
    manifest_of,
    pull,
    push,
    push_bundle,
    put_blob,
    said,
)
from tests.support.repositories import NOW, Shop, provenance
from tests.support.site import Site

TAG = "/v2/app/manifests/1.0.0"
BLOB = f"/v2/app/blobs/{digest_of(APP)}"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path, LocalStorage(tmp_path / "data"), LocalStorage(tmp_path / "state"))
    shop.inner.check()
    shop.state.check()
    shop.build()
    shop.clock.now = NOW - 100
    return shop


def keep(site: Site, path: str) -> None:
    """GET something until it is at hand: the folder of the catalog has to be quiet for a moment."""
    asked = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": ""}
    eventually(
        lambda: site.get(path).status_code == 200 and site.app.at_hand(asked) is not None, what=f"{path} is at hand"
    )


def pushed() -> str:
    return f"/v2/app/manifests/{manifest_of(APP).digest}"


class TestTheSame:
    @pytest.mark.parametrize("path", [TAG, pushed(), BLOB, f"/v2/app/blobs/{digest_of(b'{}')}"])
    def test_what_is_at_hand_is_what_was_given(self, site: Site, shop: Shop, path: str) -> None:
        push(site, "app", APP, "1.0.0")
        first = site.get(path)
        keep(site, path)
        opened = len(shop.storage.calls)
        again = site.get(path)
        assert len(shop.storage.calls) == opened
        assert (again.data, again.status_code) == (first.data, 200)
        assert {**again.headers, "X-Request-Id": ""} == {**first.headers, "X-Request-Id": ""}
        head = site.head(path)
        assert (head.data, head.headers["Content-Length"]) == (b"", str(len(first.data)))
        assert head.headers["Docker-Content-Digest"] == first.headers["Docker-Content-Digest"]

    def test_a_condition_and_a_range_are_heeded(self, site: Site) -> None:
        push(site, "app", APP, "1.0.0")
        keep(site, TAG)
        keep(site, BLOB)
        assert site.get(TAG, If_None_Match=site.get(TAG).headers["ETag"]).status_code == 304
        assert site.get(BLOB, Range="bytes=0-3").data == APP[:4]


class TestWhatChanges:
    def test_a_deleted_version_is_gone_at_once_by_tag_by_digest_and_its_blobs(self, site: Site) -> None:
        push(site, "app", APP, "1.0.0")
        for path in (TAG, pushed(), BLOB):
            keep(site, path)
        assert site.delete("/api/charts/app/1.0.0").status_code == 200
        for path in (TAG, pushed(), BLOB):
            assert site.get(path).status_code == site.head(path).status_code == 404

    def test_a_replaced_version_is_the_new_one_at_once(self, site: Site, shop: Shop) -> None:
        push(site, "app", APP, "1.0.0")
        for path in (TAG, pushed(), BLOB):
            keep(site, path)
        shop.publish(NEWER, force=True)
        assert pull(site, "app", "1.0.0").package == NEWER
        for path in (pushed(), BLOB):
            assert site.get(path).status_code == site.head(path).status_code == 404

    def test_a_version_that_is_pushed_again_has_the_new_manifest_at_once(self, site: Site, shop: Shop) -> None:
        shop.publish(APP)
        keep(site, TAG)
        for created in ("first", "second"):
            push(site, "app", APP, "1.0.0", created=created)
            assert find(site, "app", "1.0.0") == manifest_of(APP, created=created).digest
            keep(site, TAG)

    def test_a_provenance_that_arrives_is_seen_at_once(self, site: Site, shop: Shop) -> None:
        shop.publish(APP)
        before = find(site, "app", "1.0.0")
        keep(site, TAG)
        shop.repositories.publish_provenance("", provenance(APP))
        assert find(site, "app", "1.0.0") not in {"", before}
        assert find(site, "app", before) == before

    def test_a_provenance_that_arrives_while_the_manifest_is_made_is_seen_at_once(
        self, site: Site, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop.publish(APP)
        before = find(site, "app", "1.0.0")
        look_up = Blobs.package

        def late(self: Blobs, name: oci.Name, digest: str) -> PackageRecord | None:
            found = look_up(self, name, digest)
            if found is not None and not found.signed:
                shop.repositories.publish_provenance("", provenance(APP))
            return found

        keep(site, "/v2/app/manifests/" + before)  # the folder is quiet
        monkeypatch.setattr(Blobs, "package", late)
        site.get(TAG)
        monkeypatch.undo()
        assert pull(site, "app", "1.0.0").provenance == provenance(APP)

    def test_a_deleted_tag_manifest_and_blob_of_an_artifact_are_gone_at_once(self, site: Site) -> None:
        bundle = artifact()
        push_bundle(site, "app", bundle, "x")
        content = bundle.blobs[1].digest
        paths = [f"/v2/app/manifests/{bundle.digest}", f"/v2/app/blobs/{content}"]
        for path in paths:
            keep(site, path)
        assert site.get("/v2/app/manifests/x").status_code == 200
        assert site.delete("/v2/app/manifests/x").status_code == 202
        assert find(site, "app", "x") == ""
        assert site.delete(paths[0]).status_code == 202
        assert site.delete(paths[1]).status_code == 202
        for path in paths:
            assert site.get(path).status_code == site.head(path).status_code == 404

    def test_a_tag_that_moves_is_followed_at_once(self, site: Site) -> None:
        for bundle in (artifact(), artifact()):
            push_bundle(site, "app", bundle, "x")
            assert find(site, "app", "x") == bundle.digest

    def test_a_condemned_blob_is_there_for_no_push_at_once(self, site: Site, shop: Shop) -> None:
        bundle = artifact()
        push_bundle(site, "app", bundle)
        data = bundle.blobs[0].data
        digest = put_blob(site, "app", data)
        keep(site, f"/v2/app/blobs/{digest}")
        shop.put(layout.condemned_key("app", oci.parse_digest(digest)), b"")
        assert site.head(f"/v2/app/blobs/{digest}").status_code == 404
        assert put_blob(site, "app", data) == digest
        assert blob(site, "app", digest) == data

    def test_what_hands_do_in_the_folder_is_seen_at_once(self, site: Site, tmp_path: Path) -> None:
        push(site, "app", APP, "1.0.0")
        bundle = artifact()
        push_bundle(site, "app", bundle)
        path = f"/v2/app/manifests/{bundle.digest}"
        for each in (TAG, BLOB, path):
            keep(site, each)
        (tmp_path / "data" / layout.manifest_key("app", oci.parse_digest(bundle.digest))).unlink()
        assert site.get(path).status_code == 404
        (tmp_path / "data/app-1.0.0.tgz").unlink()
        assert site.get(BLOB).status_code == 404
        assert find(site, "app", "1.0.0") == ""  # as in an index: from when somebody has looked for the package

    def test_what_is_at_hand_needs_the_credential_all_the_same(self, shop: Shop) -> None:
        open_site = Site(shop)
        push(open_site, "app", APP, "1.0.0")
        site = Site(shop, basic_auth_user="ada", basic_auth_password="secret")
        login = {"Authorization": "Basic YWRhOnNlY3JldA=="}
        asked = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": TAG,
            "QUERY_STRING": "",
            "HTTP_AUTHORIZATION": login["Authorization"],
        }
        eventually(
            lambda: site.get(TAG, **login).status_code == 200 and site.app.at_hand(asked) is not None, what="at hand"
        )
        assert said(site.get(TAG)) == (401, "UNAUTHORIZED")
