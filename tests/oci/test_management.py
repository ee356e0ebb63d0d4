"""Deleting tags, manifests and blobs."""

import pytest

from tests.support.oci import Repository, refusal
from tests.support.oci_contents import NEVER_PUSHED, Bundle, artifact, blob, image, index


class TestTags:
    def test_a_tag_that_was_deleted_is_unknown_and_its_manifest_stays(self, repository: Repository) -> None:
        bundle = artifact()
        repository.push(bundle, "1.0.0", "latest")
        assert repository.delete_manifest("latest").status == 202
        assert refusal(repository.get_manifest("latest")) == (404, "MANIFEST_UNKNOWN")
        assert repository.head_manifest("latest").status == 404
        assert repository.all_tags() == [["1.0.0"]]
        for reference in ("1.0.0", bundle.digest):
            assert repository.get_manifest(reference).body == bundle.manifest.data

    def test_the_last_tag_leaves_a_repository_without_tags(self, repository: Repository) -> None:
        bundle = artifact()
        repository.push(bundle, "latest")
        assert repository.delete_manifest("latest").status == 202
        assert repository.all_tags() == [[]]
        assert repository.get_manifest(bundle.digest).body == bundle.manifest.data

    def test_a_tag_can_be_given_again(self, repository: Repository) -> None:
        old, new = artifact(), artifact()
        repository.push(old, "latest")
        assert repository.delete_manifest("latest").status == 202
        repository.push(new, "latest")
        assert repository.get_manifest("latest").body == new.manifest.data

    def test_a_tag_that_is_not_there_cannot_be_deleted(self, repository: Repository) -> None:
        repository.push(artifact(), "latest")
        assert refusal(repository.delete_manifest("missing")) == (404, "MANIFEST_UNKNOWN")
        assert repository.delete_manifest("latest").status == 202
        assert refusal(repository.delete_manifest("latest")) == (404, "MANIFEST_UNKNOWN")


class TestManifests:
    def test_a_manifest_that_was_deleted_is_unknown_by_its_digest_and_every_tag(
        self, repository: Repository, algorithm: str
    ) -> None:
        gone, kept = artifact(algorithm=algorithm), artifact()
        repository.push(gone)
        repository.push(kept, "3.0.0")
        assert repository.put_manifest(gone.manifest, tags=["1.0.0", "2.0.0"]).status == 201
        assert repository.delete_manifest(gone.digest).status == 202
        for reference in (gone.digest, "1.0.0", "2.0.0"):
            assert refusal(repository.get_manifest(reference)) == (404, "MANIFEST_UNKNOWN")
            assert repository.head_manifest(reference).status == 404
        assert repository.all_tags() == [["3.0.0"]]
        assert repository.get_manifest("3.0.0").body == kept.manifest.data

    def test_a_tag_that_had_moved_away_from_it_stays(self, repository: Repository) -> None:
        old, new = artifact(), artifact()
        repository.push(old, "latest")
        repository.push(new, "latest")
        assert repository.delete_manifest(old.digest).status == 202
        assert repository.get_manifest("latest").body == new.manifest.data

    def test_what_a_deleted_index_named_stays(self, repository: Repository) -> None:
        part = image()
        whole = index(part)
        repository.push(whole, "latest")
        assert repository.delete_manifest(whole.digest).status == 202
        assert repository.get_manifest(part.digest).body == part.manifest.data

    def test_it_can_be_pushed_again(self, repository: Repository) -> None:
        bundle = artifact()
        repository.push(bundle, "latest")
        assert repository.delete_manifest(bundle.digest).status == 202
        repository.push(bundle, "latest")
        assert repository.get_manifest("latest").body == bundle.manifest.data

    def test_the_same_manifest_in_another_repository_stays(self, repository: Repository, other: Repository) -> None:
        bundle = artifact()
        repository.push(bundle, "latest")
        other.push(bundle, "latest")
        assert repository.delete_manifest(bundle.digest).status == 202
        assert other.get_manifest("latest").body == bundle.manifest.data
        for content in bundle.all_blobs():
            assert other.get_blob(content.digest).body == content.data

    def test_one_that_is_not_there_cannot_be_deleted(self, repository: Repository, algorithm: str) -> None:
        bundle = artifact()
        repository.push(artifact())
        repository.push(bundle)
        missing = blob(algorithm=algorithm).digest
        assert refusal(repository.delete_manifest(missing)) == (404, "MANIFEST_UNKNOWN")
        assert repository.delete_manifest(bundle.digest).status == 202
        assert refusal(repository.delete_manifest(bundle.digest)) == (404, "MANIFEST_UNKNOWN")

    @pytest.mark.parametrize("reference", ["latest", NEVER_PUSHED])
    def test_nothing_can_be_deleted_in_a_repository_that_nobody_pushed_to(
        self, repository: Repository, reference: str
    ) -> None:
        got = refusal(repository.delete_manifest(reference))
        assert got.status == 404
        assert got.code in {"MANIFEST_UNKNOWN", "NAME_UNKNOWN"}

    def test_what_is_no_digest_cannot_be_deleted(self, repository: Repository) -> None:
        repository.push(artifact())
        assert repository.delete_manifest("sha256:baddigeststring").status in {400, 404}


