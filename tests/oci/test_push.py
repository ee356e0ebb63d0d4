"""Pushing: blobs in one piece, blobs from elsewhere, and manifests."""

import json
from typing import Any, Final

import pytest

from tests.support.http import Got
from tests.support.oci import Repository, refusal
from tests.support.oci_contents import (
    EMPTY,
    IMAGE,
    INDEX,
    OCTETS,
    Bundle,
    Content,
    artifact,
    blob,
    digest_of,
    image,
    index,
)

BAD_DIGESTS: Final = [
    "sha256:baddigeststring",
    "sha256:",
    f"sha256:{'a' * 63}",
    f"sha256:{'A' * 64}",
    f"sha512:{'a' * 64}",
    f"md5:{'a' * 32}",
    f"unheard-of:{'a' * 64}",
    "nonsense",
]

FOUR_MIB: Final = 4 * 2**20


def pulled(repository: Repository, got: Got, asked: str) -> Got:
    """What is where the Location of an answer leads."""
    where = repository.registry.led_to(repository.path(asked), got)
    return repository.registry.send("GET", where, headers={"Accept": f"{INDEX}, {IMAGE}"})


class TestWhatIsPushed:
    def test_all_of_it_comes_back_as_it_was(self, repository: Repository, bundle: Bundle) -> None:
        for content in bundle.all_blobs():
            answer = repository.upload().close(content.digest, content.data)
            assert (answer.status, answer.headers["Docker-Content-Digest"]) == (201, content.digest)
        for content in bundle.all_manifests():
            answer = repository.put_manifest(content)
            assert (answer.status, answer.headers["Docker-Content-Digest"]) == (201, content.digest)
            assert pulled(repository, answer, f"manifests/{content.digest}").body == content.data

        for content in bundle.all_blobs():
            assert repository.head_blob(content.digest).headers["Content-Length"] == str(len(content.data))
            assert repository.get_blob(content.digest).body == content.data
        for content in bundle.all_manifests():
            got = repository.get_manifest(content.digest)
            assert (got.headers["Content-Type"], got.body) == (content.media_type, content.data)
            assert repository.head_manifest(content.digest).headers["Content-Length"] == str(len(content.data))


