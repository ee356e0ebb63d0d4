"""Charts that are pushed, and packages that are uploaded: one set of versions, seen from two sides."""

import json
import secrets
from hashlib import sha256
from pathlib import Path

import pytest

from chartrepo import layout
from chartrepo.configuration import load
from chartrepo.core import oci
from tests.support.oci_contents import Content, artifact, digest_of, index
from tests.support.packages import archive, chart_yaml, package
from tests.support.pushes import (
    APP,
    NEWER,
    blob,
    find,
    manifest_of,
    message,
    names,
    pull,
    push,
    push_bundle,
    put_blob,
    put_manifest,
    referrers,
    said,
    send_parts,
    tags,
)
from tests.support.repositories import Shop, provenance
from tests.support.site import Site

SIGNATURE = provenance(APP)


def keys(shop: Shop, prefix: str = "") -> set[str]:
    return {info.key for info in shop.inner.list(prefix)}


def holding(shop: Shop, data: bytes) -> set[str]:
    """The keys under which these bytes lie."""
    found = set()
    for key in keys(shop):
        with shop.inner.open(key) as reader:
            if reader.read() == data:
                found.add(key)
    return found


class TestPublishing:
    def test_a_pushed_chart_is_a_package(self, site: Site, shop: Shop) -> None:
        answer = push(site, "team/app", APP, "1.0.0")
        assert answer.status_code == 201
        assert shop.listed("team") == ["app 1.0.0"]
        assert site.get("/team/charts/app-1.0.0.tgz").data == APP
        (entry,) = site.get("/team/index.yaml", User_Agent="Helm/4.0.0").json["entries"]["app"]
        assert entry["digest"] == sha256(APP).hexdigest()
        assert pull(site, "team/app", "1.0.0") == (APP, None, manifest_of(APP).digest)
        assert tags(site, "team/app") == ["1.0.0"]
        assert names(site) == ["team/app"]

    def test_its_bytes_lie_once(self, site: Site, shop: Shop) -> None:
        push(site, "team/app", APP, "1.0.0")
        assert holding(shop, APP) == {"team/app-1.0.0.tgz"}
        push(site, "team/app", APP, "1.0.0", created="later")
        push(site, "team/app", APP, "latest", created="still later")
        assert holding(shop, APP) == {"team/app-1.0.0.tgz"}

    def test_by_its_digest_alone_it_is_none_yet(self, site: Site, shop: Shop) -> None:
        assert push(site, "app", APP).status_code == 201
        assert shop.listed() == []
        assert tags(site, "app") == []
        assert pull(site, "app", manifest_of(APP).digest).package == APP

    def test_build_metadata_is_written_with_an_underscore(self, site: Site, shop: Shop) -> None:
        data = package(version="1.0.0+build.1")
        assert push(site, "app", data, "1.0.0_build.1").status_code == 201
        assert shop.listed() == ["app 1.0.0+build.1"]
        assert pull(site, "app", "1.0.0_build.1").package == data
        assert tags(site, "app") == ["1.0.0_build.1"]

    @pytest.mark.parametrize("tag", ["latest", "1.0", "v1.0.0", "1.0.0-rc.1", "1.0.0_a"])
    def test_another_tag_than_its_version_is_an_alias_and_publishes_nothing(
        self, site: Site, shop: Shop, tag: str
    ) -> None:
        assert push(site, "app", APP, tag).status_code == 201
        assert shop.listed() == []
        assert tags(site, "app") == [tag]
        assert pull(site, "app", tag).package == APP

    def test_an_alias_moves_and_is_in_no_index(self, site: Site, shop: Shop) -> None:
        newer = package(version="2.0.0")
        push(site, "app", APP, "1.0.0", "latest")
        push(site, "app", newer, "2.0.0", "latest")
        assert pull(site, "app", "latest").package == newer
        assert pull(site, "app", "1.0.0").package == APP
        assert shop.listed() == ["app 2.0.0", "app 1.0.0"]
        assert tags(site, "app") == ["1.0.0", "2.0.0", "latest"]

    def test_a_chart_under_another_name_is_an_artifact(self, site: Site, shop: Shop) -> None:
        assert push(site, "other", APP, "1.0.0").status_code == 201
        assert shop.listed() == []
        assert pull(site, "other", "1.0.0").package == APP
        assert names(site) == ["other"]

    def test_several_tags_at_once_publish_by_the_one_that_is_its_version(self, site: Site, shop: Shop) -> None:
        manifest = send_parts(site, "app", APP)
        answer = put_manifest(site, "app", manifest, f"{manifest.digest}?tag=stable&tag=1.0.0")
        assert (answer.status_code, answer.headers["OCI-Tag"]) == (201, "stable, 1.0.0")
        assert shop.listed() == ["app 1.0.0"]
        assert find(site, "app", "stable") == find(site, "app", "1.0.0") == manifest.digest

    def test_what_is_counted_is_what_was_published(self, site: Site) -> None:
        push(site, "app", APP, "1.0.0", "latest")
        push(site, "app", NEWER, "1.0.0")
        assert site.ledger.uploads == ["created", "conflict"]

    def test_a_manifest_of_sha512_names_the_version_too(self, site: Site, shop: Shop) -> None:
        manifest = send_parts(site, "app", APP)
        digest = digest_of(manifest.data, "sha512")
        assert put_manifest(site, "app", manifest, digest).status_code == 201
        assert find(site, "app", digest) == digest


