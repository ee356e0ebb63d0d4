"""Pulling: manifests by tag and digest, blobs whole and in parts, and what is not there."""

import pytest

from tests.support.http import Got
from tests.support.oci import Registry, Repository, refusal
from tests.support.oci_contents import (
    CONFIG,
    IMAGE,
    INDEX,
    NEVER_PUSHED,
    Content,
    artifact,
    blob,
    digest_of,
    image,
    index,
)

MALFORMED = [
    "sha256:baddigeststring",
    "sha256:",
    f"sha256:{'a' * 63}",
    f"sha256:{'a' * 65}",
    f"sha256:{'A' * 64}",
    f"sha512:{'a' * 64}",
    f"md5:{'a' * 32}",
    f"sha256%3A{'g' * 64}",
]


def told(answer: Got) -> tuple[int, str | None, str | None]:
    """Status, digest and length of an answer."""
    return answer.status, answer.headers["Docker-Content-Digest"], answer.headers["Content-Length"]


class TestTheRegistryItself:
    def test_it_says_that_it_is_one(self, registry: Registry) -> None:
        assert registry.send("GET", "/v2/").status == 200

    def test_it_says_so_to_head_without_a_body(self, registry: Registry) -> None:
        got = registry.send("HEAD", "/v2/")
        assert (got.status, got.body) == (200, b"")


class TestBlobs:
    @pytest.mark.parametrize("size", [0, 1, 512, 3 * 2**20 + 1])
    def test_a_blob_comes_back_whole_with_its_digest_and_length(
        self, repository: Repository, algorithm: str, size: int
    ) -> None:
        content = blob(size, algorithm=algorithm)
        repository.push_blob(content)
        got = repository.get_blob(content.digest)
        assert told(got) == (200, content.digest, str(size))
        assert got.body == content.data

    @pytest.mark.parametrize("data", [b"", b"{}", b"some bytes"])
    def test_head_tells_the_same_without_the_body(self, repository: Repository, algorithm: str, data: bytes) -> None:
        content = Content(data, algorithm=algorithm)
        repository.push_blob(content)
        got = repository.head_blob(content.digest)
        assert told(got) == (200, content.digest, str(len(data)))
        assert got.body == b""

    def test_a_blob_that_nobody_pushed_is_unknown(self, repository: Repository, algorithm: str) -> None:
        repository.push_blob(blob())
        missing = blob(algorithm=algorithm).digest
        assert refusal(repository.get_blob(missing)) == (404, "BLOB_UNKNOWN")
        head = repository.head_blob(missing)
        assert (head.status, head.body) == (404, b"")

    def test_a_repository_that_nobody_pushed_to_has_no_blobs(self, repository: Repository) -> None:
        got = refusal(repository.get_blob(blob().digest))
        assert got.status == 404
        assert got.code in {"BLOB_UNKNOWN", "NAME_UNKNOWN"}

    def test_a_blob_of_one_repository_is_not_in_another(self, repository: Repository, other: Repository) -> None:
        content = blob()
        repository.push_blob(content)
        other.push_blob(blob())
        assert refusal(other.get_blob(content.digest)) == (404, "BLOB_UNKNOWN")

    @pytest.mark.parametrize("digest", MALFORMED)
    def test_what_is_no_digest_names_no_blob(self, repository: Repository, digest: str) -> None:
        repository.push_blob(blob())
        assert repository.get_blob(digest).status in {400, 404}
        assert repository.head_blob(digest).status in {400, 404}


class TestPartsOfBlobs:
    @pytest.mark.parametrize(
        ("asked", "first", "last"),
        [
            ("bytes=500-1499", 500, 1499),
            ("bytes=500-", 500, 2047),
            ("bytes=-500", 1548, 2047),
            ("bytes=2000-5000", 2000, 2047),
            ("bytes=0-0", 0, 0),
            ("bytes=0-", 0, 2047),
        ],
    )
    def test_a_part_comes_alone_and_says_which_it_is(
        self, repository: Repository, algorithm: str, asked: str, first: int, last: int
    ) -> None:
        content = blob(2048, algorithm=algorithm)
        repository.push_blob(content)
        got = repository.get_blob(content.digest, asked)
        assert told(got) == (206, content.digest, str(last - first + 1))
        assert got.headers["Content-Range"] in {f"bytes {first}-{last}/2048", f"bytes {first}-{last}/*"}
        assert got.body == content.data[first : last + 1]

    @pytest.mark.parametrize("asked", ["bytes=5000-10000", "bytes=2048-"])
    def test_a_part_that_is_not_there_is_refused(self, repository: Repository, algorithm: str, asked: str) -> None:
        content = blob(2048, algorithm=algorithm)
        repository.push_blob(content)
        assert repository.get_blob(content.digest, asked).status == 416

    def test_a_part_that_ends_before_it_begins_is_refused_or_passed_over(self, repository: Repository) -> None:
        content = blob(2048)
        repository.push_blob(content)
        got = repository.get_blob(content.digest, "bytes=500-0")
        assert got.status == 416 or (got.status, got.body) == (200, content.data)

    def test_the_refusal_tells_how_long_the_blob_is(self, repository: Repository) -> None:
        content = blob(2048)
        repository.push_blob(content)
        assert repository.get_blob(content.digest, "bytes=5000-").headers["Content-Range"] == "bytes */2048"

    def test_a_pull_that_broke_off_can_go_on_where_it_was(self, repository: Repository) -> None:
        content = blob(2**20)
        repository.push_blob(content)
        begun = repository.get_blob(content.digest, "bytes=0-299999").body
        rest = repository.get_blob(content.digest, f"bytes={len(begun)}-").body
        assert digest_of(begun + rest) == content.digest