class TestBlobs:
    def test_a_blob_that_was_deleted_is_unknown(self, repository: Repository, algorithm: str) -> None:
        content = blob(algorithm=algorithm)
        repository.push_blob(content)
        assert repository.delete_blob(content.digest).status == 202
        assert refusal(repository.get_blob(content.digest)) == (404, "BLOB_UNKNOWN")
        assert repository.head_blob(content.digest).status == 404

    def test_it_can_be_pushed_again(self, repository: Repository) -> None:
        content = blob()
        repository.push_blob(content)
        assert repository.delete_blob(content.digest).status == 202
        repository.push_blob(content)
        assert repository.get_blob(content.digest).body == content.data

    def test_the_same_blob_in_another_repository_stays(self, repository: Repository, other: Repository) -> None:
        content = blob()
        repository.push_blob(content)
        other.push_blob(content)
        assert repository.delete_blob(content.digest).status == 202
        assert other.get_blob(content.digest).body == content.data

    def test_one_that_is_not_there_cannot_be_deleted(self, repository: Repository, algorithm: str) -> None:
        content = blob(algorithm=algorithm)
        repository.push_blob(blob())
        assert refusal(repository.delete_blob(content.digest)) == (404, "BLOB_UNKNOWN")
        repository.push_blob(content)
        assert repository.delete_blob(content.digest).status == 202
        assert refusal(repository.delete_blob(content.digest)) == (404, "BLOB_UNKNOWN")

    def test_one_that_a_manifest_needs_is_deleted_or_kept_but_not_half_of_it(self, repository: Repository) -> None:
        bundle = artifact()
        repository.push(bundle, "latest")
        content = bundle.all_blobs()[1]
        got = repository.delete_blob(content.digest)
        if got.status == 202:
            assert repository.get_blob(content.digest).status == 404
        else:
            assert refusal(got).status in {400, 405}
            assert repository.get_blob(content.digest).body == content.data

    def test_what_is_no_digest_cannot_be_deleted(self, repository: Repository) -> None:
        repository.push_blob(blob())
        assert repository.delete_blob("sha256:baddigeststring").status in {400, 404}


class TestEverything:
    def test_tags_then_manifests_then_blobs_can_all_be_deleted(self, repository: Repository, bundle: Bundle) -> None:
        repository.push(bundle, "latest")
        tagged = repository.head_manifest("latest").headers["Docker-Content-Digest"]  # what is pushed by tag has sha256
        assert repository.delete_manifest("latest").status == 202
        digests = [tagged, *(content.digest for content in reversed(bundle.all_manifests()))]
        for digest in dict.fromkeys(digests):
            assert repository.delete_manifest(digest).status == 202
            assert repository.head_manifest(digest).status == 404
        for content in bundle.all_blobs():
            assert repository.delete_blob(content.digest).status == 202
            assert repository.head_blob(content.digest).status == 404