class TestBlobsInOnePiece:
    def test_a_post_and_a_put_have_the_blob_there(self, repository: Repository, algorithm: str) -> None:
        content = blob(algorithm=algorithm)
        done = repository.upload().close(content.digest, content.data)
        assert (done.status, done.headers["Docker-Content-Digest"]) == (201, content.digest)
        assert pulled(repository, done, "blobs/uploads/").body == content.data

    def test_a_single_post_has_the_blob_there(self, repository: Repository, algorithm: str) -> None:
        content = blob(algorithm=algorithm)
        done = repository.post_upload({"digest": content.digest}, content.data)
        assert (done.status, done.headers["Docker-Content-Digest"]) == (201, content.digest)
        assert pulled(repository, done, "blobs/uploads/").body == content.data

    def test_a_client_may_announce_the_algorithm_of_its_digest(self, repository: Repository, algorithm: str) -> None:
        content = blob(algorithm=algorithm)
        upload = repository.upload({"digest-algorithm": algorithm})
        assert upload.close(content.digest, content.data).status == 201
        assert repository.get_blob(content.digest).body == content.data

    @pytest.mark.parametrize("data", [b"", b"{}"])
    def test_blobs_that_everybody_has_can_be_pushed_any_number_of_times(
        self, repository: Repository, algorithm: str, data: bytes
    ) -> None:
        content = Content(data, algorithm=algorithm)
        for _ in range(3):
            assert repository.upload().close(content.digest, content.data).status == 201
        assert repository.get_blob(content.digest).body == data

    def test_two_uploads_of_one_blob_at_once_both_succeed(self, repository: Repository) -> None:
        content = blob(100_000)
        first, second = repository.upload(), repository.upload()
        assert first.path != second.path
        for upload in (first, second):
            assert upload.patch(content.data[:50_000], at=0).status == 202
        for upload in (second, first):
            assert upload.close(content.digest, content.data[50_000:], at=50_000).status == 201
        assert repository.get_blob(content.digest).body == content.data

    def test_bytes_that_are_not_those_of_the_digest_are_refused_and_not_kept(
        self, repository: Repository, algorithm: str
    ) -> None:
        content = blob(algorithm=algorithm)
        for data in (content.data + b"oh no", content.data[:-1], b""):
            assert refusal(repository.upload().close(content.digest, data)) == (400, "DIGEST_INVALID")
        assert repository.get_blob(content.digest).status == 404

    def test_they_are_refused_in_a_single_post_too(self, repository: Repository, algorithm: str) -> None:
        content = blob(algorithm=algorithm)
        got = repository.post_upload({"digest": content.digest}, content.data + b"oh no")
        assert refusal(got) == (400, "DIGEST_INVALID")
        assert repository.get_blob(content.digest).status == 404

    @pytest.mark.parametrize("digest", BAD_DIGESTS)
    def test_a_digest_that_is_none_is_refused(self, repository: Repository, digest: str) -> None:
        assert refusal(repository.upload().close(digest, b"bytes")) == (400, "DIGEST_INVALID")

    @pytest.mark.parametrize("digest", BAD_DIGESTS)
    def test_it_is_refused_in_a_single_post_too(self, repository: Repository, digest: str) -> None:
        assert refusal(repository.post_upload({"digest": digest}, b"bytes")) == (400, "DIGEST_INVALID")

    def test_a_put_without_a_digest_is_refused(self, repository: Repository) -> None:
        upload = repository.upload()
        got = refusal(repository.registry.send("PUT", upload.path, b"bytes", {"Content-Type": OCTETS}))
        assert got.status == 400
        assert got.code in {"DIGEST_INVALID", "BLOB_UPLOAD_INVALID"}

    def test_an_upload_that_is_done_is_unknown(self, repository: Repository) -> None:
        content = blob()
        upload = repository.upload()
        assert upload.close(content.digest, content.data).status == 201
        assert refusal(upload.ask()) == (404, "BLOB_UPLOAD_UNKNOWN")
        assert refusal(upload.patch(b"more")) == (404, "BLOB_UPLOAD_UNKNOWN")

    def test_an_end_that_is_sent_again_has_the_same_answer_or_is_unknown(self, repository: Repository) -> None:
        content = blob()
        upload = repository.upload()
        first, again = (upload.close(content.digest, content.data) for _ in range(2))
        assert first.status == 201
        if again.status == 201:
            assert repository.registry.led_to(upload.path, again) == repository.registry.led_to(upload.path, first)
        else:
            assert refusal(again) == (404, "BLOB_UPLOAD_UNKNOWN")
        assert repository.get_blob(content.digest).body == content.data


class TestBlobsFromElsewhere:
    def test_a_blob_of_another_repository_is_taken_over(
        self, repository: Repository, other: Repository, algorithm: str
    ) -> None:
        content = blob(algorithm=algorithm)
        other.push_blob(content)
        got = repository.post_upload({"mount": content.digest, "from": other.name})
        assert (got.status, got.headers["Docker-Content-Digest"]) == (201, content.digest)
        assert pulled(repository, got, "blobs/uploads/").body == content.data
        assert repository.registry.led_to(repository.path("blobs/uploads/"), got).startswith(f"/v2/{repository.name}/")
        assert repository.get_blob(content.digest).body == content.data
        assert other.get_blob(content.digest).body == content.data

    def test_without_a_source_it_is_found_or_has_to_be_sent(
        self, repository: Repository, other: Repository, algorithm: str
    ) -> None:
        content = blob(algorithm=algorithm)
        other.push_blob(content)
        got = repository.post_upload({"mount": content.digest})
        if got.status != 201:
            got = repository.begun(got).close(content.digest, content.data)
        assert (got.status, got.headers["Docker-Content-Digest"]) == (201, content.digest)
        assert pulled(repository, got, "blobs/uploads/").body == content.data

    def test_what_is_here_already_is_here(self, repository: Repository) -> None:
        content = blob()
        repository.push_blob(content)
        assert repository.post_upload({"mount": content.digest, "from": repository.name}).status == 201
        assert repository.get_blob(content.digest).body == content.data

    @pytest.mark.parametrize("source", ["a repository without it", "no repository", "nowhere"])
    def test_what_is_not_there_has_to_be_sent(
        self, repository: Repository, other: Repository, algorithm: str, source: str
    ) -> None:
        if source == "a repository without it":
            other.push_blob(blob())
        content = blob(algorithm=algorithm)
        query = {} if source == "nowhere" else {"from": other.name}
        upload = repository.begun(repository.post_upload({"mount": content.digest, **query}))
        assert repository.head_blob(content.digest).status == 404
        assert upload.close(content.digest, content.data).status == 201

    def test_it_stays_when_it_goes_where_it_came_from(self, repository: Repository, other: Repository) -> None:
        content = blob()
        other.push_blob(content)
        assert repository.post_upload({"mount": content.digest, "from": other.name}).status == 201
        assert other.delete_blob(content.digest).status == 202
        assert repository.get_blob(content.digest).body == content.data

    def test_a_manifest_may_need_it(self, repository: Repository, other: Repository) -> None:
        bundle = artifact()
        other.push(bundle, "latest")
        for content in bundle.all_blobs():
            assert repository.post_upload({"mount": content.digest, "from": other.name}).status == 201
        assert repository.put_manifest(bundle.manifest, "latest").status == 201

    @pytest.mark.parametrize("digest", ["sha256:baddigeststring", "nonsense"])
    def test_what_is_no_digest_is_refused_or_has_to_be_sent(self, repository: Repository, digest: str) -> None:
        got = repository.post_upload({"mount": digest, "from": repository.name})
        assert got.status == 202 or refusal(got) == (400, "DIGEST_INVALID")


