"""Provenance at the door, as clients of both protocols see it: who may publish, and who may only read."""

import json
from pathlib import Path
from typing import Final

import pytest
from pysequoia import Tsk

from chartrepo.core import oci
from chartrepo.core.oci import Digest, parse_digest
from chartrepo.trust.attestations import signature_tag, signed_manifest
from tests.support import cosign, signing
from tests.support.oci_contents import Bundle, Content, artifact, digest_of, manifest
from tests.support.packages import package
from tests.support.pushes import find, json_of, message, names, pull, push, push_bundle, put_blob, said, tags
from tests.support.repositories import Shop
from tests.support.site import Site

APP: Final = package()
OTHER: Final = package(appVersion="2.0")
FILE: Final = "/charts/app-1.0.0.tgz"
CHART: Final = digest_of(APP)
POLICIES: Final = """
policies:
  - {on: ["signed/*", "app"], existing: hide, provenance: require, keyrings: [team.asc], cosign_keys: [ci.pub]}
  - {on: ["verified/*"], existing: hide, provenance: verify, keyrings: [team.asc], cosign_keys: [ci.pub]}
"""
NAME: Final = "signed/app"


@pytest.fixture(scope="module")
def ada() -> Tsk:
    return signing.key()


@pytest.fixture(scope="module")
def ci() -> cosign.PrivateKey:
    return cosign.new_key()


@pytest.fixture
def reader(shop: Shop, tmp_path: Path, ada: Tsk, ci: cosign.PrivateKey) -> Site:
    (tmp_path / "team.asc").write_bytes(signing.public(ada))
    (tmp_path / "ci.pub").write_bytes(cosign.public(ci))
    shop.police(POLICIES)
    return Site(shop, admin_password="secret")


@pytest.fixture
def publisher(reader: Site) -> Site:
    return reader.by("admin", "secret")


def signed(key: cosign.PrivateKey, chart: str) -> Bundle:
    """What cosign 2 pushes."""
    document = Content(cosign.claim(chart), cosign.CLAIM)
    config = Content(b"{}", "application/vnd.oci.image.config.v1+json")
    layer = document.described(annotations={"dev.cosignproject.cosign/signature": cosign.sign(key, document.data)})
    return Bundle(manifest(oci.IMAGE_MANIFEST, config=config.described(), layers=[layer]), (config, document))


def bundled(key: cosign.PrivateKey, chart: Content, **statement: object) -> Bundle:
    """What cosign 3 pushes."""
    layer = Content(cosign.bundle(key, chart.digest, **statement), cosign.BUNDLE)
    return artifact(cosign.BUNDLE, layer=layer, subject=chart.described())


def pushed(site: Site, reference: str, name: str = NAME) -> Content:
    return Content(site.get(f"/v2/{name}/manifests/{reference}").data, oci.IMAGE_MANIFEST)