class TestAVersionThatIsThere:
    def test_another_package_is_refused(self, site: Site, shop: Shop) -> None:
        push(site, "app", APP, "1.0.0")
        answer = push(site, "app", NEWER, "1.0.0")
        assert said(answer) == (409, "DENIED")
        assert message(answer).startswith("app-1.0.0.tgz already exists and is another package: ")
        assert site.get("/charts/app-1.0.0.tgz").data == APP
        assert pull(site, "app", "1.0.0").package == APP

    def test_one_that_was_uploaded_counts_as_much(self, site: Site, shop: Shop) -> None:
        shop.publish(APP)
        assert said(push(site, "app", NEWER, "1.0.0")) == (409, "DENIED")
        assert site.upload(NEWER).status_code == 409

    def test_the_same_package_again_succeeds_and_the_tag_names_the_newest_manifest(
        self, site: Site, shop: Shop
    ) -> None:
        for created in ("first", "second", "third"):
            assert push(site, "app", APP, "1.0.0", created=created).status_code == 201
        assert pull(site, "app", "1.0.0").digest == manifest_of(APP, created="third").digest
        for created in ("first", "second"):
            assert pull(site, "app", manifest_of(APP, created=created).digest).package == APP
        assert shop.listed() == ["app 1.0.0"]

    def test_the_same_package_after_an_upload_gives_the_tag_its_manifest(self, site: Site, shop: Shop) -> None:
        shop.publish(APP)
        made = find(site, "app", "1.0.0")
        assert push(site, "app", APP, "1.0.0").status_code == 201
        assert find(site, "app", "1.0.0") == manifest_of(APP).digest != made
        assert pull(site, "app", made).package == APP

    @pytest.mark.parametrize("overwrite", ["never", "force"])
    def test_without_always_nothing_replaces_it(self, shop: Shop, overwrite: str) -> None:
        site = Site(shop, allow_overwrite=overwrite)
        push(site, "app", APP, "1.0.0")
        assert said(push(site, "app", NEWER, "1.0.0")) == (409, "DENIED")
        assert push(site, "app", APP, "1.0.0", created="later").status_code == 201

    def test_always_replaces_it(self, shop: Shop) -> None:
        site = Site(shop, allow_overwrite="always")
        push(site, "app", APP, "1.0.0", "latest")
        assert push(site, "app", NEWER, "1.0.0").status_code == 201
        assert site.get("/charts/app-1.0.0.tgz").data == NEWER
        assert pull(site, "app", "1.0.0").package == NEWER
        assert holding(shop, NEWER) == {"app-1.0.0.tgz"}
        assert site.ledger.uploads == ["created", "replaced"]
        # Of the package that was replaced nothing is left.
        assert holding(shop, APP) == set()
        assert find(site, "app", manifest_of(APP).digest) == find(site, "app", "latest") == ""
        assert tags(site, "app") == ["1.0.0"]

    def test_an_upload_that_replaces_it_takes_the_tag(self, site: Site, shop: Shop) -> None:
        push(site, "app", APP, "1.0.0", "latest")
        shop.publish(NEWER, force=True)
        assert pull(site, "app", "1.0.0").package == NEWER
        assert find(site, "app", "latest") == ""
        shop.publish(APP, force=True)
        assert pull(site, "app", "1.0.0").digest == manifest_of(APP).digest

    @pytest.mark.parametrize("overwrite", ["force", "always"])
    def test_nothing_that_is_not_this_version_takes_its_tag(self, shop: Shop, overwrite: str) -> None:
        site = Site(shop, allow_overwrite=overwrite)
        push(site, "app", APP, "1.0.0")
        newer, other = package(version="2.0.0"), artifact()
        for content in other.all_blobs():
            put_blob(site, "app", content.data)
        for answer in (push(site, "app", newer, "1.0.0"), put_manifest(site, "app", other.manifest, "1.0.0")):
            assert said(answer) == (409, "DENIED")
            assert "1.0.0" in message(answer)
        assert pull(site, "app", "1.0.0").package == APP
        assert tags(site, "app") == ["1.0.0"]

    def test_an_artifact_that_had_its_tag_gives_way_to_it(self, site: Site, shop: Shop) -> None:
        push_bundle(site, "app", artifact(), "1.0.0")
        shop.publish(APP)
        assert pull(site, "app", "1.0.0").package == APP
        assert tags(site, "app") == ["1.0.0"]