class TestManifests:
    def test_the_answer_leads_to_it_and_tells_its_digest(self, repository: Repository) -> None:
        bundle = artifact()
        repository.push(bundle)
        for reference in ("1.0.0", bundle.digest):
            answer = repository.put_manifest(bundle.manifest, reference)
            assert (answer.status, answer.headers["Docker-Content-Digest"]) == (201, bundle.digest)
            got = pulled(repository, answer, f"manifests/{reference}")
            assert (got.headers["Content-Type"], got.body) == (IMAGE, bundle.manifest.data)

    def test_a_tag_moves_and_what_it_named_stays(self, repository: Repository) -> None:
        old, new = artifact(), artifact()
        repository.push(old, "latest")
        repository.push(new, "latest")
        assert repository.get_manifest("latest").body == new.manifest.data
        assert repository.get_manifest(old.digest).body == old.manifest.data

    @pytest.mark.parametrize("tag", ["a", "_", "0", "v1.2.3-rc.1_build.5", "Latest", "a..b", "a-", "x" * 128])
    def test_every_proper_tag_is_taken(self, repository: Repository, tag: str) -> None:
        bundle = artifact()
        repository.push(bundle, tag)
        assert repository.get_manifest(tag).body == bundle.manifest.data

    @pytest.mark.parametrize("tag", [".dot", "-dash", "x" * 129, "a%2Bb", "a%20b", "%C3%A4", "a%00", "a:b"])
    def test_what_is_no_tag_is_refused(self, repository: Repository, tag: str) -> None:
        bundle = artifact()
        repository.push(bundle, "proper")
        assert repository.put_manifest(bundle.manifest, tag).status in {400, 404}
        assert repository.all_tags() == [["proper"]]

    def test_bytes_that_are_not_those_of_the_digest_are_refused_and_not_kept(
        self, repository: Repository, algorithm: str
    ) -> None:
        bundle = artifact(algorithm=algorithm)
        longer = Content(bundle.manifest.data + b"  ", IMAGE)
        for content in bundle.all_blobs():
            repository.push_blob(content)
        assert refusal(repository.put_manifest(longer, bundle.digest)) == (400, "DIGEST_INVALID")
        assert repository.get_manifest(bundle.digest).status == 404
        assert repository.get_manifest(longer.digest).status == 404

    @pytest.mark.parametrize("digest", [bad for bad in BAD_DIGESTS if ":" in bad])
    def test_a_digest_that_is_none_is_refused(self, repository: Repository, digest: str) -> None:
        bundle = artifact()
        repository.push(bundle)
        assert refusal(repository.put_manifest(bundle.manifest, digest)) == (400, "DIGEST_INVALID")

    def test_parameters_of_its_type_are_passed_over(self, repository: Repository) -> None:
        bundle = artifact()
        repository.push(bundle)
        typed = Content(bundle.manifest.data, f"{IMAGE}; charset=utf-8")
        assert repository.put_manifest(typed, "typed").status == 201
        assert repository.get_manifest("typed").headers.get_all("Content-Type") == [IMAGE]

    @pytest.mark.parametrize(("told", "sent"), [(IMAGE, INDEX), (INDEX, IMAGE)])
    def test_one_that_is_sent_as_something_else_is_refused(self, repository: Repository, told: str, sent: str) -> None:
        bundle = artifact(mediaType=told, manifests=[])
        for content in bundle.all_blobs():
            repository.push_blob(content)
        typed = Content(bundle.manifest.data, sent)
        assert refusal(repository.put_manifest(typed, "x")) == (400, "MANIFEST_INVALID")
        assert repository.get_manifest("x").status == 404

    @pytest.mark.parametrize("missing", [0, 1, 2])
    def test_one_that_needs_a_blob_which_is_not_there_is_refused(self, repository: Repository, missing: int) -> None:
        bundle = image()
        for number, content in enumerate(bundle.all_blobs()):
            if number != missing:
                repository.push_blob(content)
        got = refusal(repository.put_manifest(bundle.manifest, "latest"))
        assert got.status in {400, 404}
        assert got.code == "MANIFEST_BLOB_UNKNOWN"
        assert repository.get_manifest("latest").status == 404
        assert repository.get_manifest(bundle.digest).status == 404

    def test_an_index_that_names_what_is_not_there_is_taken_or_refused_for_that(self, repository: Repository) -> None:
        there, missing = image(), image()
        repository.push(there)
        got = repository.put_manifest(index(there, missing).manifest, "sparse")
        assert got.status == 201 or refusal(got).code == "MANIFEST_BLOB_UNKNOWN"

    @pytest.mark.parametrize("media_type", [IMAGE, INDEX])
    @pytest.mark.parametrize(
        "data",
        [b"", b" ", b"{", b"nonsense", b"[]", b"null", b'"text"', b"2", b"\xff\xfe{}", b"{} {}", b"{}", b'{"a":NaN}'],
    )
    def test_what_is_no_manifest_is_refused(self, repository: Repository, data: bytes, media_type: str) -> None:
        assert refusal(repository.put_manifest(Content(data, media_type), "x")) == (400, "MANIFEST_INVALID")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"schemaVersion": 1},
            {"schemaVersion": "2"},
            {"config": None},
            {"config": []},
            {"config": {}},
            {"config": {"mediaType": EMPTY, "digest": "sha256:baddigeststring", "size": 2}},
            {"config": {"mediaType": EMPTY, "digest": 5, "size": 2}},
            {"config": {"mediaType": EMPTY, "digest": digest_of(b"{}"), "size": "2"}},
            {"layers": {}},
            {"layers": ["text"]},
            {"layers": [{}]},
            {"annotations": []},
            {"annotations": {"number": 1}},
            {"artifactType": 5},
            {"subject": "text"},
            {"subject": {"mediaType": IMAGE, "digest": "sha256:baddigeststring", "size": 2}},
        ],
        ids=json.dumps,
    )
    def test_fields_of_another_kind_are_refused(self, repository: Repository, wrong: dict[str, Any]) -> None:
        sound = artifact()
        repository.push(sound)
        content = Content(json.dumps({**json.loads(sound.manifest.data), **wrong}).encode(), IMAGE)
        assert refusal(repository.put_manifest(content, "x")) == (400, "MANIFEST_INVALID")

    @pytest.mark.parametrize(("opened", "closed"), [(b"[", b"]"), (b'{"a":', b"0" + b"}")])
    def test_what_is_nested_without_end_is_refused(self, repository: Repository, opened: bytes, closed: bytes) -> None:
        bundle = artifact()
        repository.push(bundle)
        inner = opened * 100_000 + closed[:-1] + closed[-1:] * 100_000
        for data in (inner, b'{"deep":' + inner + b"," + bundle.manifest.data[1:]):
            assert refusal(repository.put_manifest(Content(data, IMAGE), "deep")) == (400, "MANIFEST_INVALID")

    def sized(self, repository: Repository, size: int) -> Content:
        """A manifest of so many bytes, with all that it needs there."""
        bundle = artifact(annotations={"padding": ""})
        repository.push(bundle)
        padding = b'"padding": "' + b"x" * (size - len(bundle.manifest.data))
        return Content(bundle.manifest.data.replace(b'"padding": "', padding), IMAGE)

    def test_one_of_four_mebibytes_is_taken(self, repository: Repository) -> None:
        content = self.sized(repository, FOUR_MIB)
        assert repository.put_manifest(content, "large").status == 201
        assert repository.get_manifest("large").body == content.data

    @pytest.mark.parametrize("size", [FOUR_MIB + 1, 6 * 2**20])
    @pytest.mark.parametrize("known", [True, False], ids=["told", "not told"])
    def test_one_above_four_mebibytes_is_refused(self, repository: Repository, size: int, known: bool) -> None:
        content = self.sized(repository, size)
        pieces = (content.data[place : place + 65_536] for place in range(0, size, 65_536))
        body = content.data if known else pieces
        got = repository.send("PUT", "manifests/large", body, {"Content-Type": IMAGE})
        assert refusal(got).status == 413
        assert repository.get_manifest("large").status == 404

    def test_one_that_comes_without_its_length_is_taken(self, repository: Repository) -> None:
        bundle = artifact()
        repository.push(bundle)
        pieces = iter([bundle.manifest.data[:100], bundle.manifest.data[100:]])
        assert repository.send("PUT", "manifests/streamed", pieces, {"Content-Type": IMAGE}).status == 201
        assert repository.get_manifest("streamed").body == bundle.manifest.data


