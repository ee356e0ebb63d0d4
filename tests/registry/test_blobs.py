"""Blobs: the parts of packages, and what lies by itself."""

import pytest

from chartrepo import layout
from chartrepo.core import oci
from chartrepo.core.oci import Name
from chartrepo.registry import Blobs
from tests.support.oci_contents import artifact, digest_of
from tests.support.pushes import (
    APP,
    blob,
    find,
    json_of,
    message,
    push,
    push_bundle,
    put_blob,
    put_manifest,
    referrers,
    said,
    tags,
)
from tests.support.repositories import Shop, provenance
from tests.support.site import Site

SIGNATURE = provenance(APP)


def parts(site: Site, name: str, reference: str = "1.0.0") -> list[str]:
    """The digests of config and layers."""
    document = json_of(site.get(f"/v2/{name}/manifests/{reference}"))
    return [each["digest"] for each in (document["config"], *document["layers"])]


def mount(site: Site, name: str, digest: str, source: str = "") -> int:
    query = f"mount={digest}" + (f"&from={source}" if source else "")
    return site.ask("POST", f"/v2/{name}/blobs/uploads/?{query}").status_code


class TestPartsOfPackages:
    def test_config_package_and_provenance_of_an_upload_are_blobs(self, site: Site, shop: Shop) -> None:
        shop.publish(APP, SIGNATURE, repository="team")
        found = [blob(site, "team/app", digest) for digest in parts(site, "team/app")]
        assert {APP, SIGNATURE} < {*found}
        assert b'{"name":"app"' in b"".join(each for each in found if each is not None)
        assert [info.key for info in shop.inner.list("_oci/")] == []

    def test_no_other_name_has_them(self, site: Site, shop: Shop) -> None:
        shop.publish(APP, repository="team")
        for name in ("app", "team/web", "other/app"):
            assert blob(site, name, digest_of(APP)) is None

    @pytest.mark.parametrize("pushed", [True, False], ids=["pushed", "uploaded"])
    def test_they_cannot_be_deleted(self, site: Site, shop: Shop, pushed: bool) -> None:
        if pushed:
            push(site, "app", APP, "1.0.0", signature=SIGNATURE)
        else:
            shop.publish(APP, SIGNATURE)
        for digest in parts(site, "app"):
            answer = site.delete(f"/v2/app/blobs/{digest}")
            assert said(answer) == (405, "UNSUPPORTED")
            assert digest in message(answer)
            assert blob(site, "app", digest) is not None

    def test_a_range_of_a_package_is_given(self, site: Site, shop: Shop) -> None:
        shop.publish(APP)
        answer = site.get(f"/v2/app/blobs/{digest_of(APP)}", Range="bytes=2-5")
        assert (answer.status_code, answer.data) == (206, APP[2:6])

    def test_sha512_of_a_package_names_none(self, site: Site, shop: Shop) -> None:
        shop.publish(APP)
        assert said(site.get(f"/v2/app/blobs/{digest_of(APP, 'sha512')}")) == (404, "BLOB_UNKNOWN")


class TestDeleting:
    def test_one_that_a_manifest_needs_stays(self, site: Site) -> None:
        bundle = artifact()
        push_bundle(site, "app", bundle, "x")
        digest = bundle.blobs[1].digest
        answer = site.delete(f"/v2/app/blobs/{digest}")
        assert said(answer) == (405, "UNSUPPORTED")
        assert message(answer) == f"the manifest {bundle.digest} needs the blob {digest}: delete that one first"
        assert site.delete(f"/v2/app/manifests/{bundle.digest}").status_code == 202
        assert site.delete(f"/v2/app/blobs/{digest}").status_code == 202
        assert blob(site, "app", digest) is None

    def test_with_it_goes_the_mark_of_a_condemned_one(self, site: Site, shop: Shop) -> None:
        digest = put_blob(site, "app", b"loose")
        shop.put(layout.condemned_key("app", oci.parse_digest(digest)), b"")
        assert site.delete(f"/v2/app/blobs/{digest}").status_code == 202
        assert [info.key for info in shop.inner.list("_oci/")] == []


class TestMounting:
    @pytest.mark.parametrize("source", ["team/app", ""], ids=["from", "from anywhere"])
    def test_a_package_can_be_had_from_where_it_is_published(self, site: Site, shop: Shop, source: str) -> None:
        shop.publish(APP, SIGNATURE, repository="team")
        for digest in parts(site, "team/app"):
            assert mount(site, "prod/app", digest, source) == 201
            assert blob(site, "prod/app", digest) == blob(site, "team/app", digest)

    def test_a_chart_is_promoted_without_sending_its_bytes(self, site: Site, shop: Shop) -> None:
        shop.publish(APP, SIGNATURE, repository="team")
        manifest = site.get("/v2/team/app/manifests/1.0.0")
        for digest in parts(site, "team/app"):
            assert mount(site, "prod/app", digest, "team/app") == 201
        answer = site.ask("PUT", "/v2/prod/app/manifests/1.0.0", data=manifest.data)
        assert answer.status_code == 201
        assert shop.listed("prod") == ["app 1.0.0"]
        assert site.get("/prod/charts/app-1.0.0.tgz.prov").data == SIGNATURE
        assert find(site, "prod/app", "1.0.0") == find(site, "team/app", "1.0.0")

    def test_what_nobody_has_begins_an_upload(self, site: Site) -> None:
        assert mount(site, "app", digest_of(b"nothing"), "team/app") == 202
        assert mount(site, "app", digest_of(b"nothing")) == 202

    def test_what_is_condemned_is_not_mounted(self, site: Site, shop: Shop) -> None:
        digest = put_blob(site, "other", b"loose")
        shop.put(layout.condemned_key("other", oci.parse_digest(digest)), b"")
        assert mount(site, "app", digest, "other") == 202
        assert mount(site, "other", digest, "other") == 202


def test_a_condemned_blob_is_there_for_no_manifest_that_needs_it(site: Site, shop: Shop) -> None:
    bundle = artifact()
    for content in bundle.all_blobs():
        put_blob(site, "app", content.data)
    digest = bundle.blobs[1].digest
    shop.put(layout.condemned_key("app", oci.parse_digest(digest)), b"")
    assert site.head(f"/v2/app/blobs/{digest}").status_code == 404
    assert said(put_manifest(site, "app", bundle.manifest, "x")) == (400, "MANIFEST_BLOB_UNKNOWN")
    put_blob(site, "app", bundle.blobs[1].data)
    assert put_manifest(site, "app", bundle.manifest, "x").status_code == 201


def test_a_package_of_this_chart_alone_is_found_by_its_digest(shop: Shop) -> None:
    shop.publish(APP, repository="team")
    blobs, digest = Blobs(shop.repositories), digest_of(APP).removeprefix("sha256:")
    assert blobs.package(Name("team", "app"), digest) is not None
    assert blobs.package(Name("team", "web"), digest) is None
    assert blobs.package(Name("", "app"), digest) is None


@pytest.mark.parametrize("last", ["%00", "%ff", "z"])
def test_a_list_can_begin_behind_anything(site: Site, last: str) -> None:
    push(site, "app", APP, "1.0.0")
    digest = find(site, "app", "1.0.0")
    assert referrers(site, "app", digest) == {}
    for path in ("_catalog", "app/tags/list", f"app/referrers/{digest}"):
        assert site.get(f"/v2/{path}?last={last}").status_code == 200
    assert tags(site, "app") == ["1.0.0"]