class TestProvenance:
    def test_its_layer_becomes_the_file(self, site: Site, shop: Shop) -> None:
        assert push(site, "app", APP, "1.0.0", signature=SIGNATURE).status_code == 201
        assert site.get("/charts/app-1.0.0.tgz.prov").data == SIGNATURE
        assert pull(site, "app", "1.0.0")[:2] == (APP, SIGNATURE)

    def test_one_that_comes_with_a_later_push_becomes_it_too(self, site: Site, shop: Shop) -> None:
        push(site, "app", APP, "1.0.0")
        assert push(site, "app", APP, "1.0.0", signature=SIGNATURE).status_code == 201
        assert site.get("/charts/app-1.0.0.tgz.prov").data == SIGNATURE
        assert pull(site, "app", "1.0.0").provenance == SIGNATURE

    def test_a_push_without_one_leaves_that_which_is_there(self, site: Site, shop: Shop) -> None:
        shop.publish(APP, SIGNATURE)
        assert push(site, "app", APP, "1.0.0").status_code == 201
        assert site.get("/charts/app-1.0.0.tgz.prov").data == SIGNATURE

    @pytest.mark.parametrize(
        ("signature", "words"),
        [
            (provenance(NEWER), "names the digest"),
            (provenance(APP, "other-1.0.0.tgz"), "other-1.0.0.tgz"),
            (b"nobody signed this", "is no"),
        ],
    )
    def test_one_of_other_bytes_is_refused_in_the_words_of_an_upload(
        self, site: Site, shop: Shop, signature: bytes, words: str
    ) -> None:
        answer = push(site, "app", APP, "1.0.0", signature=signature)
        assert said(answer) == (400, "MANIFEST_INVALID")
        upload = site.send_form(chart=APP, prov=signature)
        assert upload.status_code == 400
        assert message(answer) == upload.json["error"]
        assert shop.listed() == []

    def test_one_that_is_too_large_is_refused_before_it_is_read(self, site: Site, shop: Shop) -> None:
        large = b"x" * (1024 * 1024 + 1)
        answer = push(site, "app", APP, "1.0.0", signature=large)
        assert said(answer) == (400, "MANIFEST_INVALID")
        assert "1048577 bytes, and 1048576 are the most" in message(answer)
        assert not [
            call for call in shop.storage.calls if call.operation == "open" and digest_of(large)[7:] in call.key
        ]

    def test_one_that_arrives_later_changes_what_the_tag_gives(self, site: Site, shop: Shop) -> None:
        shop.publish(APP)
        before = pull(site, "app", "1.0.0")
        assert before.provenance is None
        shop.repositories.publish_provenance("", SIGNATURE)
        after = pull(site, "app", "1.0.0")
        assert after[:2] == (APP, SIGNATURE)
        assert after.digest != before.digest
        assert pull(site, "app", before.digest) == before