class TestClassic:
    def test_an_unsigned_package_is_answered_202_with_what_is_missing(self, publisher: Site, reader: Site) -> None:
        answer = publisher.upload(APP)

        assert answer.status_code == 202
        assert json_of(answer)["saved"] is True
        assert "send app-1.0.0.tgz.prov, signed by a key" in json_of(answer)["withheld"]
        assert publisher.ledger.uploads == ["created"]
        for path in (FILE, f"{FILE}.prov", "/api/charts/app", "/api/charts/app/1.0.0", "/api/charts/app/latest"):
            assert reader.get(path).status_code in {401, 404}
        assert json_of(reader.get("/api/charts")) == {}
        assert "app" not in reader.get("/index.yaml").text

    def test_who_may_publish_it_can_get_it_and_nobody_else_gets_that_answer(
        self, publisher: Site, reader: Site
    ) -> None:
        publisher.upload(APP)

        for _ in range(2):
            assert publisher.get(FILE).data == APP
            assert publisher.head(FILE).headers["Content-Length"] == str(len(APP))
            assert publisher.get(FILE).headers["Cache-Control"] == "private, no-store"
            assert reader.get(FILE).status_code in {401, 404}

    def test_its_provenance_brings_it_out(self, publisher: Site, reader: Site, ada: Tsk) -> None:
        publisher.upload(APP)

        answer = publisher.upload(signing.provenance(ada, APP), "/api/prov")

        assert answer.status_code == 201
        assert reader.get(FILE).data == APP
        assert "app" in reader.get("/index.yaml").text

    def test_both_in_one_form(self, publisher: Site, reader: Site, ada: Tsk) -> None:
        assert publisher.send_form(chart=APP, prov=signing.provenance(ada, APP)).status_code == 201
        assert reader.get(FILE).data == APP

    def test_a_forged_one_is_refused(self, publisher: Site, reader: Site) -> None:
        forged = signing.provenance(signing.key("Ada <ada@example.com>"), APP)

        for answer in (publisher.send_form(chart=APP, prov=forged), publisher.upload(forged, "/api/prov")):
            assert answer.status_code == 400
            assert "in no keyring here" in json_of(answer)["error"]
        assert reader.get(FILE).status_code in {401, 404}

    def test_who_signed_is_told_with_the_state_of_the_key(
        self, shop: Shop, publisher: Site, reader: Site, ada: Tsk
    ) -> None:
        publisher.send_form(chart=APP, prov=signing.provenance(ada, APP))
        path = "/api/charts/app/1.0.0/provenance"

        told = json_of(reader.get(path))

        key = ada.extract_certificate().fingerprint
        assert told["prov"] is True
        assert {name: told["signer"][name] for name in ("kind", "name", "key", "state")} == {
            "kind": "openpgp",
            "name": "Ada <ada@example.com>",
            "key": key,
            "state": "valid",
        }
        (shop.folder / "team.asc").write_bytes(signing.compromised(ada))
        shop.policing.check()
        assert json_of(reader.get(path))["signer"]["state"] == "compromised"

    def test_of_what_is_not_signed_nobody_is_told(self, publisher: Site, reader: Site) -> None:
        publisher.upload(APP, "/api/other/charts")

        told = json_of(reader.get("/api/other/charts/app/1.0.0/provenance"))

        assert {name: told[name] for name in ("prov", "signer")} == {"prov": False, "signer": None}

    def test_what_waits_is_listed_with_the_reason_for_who_may_publish_it(self, publisher: Site, reader: Site) -> None:
        publisher.upload(APP)

        (folder,) = json_of(publisher.get("/api/repositories"))["set_aside_folders"]

        assert [file["file"] for file in folder["set_aside"]] == ["app-1.0.0.tgz"]
        assert "app-1.0.0.tgz" not in reader.get("/api/repositories").text

    def test_the_audit_tells_what_waits_and_whose_word_brought_it_out(self, publisher: Site, ada: Tsk) -> None:
        publisher.upload(APP)
        publisher.upload(signing.provenance(ada, APP), "/api/prov")

        waits, comes_out = (json.loads(line) for line in publisher.spool.lines() if line)

        assert waits["detail"].startswith("withheld: readers do not see it until its provenance is there")
        assert comes_out["detail"].startswith("signed by Ada <ada@example.com> (openpgp key ")