class TestManifests:
    @pytest.mark.parametrize("reference", ["a tag", "its digest"])
    @pytest.mark.parametrize("kind", ["image", "index", "artifact"])
    def test_a_manifest_comes_back_as_it_was_sent_with_its_type_digest_and_length(
        self, repository: Repository, algorithm: str, kind: str, reference: str
    ) -> None:
        makers = {
            "image": lambda: image(algorithm=algorithm),
            "index": lambda: index(image(algorithm=algorithm), algorithm=algorithm),
            "artifact": lambda: artifact(algorithm=algorithm),
        }
        bundle = makers[kind]()
        repository.push(bundle)
        if reference == "a tag":
            # Only with its digest in the path a manifest has one of sha512.
            by_tag = repository.put_manifest(bundle.manifest, "1.0.0")
            by_digest = repository.put_manifest(bundle.manifest, tags=["1.0.0"] if algorithm == "sha512" else [])
            assert (by_tag.status, by_digest.status) == (201, 201)
        where = {"a tag": "1.0.0", "its digest": bundle.digest}[reference]

        got = repository.get_manifest(where)
        assert told(got) == (200, bundle.digest, str(len(bundle.manifest.data)))
        assert got.headers.get_all("Content-Type") == [bundle.manifest.media_type]
        assert got.body == bundle.manifest.data

        head = repository.head_manifest(where)
        assert told(head) == told(got)
        assert head.headers.get_all("Content-Type") == [bundle.manifest.media_type]
        assert head.body == b""

    @pytest.mark.parametrize(
        "form",
        [
            "%s\n",
            "\n\t  %s  \r\n",
            '{\t"annotations" : {"z":"\\u00e4\\/","a":"ä<&>"}, %s',
            '{"number":1.50,"large":123456789012345678901234567890,"e":1E2,%s',
        ],
    )
    def test_every_byte_of_a_manifest_is_kept(self, repository: Repository, form: str) -> None:
        bundle = artifact()
        plain = bundle.manifest.data.decode()
        odd = Content((form % (plain[1:] if form.startswith("{") else plain)).encode(), IMAGE)
        repository.push(bundle)
        assert repository.put_manifest(odd, "odd").status == 201
        for reference in ("odd", odd.digest):
            got = repository.get_manifest(reference)
            assert got.body == odd.data
            assert got.headers["Docker-Content-Digest"] == odd.digest

    @pytest.mark.parametrize("accept", ["*/*", f"{IMAGE}, {INDEX}", IMAGE, f"{INDEX};q=0.5, {IMAGE}", None])
    def test_a_manifest_is_given_to_whoever_accepts_its_type(self, repository: Repository, accept: str | None) -> None:
        bundle = artifact()
        repository.push(bundle)
        headers = {"Accept": accept} if accept else {}
        got = repository.send("GET", f"manifests/{bundle.digest}", headers=headers)
        assert (got.status, got.headers["Content-Type"]) == (200, IMAGE)

    @pytest.mark.parametrize(
        "fields", [{"config": Content(b"{}", CONFIG).described(), "layers": []}, {"manifests": []}]
    )
    def test_one_that_does_not_tell_its_type_has_that_which_it_was_pushed_as(
        self, repository: Repository, fields: dict[str, object]
    ) -> None:
        media_type = INDEX if "manifests" in fields else IMAGE
        named = "".join(f',"{name}":{str(value).replace(chr(39), chr(34))}' for name, value in fields.items())
        content = Content(f'{{"schemaVersion":2{named}}}'.encode(), media_type)
        repository.push_blob(Content(b"{}"))
        assert repository.put_manifest(content, "untold").status == 201
        got = repository.get_manifest("untold")
        assert (got.headers["Content-Type"], got.body) == (media_type, content.data)

    @pytest.mark.parametrize("reference", ["missing", NEVER_PUSHED, digest_of(b"nor this", "sha512")])
    def test_a_manifest_that_nobody_pushed_is_unknown(self, repository: Repository, reference: str) -> None:
        repository.push(artifact(), "latest")
        assert refusal(repository.get_manifest(reference)) == (404, "MANIFEST_UNKNOWN")
        head = repository.head_manifest(reference)
        assert (head.status, head.body) == (404, b"")

    @pytest.mark.parametrize("reference", ["latest", NEVER_PUSHED])
    def test_a_repository_that_nobody_pushed_to_has_no_manifests(self, repository: Repository, reference: str) -> None:
        got = refusal(repository.get_manifest(reference))
        assert got.status == 404
        assert got.code in {"MANIFEST_UNKNOWN", "NAME_UNKNOWN"}

    def test_a_manifest_of_one_repository_is_not_in_another(self, repository: Repository, other: Repository) -> None:
        bundle = artifact()
        repository.push(bundle, "latest")
        other.push(artifact(), "another")
        assert refusal(other.get_manifest(bundle.digest)) == (404, "MANIFEST_UNKNOWN")
        assert refusal(other.get_manifest("latest")) == (404, "MANIFEST_UNKNOWN")

    @pytest.mark.parametrize("digest", MALFORMED)
    def test_what_is_no_digest_names_no_manifest(self, repository: Repository, digest: str) -> None:
        repository.push(artifact())
        assert repository.get_manifest(digest).status in {400, 404}
        assert repository.head_manifest(digest).status in {400, 404}