class TestRefusals:
    @pytest.mark.parametrize(
        "data",
        [
            b"no archive",
            archive([("app/Chart.yaml", chart_yaml("app", "1.2.3.4"))]),
            archive([("app/Chart.yaml", chart_yaml("app", "1.0.0", apiVersion=None))]),
            archive([("app/Chart.yaml", chart_yaml("app", "1.0.0", type="Library"))]),
            archive([("app/values.yaml", "")]),
        ],
        ids=["no archive", "version", "apiVersion", "type", "no Chart.yaml"],
    )
    def test_they_are_those_of_an_upload_word_by_word(self, site: Site, shop: Shop, data: bytes) -> None:
        upload = site.upload(data)
        answer = push(site, "app", data, "1.0.0")
        if upload.status_code == 201:  # Helm takes some of it
            assert answer.status_code == 201
            return
        assert said(answer) == (400, "MANIFEST_INVALID")
        assert message(answer) == upload.json["error"]
        assert tags(site, "app") is None

    def test_two_charts_that_would_share_a_file_are_told_so(self, site: Site, shop: Shop) -> None:
        shop.publish(package("a", "1-2.0"))
        answer = push(site, "a-1", package("a-1", "2.0"), "2.0")
        assert said(answer) == (400, "MANIFEST_INVALID")
        assert message(answer) == site.upload(package("a-1", "2.0")).json["error"]

    def test_a_package_that_no_upload_may_be_as_large_as(self, shop: Shop) -> None:
        site = Site(shop, max_upload_size=5_000)
        answer = push(site, "app", package(files={"noise": secrets.token_bytes(6_000)}), "1.0.0")
        assert said(answer) == (400, "MANIFEST_INVALID")
        assert "raise max_upload_size to allow it" in message(answer)

    def test_a_manifest_that_lies_about_a_size(self, site: Site) -> None:
        manifest = send_parts(site, "app", APP)
        lying = Content(manifest.data.replace(str(len(APP)).encode(), b"7"), manifest.media_type)
        answer = put_manifest(site, "app", lying, "1.0.0")
        assert said(answer) == (400, "MANIFEST_INVALID")
        assert message(answer).endswith(f"is said to have 7 bytes, and has {len(APP)}: mend its size")

    def test_a_manifest_whose_blobs_another_name_has(self, site: Site) -> None:
        manifest = send_parts(site, "other", APP)
        answer = put_manifest(site, "app", manifest, "1.0.0")
        assert said(answer) == (400, "MANIFEST_BLOB_UNKNOWN")
        assert "send it first" in message(answer)

    def test_an_index_of_what_is_not_there(self, site: Site) -> None:
        answer = put_manifest(site, "app", index(artifact()).manifest)
        assert said(answer) == (400, "MANIFEST_BLOB_UNKNOWN")

    def test_an_index_of_what_is_made_from_a_package_is_taken(self, site: Site, shop: Shop) -> None:
        shop.publish(APP)
        made = Content(site.get("/v2/app/manifests/1.0.0").data, oci.IMAGE_MANIFEST)
        document = {"schemaVersion": 2, "mediaType": oci.IMAGE_INDEX, "manifests": [made.described()]}
        whole = Content(json.dumps(document).encode(), oci.IMAGE_INDEX)
        assert put_manifest(site, "app", whole, "all").status_code == 201