class TestOci:
    def test_an_unsigned_push_is_taken_with_a_warning_and_seen_by_who_may_publish(
        self, publisher: Site, reader: Site
    ) -> None:
        answer = push(publisher, NAME, APP, "1.0.0")

        assert answer.status_code == 201
        assert answer.headers["Warning"].startswith('299 - "readers do not see it until its provenance is there')
        digest = answer.headers["Docker-Content-Digest"]
        for _ in range(2):
            assert pull(publisher, NAME, digest).package == APP
            assert find(reader, NAME, digest) == ""
            assert said(reader.get(f"/v2/{NAME}/blobs/{CHART}")) == (404, "BLOB_UNKNOWN")
        assert find(publisher, NAME, "1.0.0") == find(reader, NAME, "1.0.0") == ""
        assert (tags(reader, NAME), names(publisher)) == (None, [])

    def test_a_push_with_provenance_is_seen_at_once(self, publisher: Site, reader: Site, ada: Tsk) -> None:
        answer = push(publisher, NAME, APP, "1.0.0", signature=signing.provenance(ada, APP))

        assert "Warning" not in answer.headers
        assert pull(reader, NAME, "1.0.0").package == APP
        assert (tags(reader, NAME), names(publisher)) == (["1.0.0"], [NAME])

    def test_a_forged_one_is_refused(self, publisher: Site, reader: Site) -> None:
        answer = push(publisher, NAME, APP, "1.0.0", signature=signing.provenance(signing.key(), APP))

        assert said(answer) == (400, "MANIFEST_INVALID")
        assert "in no keyring here" in message(answer)
        assert find(reader, NAME, "1.0.0") == ""

    def test_a_blob_that_waits_cannot_be_mounted_by_who_may_not_have_it(
        self, shop: Shop, publisher: Site, reader: Site
    ) -> None:
        push(publisher, NAME, APP, "1.0.0")

        assert publisher.ask("POST", f"/v2/own/app/blobs/uploads/?mount={CHART}&from={NAME}").status_code == 201
        assert reader.ask("POST", f"/v2/own/web/blobs/uploads/?mount={CHART}&from={NAME}").status_code == 401

    def test_cosign_2_brings_it_out_by_its_tag(
        self, publisher: Site, reader: Site, ci: cosign.PrivateKey, shop: Shop
    ) -> None:
        digest = push(publisher, NAME, APP, "1.0.0").headers["Docker-Content-Digest"]

        push_bundle(publisher, NAME, signed(ci, digest), signature_tag(parse_digest(digest)))

        assert pull(reader, NAME, "1.0.0") == pull(reader, NAME, digest)
        assert reader.get("/signed/charts/app-1.0.0.tgz").data == APP
        told = json_of(reader.get("/api/signed/charts/app/1.0.0/provenance"))
        assert (told["signer"]["kind"], told["signer"]["name"], told["signer"]["state"]) == (
            "cosign",
            "ci.pub",
            "valid",
        )

    def test_cosign_3_brings_it_out_as_a_referrer(self, publisher: Site, reader: Site, ci: cosign.PrivateKey) -> None:
        digest = push(publisher, NAME, APP, "1.0.0").headers["Docker-Content-Digest"]

        push_bundle(publisher, NAME, bundled(ci, pushed(publisher, digest)))

        assert pull(reader, NAME, "1.0.0").digest == digest

    def test_what_came_by_curl_is_pushed_to_be_signed(
        self, publisher: Site, reader: Site, ci: cosign.PrivateKey
    ) -> None:
        assert publisher.upload(APP, "/api/signed/charts").status_code == 202
        digest = push(publisher, NAME, APP, "1.0.0").headers["Docker-Content-Digest"]

        push_bundle(publisher, NAME, bundled(ci, pushed(publisher, digest)))

        assert pull(reader, NAME, "1.0.0").package == APP
        assert "app" in reader.get("/signed/index.yaml").text

    def test_a_signature_that_was_there_before_the_tag(
        self, publisher: Site, reader: Site, ci: cosign.PrivateKey
    ) -> None:
        digest = push(publisher, NAME, APP).headers["Docker-Content-Digest"]
        push_bundle(publisher, NAME, bundled(ci, pushed(publisher, digest)))

        answer = push(publisher, NAME, APP, "1.0.0")

        assert "Warning" not in answer.headers
        assert pull(reader, NAME, "1.0.0").digest == digest

    @pytest.mark.parametrize("how", ["stranger", "another manifest", "another statement"])
    def test_other_signatures_do_not(self, publisher: Site, reader: Site, ci: cosign.PrivateKey, how: str) -> None:
        digest = push(publisher, NAME, APP, "1.0.0").headers["Docker-Content-Digest"]
        chart = pushed(publisher, digest)
        other = Content(b"other", oci.IMAGE_MANIFEST)
        for bundle in {
            "stranger": [signed(cosign.new_key(), digest), bundled(cosign.new_key(), chart)],
            "another manifest": [signed(ci, other.digest)],
            "another statement": [bundled(ci, chart, predicateType="https://slsa.dev/provenance/v1")],
        }[how]:
            push_bundle(publisher, NAME, bundle, signature_tag(parse_digest(digest)))

        assert find(reader, NAME, "1.0.0") == ""

    @pytest.mark.parametrize("gone", ["nothing", "the key"])
    def test_a_catalog_that_is_built_anew_says_the_same(
        self, shop: Shop, publisher: Site, reader: Site, ci: cosign.PrivateKey, gone: str
    ) -> None:
        digest = push(publisher, NAME, APP, "1.0.0").headers["Docker-Content-Digest"]
        push_bundle(publisher, NAME, bundled(ci, pushed(publisher, digest)))
        if gone == "the key":
            (shop.folder / "ci.pub").write_bytes(cosign.public(cosign.new_key()))
            shop.policing.check()

        shop.rebuild()

        assert shop.listed("signed") == ["app 1.0.0"]

    def test_without_notes_the_signature_is_found_in_the_storage(
        self, shop: Shop, publisher: Site, ci: cosign.PrivateKey
    ) -> None:
        digest = push(publisher, NAME, APP, "1.0.0").headers["Docker-Content-Digest"]
        push_bundle(publisher, NAME, bundled(ci, pushed(publisher, digest)))
        for note in list(shop.state.list("accepted/")):
            shop.state.delete(note.key)
        shop.police(POLICIES)

        shop.rebuild()

        assert shop.listed("signed") == ["app 1.0.0"]

    def test_a_verified_chart_tells_who_signed_it_with_cosign(
        self, publisher: Site, reader: Site, ci: cosign.PrivateKey
    ) -> None:
        digest = push(publisher, "verified/app", APP, "1.0.0").headers["Docker-Content-Digest"]
        assert json_of(reader.get("/api/verified/charts/app/1.0.0/provenance"))["signer"] is None

        push_bundle(publisher, "verified/app", bundled(ci, pushed(publisher, digest, "verified/app")))

        told = json_of(reader.get("/api/verified/charts/app/1.0.0/provenance"))
        assert told["signer"]["kind"] == "cosign"

    def test_what_only_cosign_could_bring_out_replaces_nothing_that_readers_see(
        self, shop: Shop, ada: Tsk, ci: cosign.PrivateKey, reader: Site
    ) -> None:
        shop.publish(APP, repository="free")
        shop.police('policies: [{on: ["free/*"], since: 2100-01-01, provenance: require, cosign_keys: [ci.pub]}]')
        shop.clock.now = 4_102_444_800
        site = Site(shop, admin_password="secret", allow_overwrite="always").by("admin", "secret")

        answer = push(site, "free/app", OTHER, "1.0.0", signature=signing.provenance(ada, OTHER))

        assert said(answer) == (400, "MANIFEST_INVALID")
        assert shop.fetch(repository="free") == APP
        assert "or delete that version first" in message(answer)

    def test_what_was_pushed_before_a_policy_and_tagged_after_waits_too(self, shop: Shop, publisher: Site) -> None:
        digest = push(publisher, "late/app", APP).headers["Docker-Content-Digest"]
        shop.police('policies: [{on: ["**"], since: 2100-01-01, provenance: require, keyrings: [team.asc]}]')
        shop.clock.now = 4_102_444_800
        reader = Site(shop, admin_password="secret")
        assert find(reader, "late/app", digest) == digest

        push(reader.by("admin", "secret"), "late/app", APP, "1.0.0")

        assert find(reader, "late/app", digest) == ""

    @pytest.mark.parametrize("how", ["tag", "digest", "version", "chart"])
    def test_one_that_waits_is_deleted_with_all_that_was_pushed_for_it(
        self, shop: Shop, publisher: Site, how: str
    ) -> None:
        digest = push(publisher, NAME, APP, "1.0.0").headers["Docker-Content-Digest"]

        answer = publisher.delete(
            {
                "tag": f"/v2/{NAME}/manifests/1.0.0",
                "digest": f"/v2/{NAME}/manifests/{digest}",
                "version": "/api/signed/charts/app/1.0.0",
                "chart": "/api/signed/charts/app?all_versions=true",
            }[how]
        )

        assert answer.status_code == (202 if how in {"tag", "digest"} else 200)
        assert shop.catalog.set_aside() == []
        assert find(publisher, NAME, digest) == ""
        assert names(publisher) == []
        assert [info.key for info in shop.storage.list() if "_blobs" not in info.key] == []

    def test_other_blobs_and_charts_are_as_ever(self, publisher: Site, reader: Site) -> None:
        push(publisher, "free/app", APP, "1.0.0")
        other = artifact()
        push_bundle(publisher, NAME, other)

        assert pull(reader, "free/app", "1.0.0").package == APP
        for blob in other.blobs:
            assert reader.get(f"/v2/{NAME}/blobs/{blob.digest}").data == blob.data

    def test_a_blob_that_nothing_needs_is_for_who_may_publish(self, publisher: Site, reader: Site) -> None:
        digest = put_blob(publisher, NAME, b"a blob of no chart")
        path = f"/v2/{NAME}/blobs/{digest}"

        for _ in range(2):
            assert publisher.get(path).data == b"a blob of no chart"
            assert said(reader.get(path)) == (404, "BLOB_UNKNOWN")
            assert reader.head(path).status_code == 404


@pytest.mark.parametrize("tag", ["sha256-abc.sig", "1.0.0", "x-y.sig", f"sha256-{'0' * 64}", ".sig"])
def test_other_tags_are_of_no_signature(tag: str) -> None:
    assert signed_manifest(tag) is None


def test_the_tag_of_a_signature_names_its_manifest() -> None:
    digest = Digest("sha256", "ab" * 32)

    assert signed_manifest(signature_tag(digest)) == digest
    assert json.loads(cosign.claim(str(digest)))["critical"]["image"] == {"docker-manifest-digest": str(digest)}