class TestTagsInTheQuery:
    def accepted(self, answer: Got) -> list[str]:
        """The tags that an answer says were made."""
        return sorted(tag.strip() for line in answer.headers.get_all("OCI-Tag") or [] for tag in line.split(","))

    @pytest.mark.parametrize("count", [1, 2, 10])
    def test_a_manifest_that_is_pushed_by_digest_takes_tags_along(
        self, repository: Repository, algorithm: str, count: int
    ) -> None:
        bundle = artifact(algorithm=algorithm)
        for content in bundle.all_blobs():
            repository.push_blob(content)
        tags = [f"tag-{number}" for number in range(count)]
        answer = repository.put_manifest(bundle.manifest, tags=tags)
        assert (answer.status, answer.headers["Docker-Content-Digest"]) == (201, bundle.digest)
        assert self.accepted(answer) == tags
        assert repository.all_tags() == [tags]
        for tag in tags:
            got = repository.get_manifest(tag)
            assert (got.headers["Docker-Content-Digest"], got.body) == (bundle.digest, bundle.manifest.data)

    def test_tags_that_were_there_move(self, repository: Repository) -> None:
        old, new = artifact(), artifact()
        repository.push(old, "latest", "1.0.0")
        repository.push(new)
        assert self.accepted(repository.put_manifest(new.manifest, tags=["latest", "1.1.0"])) == ["1.1.0", "latest"]
        assert repository.get_manifest("latest").body == new.manifest.data
        assert repository.get_manifest("1.0.0").body == old.manifest.data

    def test_a_push_without_them_names_none(self, repository: Repository) -> None:
        bundle = artifact()
        repository.push(bundle)
        assert self.accepted(repository.put_manifest(bundle.manifest)) == []

    @pytest.mark.parametrize("tag", [".dot", "x" * 129, "a%2Bb"])
    def test_what_is_no_tag_is_refused_with_all_that_came_with_it(self, repository: Repository, tag: str) -> None:
        bundle = artifact()
        repository.push(bundle, "proper")
        assert refusal(repository.put_manifest(bundle.manifest, tags=["fine", tag])).status == 400
        assert repository.all_tags() == [["proper"]]


class TestSubjects:
    @pytest.mark.parametrize("reference", ["by digest", "by tag"])
    @pytest.mark.parametrize("there", [True, False], ids=["subject there", "subject missing"])
    @pytest.mark.parametrize("kind", ["image", "artifact", "index"])
    def test_the_answer_names_the_subject(
        self, repository: Repository, algorithm: str, kind: str, there: bool, reference: str
    ) -> None:
        subject = image(algorithm=algorithm)
        if there:
            repository.push(subject)
        described = subject.manifest.described()
        makers = {
            "image": lambda: image(subject=described),
            "artifact": lambda: artifact(subject=described),
            "index": lambda: index(subject=described),
        }
        bundle = makers[kind]()
        for content in bundle.all_blobs():
            repository.push_blob(content)
        answer = repository.put_manifest(bundle.manifest, {"by digest": None, "by tag": "signature"}[reference])
        assert (answer.status, answer.headers["OCI-Subject"]) == (201, subject.digest)

    def test_without_a_subject_none_is_named(self, repository: Repository) -> None:
        bundle = artifact()
        repository.push(bundle)
        assert repository.put_manifest(bundle.manifest).headers["OCI-Subject"] is None