class TestOnlyCharts:
    @pytest.fixture
    def site(self, shop: Shop) -> Site:
        return Site(shop, oci_artifacts="charts")

    def test_an_artifact_is_refused_with_the_remedy(self, site: Site) -> None:
        other = artifact()
        for content in other.all_blobs():
            put_blob(site, "app", content.data)
        answer = put_manifest(site, "app", other.manifest, "1.0.0")
        assert said(answer) == (400, "MANIFEST_INVALID")
        assert "set oci_artifacts to any" in message(answer)

    def test_a_chart_and_what_is_about_one_are_taken(self, site: Site, shop: Shop) -> None:
        push(site, "app", APP, "1.0.0")
        assert shop.listed() == ["app 1.0.0"]
        digest = find(site, "app", "1.0.0")
        about = artifact(subject=Content(site.get(f"/v2/app/manifests/{digest}").data, oci.IMAGE_MANIFEST).described())
        push_bundle(site, "app", about)
        assert list(referrers(site, "app", digest)) == [about.digest]

    def test_a_signature_of_old_clients_is_taken(self, site: Site) -> None:
        other = artifact()
        for content in other.all_blobs():
            put_blob(site, "app", content.data)
        assert put_manifest(site, "app", other.manifest, f"sha256-{'a' * 64}.sig").status_code == 201


class TestWhatHasNoOciForm:
    @pytest.mark.parametrize(
        ("name", "version"),
        [("App", "1.0.0"), ("a b", "1.0.0"), ("日本", "1.0.0"), ("app", "1.0.0-" + "a" * 123)],
    )
    def test_it_is_in_the_index_only(self, site: Site, shop: Shop, name: str, version: str) -> None:
        data = package(name, version)
        shop.publish(data)
        shop.publish(package("web"))
        assert f"{name} {version}" in shop.listed()
        assert names(site) == ["web"]
        assert tags(site, "app") is None
        assert blob(site, "app", digest_of(data)) is None

    def test_a_repository_with_capitals_is_in_the_index_only(self, site: Site, shop: Shop) -> None:
        shop.publish(APP, repository="Team")
        assert shop.listed("Team") == ["app 1.0.0"]
        assert names(site) == []
        assert said(site.get("/v2/Team/app/tags/list")) == (400, "NAME_INVALID")

    def test_a_version_that_is_too_long_hides_no_other(self, site: Site, shop: Shop) -> None:
        shop.publish(APP)
        shop.publish(package(version="2.0.0-" + "a" * 123))
        assert tags(site, "app") == ["1.0.0"]


