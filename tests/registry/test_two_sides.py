"""What one side does to what lies on the other: provenance, aliases, artifacts, and who needs what."""

import json

import pytest

from chartrepo.core import oci
from chartrepo.repository import Repositories
from tests.registry.test_manifests import SIGNATURE, holding, keys
from tests.support.oci_contents import Content, artifact, digest_of, index
from tests.support.packages import package
from tests.support.pushes import (
    APP,
    NEWER,
    blob,
    find,
    manifest_of,
    message,
    pull,
    push,
    push_bundle,
    put_blob,
    put_manifest,
    said,
    send_parts,
    tags,
)
from tests.support.repositories import Shop
from tests.support.site import Site

PACKAGE = "/api/charts/app/1.0.0"
OTHER_SIGNATURE = SIGNATURE + b"\n"


class TestProvenance:
    def test_one_that_is_uploaded_after_a_push_is_pulled_too(self, site: Site) -> None:
        push(site, "app", APP, "1.0.0")
        pushed = find(site, "app", "1.0.0")
        assert site.upload(SIGNATURE, "/api/prov").status_code == 201
        assert pull(site, "app", "1.0.0").provenance == SIGNATURE
        assert pull(site, "app", pushed).provenance is None

    def test_another_one_for_the_same_package_is_refused_as_on_the_classic_side(self, site: Site) -> None:
        push(site, "app", APP, "1.0.0", signature=SIGNATURE)
        answer = push(site, "app", APP, "1.0.0", signature=OTHER_SIGNATURE)
        assert said(answer) == (409, "DENIED")
        assert site.get("/charts/app-1.0.0.tgz.prov").data == SIGNATURE

    def test_the_same_one_again_is_taken(self, site: Site) -> None:
        push(site, "app", APP, "1.0.0", signature=SIGNATURE)
        assert push(site, "app", APP, "1.0.0", signature=SIGNATURE, created="later").status_code == 201

    def test_one_that_is_replaced_stays_with_the_manifest_that_was_pushed_with_it(self, site: Site) -> None:
        site.send_form(chart=APP, prov=SIGNATURE)
        push(site, "app", APP, "1.0.0", signature=SIGNATURE)
        pushed = find(site, "app", "1.0.0")
        site.send_form("/api/prov?force", prov=OTHER_SIGNATURE)
        site.send_form("/api/charts?force", prov=OTHER_SIGNATURE)
        assert pull(site, "app", pushed).provenance == SIGNATURE
        assert pull(site, "app", "1.0.0").provenance == OTHER_SIGNATURE


class TestAliases:
    def test_a_package_that_is_uploaded_after_an_alias_of_it_lies_once(self, site: Site, shop: Shop) -> None:
        push(site, "app", APP, "latest")
        site.upload(APP)
        assert holding(shop, APP) == {"app-1.0.0.tgz"}
        assert pull(site, "app", "latest").package == APP

    def test_it_goes_with_the_version_then(self, site: Site, shop: Shop) -> None:
        push(site, "app", APP, "latest")
        site.upload(APP)
        site.delete(PACKAGE)
        assert find(site, "app", "latest") == ""
        assert tags(site, "app") is None
        assert holding(shop, APP) == set()

    def test_nothing_that_was_pushed_for_a_deleted_version_comes_back_with_its_bytes(
        self, site: Site, shop: Shop
    ) -> None:
        push(site, "app", APP, "1.0.0", "latest")
        site.delete(PACKAGE)
        assert not [key for key in keys(shop, "_oci/") if "/_tags/" in key or "/_manifests/" in key]
        site.upload(APP)
        assert tags(site, "app") == ["1.0.0"]

    def test_what_was_pushed_goes_with_its_version_though_the_blob_was_not_tidied_up_yet(self, site: Site) -> None:
        push(site, "app", APP, "1.0.0", "latest")
        pushed = find(site, "app", "1.0.0")
        put_blob(site, "app", APP)
        site.delete(PACKAGE)
        assert find(site, "app", pushed) == find(site, "app", "latest") == ""
        assert push(site, "app", APP, "1.0.0").status_code == 201

    def test_what_was_pushed_for_a_replaced_package_goes_with_it(self, site: Site, shop: Shop) -> None:
        push(site, "app", APP, "1.0.0", "latest")
        assert site.upload(package(values="other: 1\n"), "/api/charts?force").status_code == 201
        assert tags(site, "app") == ["1.0.0"]
        assert not [key for key in keys(shop, "_oci/") if "/_tags/" in key or "/_manifests/" in key]

    def test_the_tag_of_an_artifact_does_not_come_back_when_a_version_of_that_name_goes(self, site: Site) -> None:
        push_bundle(site, "app", artifact(), "1.0.0")
        site.upload(APP)
        assert site.delete("/v2/app/manifests/1.0.0").status_code == 202
        assert find(site, "app", "1.0.0") == ""


def test_a_tag_that_is_pushed_while_its_version_is_being_deleted_names_what_was_pushed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(site, "app", APP, "1.0.0")
    delete = Repositories.delete
    answers: list[int] = []

    def delete_and_push(repositories: Repositories, repository: str, name: str, version: str) -> None:
        delete(repositories, repository, name, version)
        answers.append(push(site, "app", NEWER, "1.0.0").status_code)

    monkeypatch.setattr(Repositories, "delete", delete_and_push)
    assert site.delete("/v2/app/manifests/1.0.0").status_code == 202
    assert answers == [201]
    assert find(site, "app", "1.0.0") == manifest_of(NEWER).digest


class TestWhatIsNeeded:
    def test_a_manifest_that_an_index_needs_is_not_deleted(self, site: Site) -> None:
        bundle = index(artifact())
        push_bundle(site, "app", bundle, "all")
        (child, *_) = [each for each in bundle.all_manifests() if each.digest != bundle.manifest.digest]
        answer = site.delete(f"/v2/app/manifests/{child.digest}")
        assert said(answer) == (405, "UNSUPPORTED")
        assert bundle.manifest.digest in message(answer)
        assert answer.headers["Allow"] == "GET, HEAD, PUT"
        assert site.delete(f"/v2/app/manifests/{bundle.manifest.digest}").status_code == 202
        assert site.delete(f"/v2/app/manifests/{child.digest}").status_code == 202

    def test_an_artifact_keeps_a_package_that_it_needs(self, site: Site) -> None:
        site.upload(APP)
        push_bundle_with(site, APP)
        site.delete(PACKAGE)
        assert blob(site, "app", digest_of(APP)) == APP

    def test_it_keeps_it_also_when_the_package_is_published_later(self, site: Site) -> None:
        send_parts(site, "app", APP)
        push_bundle_with(site, APP)
        push(site, "app", APP, "1.0.0")
        site.delete(PACKAGE)
        assert blob(site, "app", digest_of(APP)) == APP


def push_bundle_with(site: Site, layer: bytes) -> None:
    """Push an artifact whose layer is there already."""
    config = Content(b"{}", "application/vnd.oci.empty.v1+json")
    document = {
        "schemaVersion": 2,
        "mediaType": oci.IMAGE_MANIFEST,
        "artifactType": "application/x",
        "config": config.described(),
        "layers": [Content(layer, "application/octet-stream").described()],
    }
    put_blob(site, "app", config.data)
    manifest = Content(json.dumps(document).encode(), oci.IMAGE_MANIFEST)
    assert put_manifest(site, "app", manifest, "kept").status_code == 201