class TestDeletingOnTheClassicSide:
    def test_tag_alias_and_manifests_go_with_the_version(self, site: Site, shop: Shop) -> None:
        push(site, "app", APP, "1.0.0", "latest", created="first")
        push(site, "app", APP, "1.0.0", created="second")
        push(site, "app", package(version="2.0.0"), "2.0.0")
        assert site.delete("/api/charts/app/1.0.0").status_code == 200
        manifests = [manifest_of(APP, created=created).digest for created in ("first", "second")]
        for reference in ("1.0.0", "latest", *manifests):
            assert said(site.get(f"/v2/app/manifests/{reference}")) == (404, "MANIFEST_UNKNOWN")
            assert site.head(f"/v2/app/manifests/{reference}").status_code == 404
        assert blob(site, "app", digest_of(APP)) is None
        assert tags(site, "app") == ["2.0.0"]

    def test_with_the_last_version_the_name_goes(self, site: Site) -> None:
        push(site, "app", APP, "1.0.0", "latest")
        assert site.delete("/api/charts/app/1.0.0").status_code == 200
        assert tags(site, "app") is None
        assert names(site) == []
        assert said(site.get("/v2/app/manifests/1.0.0")) == (404, "NAME_UNKNOWN")

    def test_what_was_made_goes_with_the_package(self, site: Site, shop: Shop) -> None:
        shop.publish(APP, SIGNATURE)
        made = pull(site, "app", "1.0.0")
        document = site.get(f"/v2/app/manifests/{made.digest}").json
        shop.repositories.delete("", "app", "1.0.0")
        assert find(site, "app", "1.0.0") == find(site, "app", made.digest) == ""
        for described in (document["config"], *document["layers"]):
            assert blob(site, "app", described["digest"]) is None

    def test_another_package_of_the_version_has_no_tag_of_the_old_one(self, site: Site, shop: Shop) -> None:
        push(site, "app", APP, "1.0.0", "latest")
        shop.repositories.delete("", "app", "1.0.0")
        shop.publish(NEWER)
        assert pull(site, "app", "1.0.0").package == NEWER
        assert tags(site, "app") == ["1.0.0"]
        assert find(site, "app", "latest") == ""

    def test_it_can_be_pushed_again(self, site: Site, shop: Shop) -> None:
        push(site, "app", APP, "1.0.0")
        shop.repositories.delete("", "app", "1.0.0")
        assert push(site, "app", APP, "1.0.0").status_code == 201
        assert pull(site, "app", "1.0.0").package == APP
        assert shop.listed() == ["app 1.0.0"]


class TestDeletingOnTheOciSide:
    @pytest.mark.parametrize("pushed", [True, False], ids=["pushed", "uploaded"])
    def test_the_version_goes_with_its_tag(self, site: Site, shop: Shop, pushed: bool) -> None:
        if pushed:
            push(site, "app", APP, "1.0.0", "latest", signature=SIGNATURE)
        else:
            shop.publish(APP, SIGNATURE)
        digest = find(site, "app", "1.0.0")
        assert site.delete("/v2/app/manifests/1.0.0").status_code == 202
        assert shop.listed() == []
        assert site.get("/charts/app-1.0.0.tgz").status_code == 404
        assert site.get("/charts/app-1.0.0.tgz.prov").status_code == 404
        for reference in ("1.0.0", "latest", digest):
            assert find(site, "app", reference) == ""
        assert tags(site, "app") is None
        assert names(site) == []
        assert said(site.delete("/v2/app/manifests/1.0.0")) == (404, "NAME_UNKNOWN")

    def test_an_alias_goes_alone(self, site: Site, shop: Shop) -> None:
        push(site, "app", APP, "1.0.0", "latest")
        assert site.delete("/v2/app/manifests/latest").status_code == 202
        assert tags(site, "app") == ["1.0.0"]
        assert pull(site, "app", "1.0.0").package == APP
        assert shop.listed() == ["app 1.0.0"]

    def test_the_version_stays_until_its_last_manifest(self, site: Site, shop: Shop) -> None:
        digests = [manifest_of(APP, created=created).digest for created in ("first", "second")]
        for created in ("first", "second"):
            push(site, "app", APP, "1.0.0", created=created)
        assert site.delete(f"/v2/app/manifests/{digests[1]}").status_code == 202
        assert shop.listed() == ["app 1.0.0"]
        assert find(site, "app", digests[1]) == ""
        assert pull(site, "app", "1.0.0").package == APP
        assert tags(site, "app") == ["1.0.0"]
        assert site.delete(f"/v2/app/manifests/{digests[0]}").status_code == 202
        assert shop.listed() == []
        assert tags(site, "app") is None

    def test_a_made_manifest_is_the_last_where_none_was_pushed(self, site: Site, shop: Shop) -> None:
        shop.publish(APP)
        assert site.delete(f"/v2/app/manifests/{find(site, 'app', '1.0.0')}").status_code == 202
        assert shop.listed() == []
        assert tags(site, "app") is None

    def test_a_made_manifest_beside_a_pushed_one_is_not(self, site: Site, shop: Shop) -> None:
        shop.publish(APP)
        made = find(site, "app", "1.0.0")
        push(site, "app", APP, "1.0.0")
        answer = site.delete(f"/v2/app/manifests/{made}")
        assert said(answer) == (405, "UNSUPPORTED")
        assert message(answer).endswith("delete the tag 1.0.0 to delete the version")
        assert shop.listed() == ["app 1.0.0"]

    def test_the_made_manifest_without_the_provenance_that_came_is_not(self, site: Site, shop: Shop) -> None:
        shop.publish(APP)
        old = find(site, "app", "1.0.0")
        shop.repositories.publish_provenance("", SIGNATURE)
        assert said(site.delete(f"/v2/app/manifests/{old}")) == (405, "UNSUPPORTED")
        assert shop.listed() == ["app 1.0.0"]
        assert site.delete(f"/v2/app/manifests/{find(site, 'app', '1.0.0')}").status_code == 202
        assert shop.listed() == []

    def test_the_manifest_of_a_chart_under_another_name_deletes_no_version(self, site: Site, shop: Shop) -> None:
        shop.publish(APP)
        push(site, "other", APP, "1.0.0")
        assert site.delete(f"/v2/other/manifests/{manifest_of(APP).digest}").status_code == 202
        assert shop.listed() == ["app 1.0.0"]

    def test_nothing_is_deleted_where_that_is_not_allowed(self, shop: Shop) -> None:
        site = Site(shop, allow_delete=False)
        push(site, "app", APP, "1.0.0", "latest")
        digest = find(site, "app", "1.0.0")
        for path in ("manifests/1.0.0", "manifests/latest", f"manifests/{digest}", f"blobs/{digest_of(b'{}')}"):
            answer = site.delete(f"/v2/app/{path}")
            assert said(answer) == (405, "UNSUPPORTED")
            assert "set allow_delete to true" in message(answer)
        assert tags(site, "app") == ["1.0.0", "latest"]


class TestAddresses:
    @pytest.mark.parametrize(
        ("settings", "prefix"),
        [
            ({"context_path": "/charts", "oci_prefix": "charts"}, "charts/"),
            ({"context_path": "/a/b", "oci_prefix": "a/b"}, "a/b/"),
            ({"oci_prefix": "helm"}, "helm/"),
            ({"context_path": "/charts", "oci_prefix": ""}, ""),
        ],
    )
    def test_names_begin_with_the_prefix_and_v2_stays_at_the_root(
        self, shop: Shop, settings: dict[str, str], prefix: str
    ) -> None:
        site = Site(shop, **settings)
        assert site.get("/v2/").status_code == 200
        name = f"{prefix}team/app"
        answer = push(site, name, APP, "1.0.0")
        assert answer.status_code == 201
        assert answer.headers["Location"] == f"/v2/{name}/manifests/{manifest_of(APP).digest}"
        assert shop.listed("team") == ["app 1.0.0"]
        context = settings.get("context_path", "")
        assert site.get(f"{context}/team/charts/app-1.0.0.tgz").data == APP
        assert pull(site, name, "1.0.0").package == APP
        assert names(site) == [name]
        assert site.get(f"/v2/{name}/tags/list").json == {"name": name, "tags": ["1.0.0"]}
        if prefix:
            assert said(site.get("/v2/team/app/tags/list")) == (404, "NAME_UNKNOWN")

    def test_the_prefix_is_the_context_path_unless_told_otherwise(self) -> None:
        settings = load({}, {"context_path": "/My/Charts"}, Path.read_text).settings
        assert settings.oci_prefix == "my/charts"


def test_a_manifest_lies_under_its_digest_byte_for_byte(site: Site, shop: Shop) -> None:
    push(site, "team/app", APP, "1.0.0")
    manifest = manifest_of(APP)
    key = layout.manifest_key("team/app", oci.parse_digest(manifest.digest))
    with shop.inner.open(key) as reader:
        assert reader.read() == manifest.data
