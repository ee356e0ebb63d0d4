"""Uploads under way: in chunks, as a stream, broken off, out of order, given up.

Every request has a connection of its own, so that chunks of one upload come to different workers.
"""

import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from tests.support.oci import Repository, Upload, refusal
from tests.support.oci_contents import Content, artifact, blob
from tests.support.processes import eventually

CHUNK: Final = 65_536
NOBODYS: Final = uuid.UUID(int=0xABCDEF)


def three_chunks(algorithm: str = "sha256") -> Content:
    """A blob of three chunks, the last of which is shorter."""
    return blob(3 * CHUNK - 5, algorithm=algorithm)


def pieces(content: Content, size: int = CHUNK) -> list[tuple[int, bytes]]:
    """The chunks of a blob with their places."""
    return [(place, content.data[place : place + size]) for place in range(0, len(content.data), size)]


class TestBeginning:
    def test_each_upload_has_a_place_of_its_own_with_a_uuid_in_it(self, repository: Repository) -> None:
        places = {repository.upload().path for _ in range(3)}
        assert len(places) == 3
        for place in places:
            assert re.search(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", place), place

    def test_nothing_is_there_yet(self, repository: Repository) -> None:
        upload = repository.upload()
        assert upload.offset() == 0
        assert upload.ask().headers["Range"] == "0-0"

    @pytest.mark.parametrize("query", ["?digest-algorithm=md5", "?digest-algorithm=nonsense"])
    def test_an_algorithm_that_is_not_supported_is_refused(self, repository: Repository, query: str) -> None:
        assert refusal(repository.send("POST", f"blobs/uploads/{query}")) == (400, "DIGEST_INVALID")


class TestChunks:
    def test_each_chunk_is_acknowledged_with_all_that_is_there(self, repository: Repository, algorithm: str) -> None:
        content = three_chunks(algorithm)
        upload = repository.upload()
        for place, data in pieces(content):
            answer = upload.patch(data, at=place)
            assert (answer.status, answer.headers["Range"]) == (202, f"0-{place + len(data) - 1}")
            assert answer.headers["Location"] is not None
        done = upload.close(content.digest)
        assert (done.status, done.headers["Docker-Content-Digest"]) == (201, content.digest)
        where = repository.registry.led_to(upload.path, done)
        assert repository.registry.send("GET", where).body == content.data

    def test_the_last_chunk_may_come_with_the_end(self, repository: Repository, algorithm: str) -> None:
        content = three_chunks(algorithm)
        upload = repository.upload()
        *first, (place, last) = pieces(content)
        for at, data in first:
            assert upload.patch(data, at=at).status == 202
        done = upload.close(content.digest, last, at=place)
        assert (done.status, done.headers["Docker-Content-Digest"]) == (201, content.digest)
        assert repository.get_blob(content.digest).body == content.data

    @pytest.mark.parametrize("size", [1, 512])
    def test_one_chunk_may_be_the_whole_blob(self, repository: Repository, algorithm: str, size: int) -> None:
        content = blob(size, algorithm=algorithm)
        upload = repository.upload()
        assert upload.patch(content.data, at=0).headers["Range"] == f"0-{size - 1}"
        assert upload.close(content.digest).status == 201
        assert repository.get_blob(content.digest).body == content.data

    def test_chunks_may_be_of_any_size_and_their_sum_large(self, repository: Repository) -> None:
        content = blob(11 * 2**20 + 3)
        upload = repository.upload()
        for place, data in pieces(content, 2**20 + 1):
            assert upload.patch(data, at=place).status == 202
        assert upload.close(content.digest).status == 201
        assert repository.get_blob(content.digest).body == content.data

    def test_very_small_ones_are_chunks_too(self, repository: Repository) -> None:
        content = blob(20)
        upload = repository.upload()
        for place, data in pieces(content, 3):
            assert upload.patch(data, at=place).status == 202
        assert upload.close(content.digest).status == 201
        assert repository.get_blob(content.digest).body == content.data

    def test_uploads_beside_each_other_do_not_mix(self, repository: Repository, other: Repository) -> None:
        contents = [three_chunks() for _ in range(3)]
        uploads = [repository.upload(), repository.upload(), other.upload()]
        for step in range(3):
            for content, upload in zip(contents, uploads, strict=True):
                place, data = pieces(content)[step]
                assert upload.patch(data, at=place).status == 202
        for content, upload in zip(contents, uploads, strict=True):
            assert upload.close(content.digest).status == 201
        assert other.get_blob(contents[2].digest).body == contents[2].data
        assert repository.get_blob(contents[2].digest).status == 404

    def test_bytes_that_are_not_those_of_the_digest_are_refused_and_not_kept(
        self, repository: Repository, algorithm: str
    ) -> None:
        content = three_chunks(algorithm)
        spoilt = Content(content.data + b"oh no")
        upload = repository.upload()
        for place, data in pieces(spoilt):
            assert upload.patch(data, at=place).status == 202
        assert refusal(upload.close(content.digest)) == (400, "DIGEST_INVALID")

        upload = repository.upload()
        *first, (place, last) = pieces(spoilt)
        for at, data in first:
            assert upload.patch(data, at=at).status == 202
        assert refusal(upload.close(content.digest, last, at=place)) == (400, "DIGEST_INVALID")
        assert repository.get_blob(content.digest).status == 404


class TestStreams:
    @pytest.mark.parametrize("told", [True, False], ids=["length told", "length not told"])
    def test_a_blob_may_come_in_one_stream(self, repository: Repository, algorithm: str, told: bool) -> None:
        content = three_chunks(algorithm)
        upload = repository.upload()
        answer = upload.patch(content.data if told else iter([content.data[:100], content.data[100:]]))
        assert (answer.status, answer.headers["Range"]) == (202, f"0-{len(content.data) - 1}")
        done = upload.close(content.digest)
        assert (done.status, done.headers["Docker-Content-Digest"]) == (201, content.digest)
        assert repository.get_blob(content.digest).body == content.data

    def test_one_stream_goes_on_where_another_ended(self, repository: Repository) -> None:
        content = three_chunks()
        upload = repository.upload()
        for place, data in pieces(content):
            answer = upload.patch(iter([data]))
            assert (answer.status, answer.headers["Range"]) == (202, f"0-{place + len(data) - 1}")
        assert upload.close(content.digest).status == 201
        assert repository.get_blob(content.digest).body == content.data

    def test_a_large_one_is_taken(self, repository: Repository) -> None:
        content = blob(12 * 2**20 + 1)
        upload = repository.upload()
        assert upload.patch(iter([data for _, data in pieces(content)])).status == 202
        assert upload.close(content.digest).status == 201
        assert repository.get_blob(content.digest).body == content.data

    def test_the_end_may_be_a_stream(self, repository: Repository) -> None:
        content = three_chunks()
        upload = repository.upload()
        assert upload.patch(content.data[:CHUNK]).status == 202
        rest = iter([content.data[CHUNK : 2 * CHUNK], content.data[2 * CHUNK :]])
        assert repository.registry.send("PUT", upload.closing_path(content.digest), rest).status == 201
        assert repository.get_blob(content.digest).body == content.data

    def test_bytes_that_are_not_those_of_the_digest_are_refused_and_not_kept(
        self, repository: Repository, algorithm: str
    ) -> None:
        content = three_chunks(algorithm)
        upload = repository.upload()
        assert upload.patch(iter([content.data, b"oh no"])).status == 202
        assert refusal(upload.close(content.digest)) == (400, "DIGEST_INVALID")
        assert repository.get_blob(content.digest).status == 404


class TestOutOfOrder:
    @pytest.mark.parametrize("wrong", ["ahead", "from the start", "overlapping", "by one too far"])
    def test_a_chunk_that_does_not_follow_is_refused_and_the_upload_goes_on(
        self, repository: Repository, algorithm: str, wrong: str
    ) -> None:
        content = three_chunks(algorithm)
        upload = repository.upload()
        there, later, last = pieces(content)
        assert upload.patch(there[1], at=0).status == 202
        at = {"ahead": 2 * CHUNK, "from the start": 0, "overlapping": CHUNK - 1, "by one too far": CHUNK + 1}[wrong]

        assert upload.patch(content.data[at : at + CHUNK], at=at).status == 416
        got = upload.ask()
        assert (got.status, got.body, got.headers["Range"]) == (204, b"", f"0-{CHUNK - 1}")
        assert got.headers["Location"] is not None

        for place, data in (later, last):
            assert upload.patch(data, at=place).status == 202
        assert upload.close(content.digest).status == 201
        assert repository.get_blob(content.digest).body == content.data

    def test_the_first_chunk_begins_with_the_first_byte(self, repository: Repository, algorithm: str) -> None:
        content = three_chunks(algorithm)
        upload = repository.upload()
        assert upload.patch(content.data[CHUNK:], at=CHUNK).status == 416
        assert upload.offset() == 0
        assert upload.patch(content.data, at=0).status == 202
        assert upload.close(content.digest).status == 201

    def test_the_refusal_is_one_that_the_specification_knows(self, repository: Repository) -> None:
        upload = repository.upload()
        assert refusal(upload.patch(b"bytes", at=1)).status == 416

    @pytest.mark.parametrize("at", [0, CHUNK - 1, 2 * CHUNK])
    def test_the_end_has_to_follow_too(self, repository: Repository, algorithm: str, at: int) -> None:
        content = three_chunks(algorithm)
        upload = repository.upload()
        assert upload.patch(content.data[:CHUNK], at=0).status == 202
        assert upload.close(content.digest, content.data[at:], at=at).status == 416
        assert repository.head_blob(content.digest).status == 404
        assert upload.offset() == CHUNK
        assert upload.close(content.digest, content.data[CHUNK:], at=CHUNK).status == 201
        assert repository.get_blob(content.digest).body == content.data

    @pytest.mark.parametrize(
        "span", [f"{CHUNK}-{CHUNK + 3}", f"{CHUNK}-{CHUNK + 30}", f"{CHUNK}-{CHUNK - 1}", "x-y", "-5"]
    )
    def test_a_range_that_is_not_that_of_the_bytes_is_refused(self, repository: Repository, span: str) -> None:
        content = three_chunks()
        upload = repository.upload()
        assert upload.patch(content.data[:CHUNK], at=0).status == 202
        assert upload.patch(content.data[CHUNK : CHUNK + 10], span=span).status in {400, 416}
        assert upload.offset() == CHUNK
        assert upload.patch(content.data[CHUNK:], at=CHUNK).status == 202
        assert upload.close(content.digest).status == 201

    def test_of_chunks_for_one_place_that_come_at_once_one_is_taken(self, repository: Repository) -> None:
        content = three_chunks()
        upload = repository.upload()
        assert upload.patch(content.data[:CHUNK], at=0).status == 202

        def send(_: int) -> int:
            return Upload(repository.registry, upload.path).patch(content.data[CHUNK : 2 * CHUNK], at=CHUNK).status

        with ThreadPoolExecutor(4) as at_once:
            statuses = sorted(at_once.map(send, range(4)))
        assert statuses[0] == 202
        assert all(400 <= status < 500 for status in statuses[1:]), statuses
        assert upload.offset() == 2 * CHUNK
        assert upload.close(content.digest, content.data[2 * CHUNK :], at=2 * CHUNK).status == 201
        assert repository.get_blob(content.digest).body == content.data


class TestBrokenOff:
    def goes_on(self, upload: Upload, content: Content) -> bool:
        """Whether the rest was taken from where the registry says it is."""
        at = upload.offset()
        return upload.patch(content.data[at:], at=at).status == 202

    def test_a_chunk_cut_off_in_its_middle_can_be_continued(self, repository: Repository, algorithm: str) -> None:
        content = blob(2**20, algorithm=algorithm)
        upload = repository.upload()
        assert upload.patch(content.data[:CHUNK], at=0).status == 202
        upload.patch_half(content.data[CHUNK:], at=CHUNK)
        eventually(lambda: self.goes_on(upload, content), what="the upload went on")
        done = upload.close(content.digest)
        assert (done.status, done.headers["Docker-Content-Digest"]) == (201, content.digest)
        assert repository.get_blob(content.digest).body == content.data

    def test_it_may_be_cut_off_more_than_once(self, repository: Repository) -> None:
        content = blob(2**20)
        upload = repository.upload()
        for _ in range(3):
            at = upload.offset()
            upload.patch_half(content.data[at : at + CHUNK], at=at)
        eventually(lambda: self.goes_on(upload, content), what="the upload went on")
        assert upload.close(content.digest).status == 201
        assert repository.get_blob(content.digest).body == content.data

    def test_an_end_cut_off_in_its_middle_leaves_no_blob(self, repository: Repository) -> None:
        content = blob(2**20)
        upload = repository.upload()
        repository.registry.send_half("PUT", upload.closing_path(content.digest), content.data)
        assert repository.get_blob(content.digest).status == 404
        repository.push_blob(content)
        assert repository.get_blob(content.digest).body == content.data

    def test_a_manifest_cut_off_in_its_middle_is_not_there(self, repository: Repository) -> None:
        content = Content(b'{"schemaVersion":2}' + b" " * 1000)
        repository.push(artifact())
        repository.registry.send_half("PUT", repository.path("manifests/half"), content.data)
        assert refusal(repository.get_manifest("half")) == (404, "MANIFEST_UNKNOWN")


class TestGivenUp:
    @pytest.mark.parametrize("begun", [True, False], ids=["begun", "empty"])
    def test_an_upload_that_was_given_up_is_unknown(self, repository: Repository, begun: bool) -> None:
        content = blob()
        upload = repository.upload()
        if begun:
            assert upload.patch(content.data[:100], at=0).status == 202
        got = upload.cancel()
        assert (got.status, got.body) == (204, b"")
        for answer in (
            upload.ask(),
            upload.patch(content.data, at=0),
            upload.close(content.digest, content.data),
            upload.cancel(),
        ):
            assert refusal(answer) == (404, "BLOB_UPLOAD_UNKNOWN")
        assert repository.get_blob(content.digest).status == 404

    def test_others_go_on(self, repository: Repository) -> None:
        content = three_chunks()
        given_up, kept = repository.upload(), repository.upload()
        assert kept.patch(content.data[:CHUNK], at=0).status == 202
        assert given_up.cancel().status == 204
        assert kept.close(content.digest, content.data[CHUNK:], at=CHUNK).status == 201


class TestUnknown:
    @pytest.mark.parametrize("name", [str(NOBODYS), str(NOBODYS).upper(), "nonsense", "x" * 300, "%2E%2E"])
    def test_an_upload_that_nobody_began_is_unknown(self, repository: Repository, name: str) -> None:
        content = blob()
        repository.push(artifact())
        upload = Upload(repository.registry, repository.path(f"blobs/uploads/{name}"))
        for answer in (
            upload.ask(),
            upload.patch(content.data, at=0),
            upload.close(content.digest, content.data),
            upload.cancel(),
        ):
            assert refusal(answer) == (404, "BLOB_UPLOAD_UNKNOWN")

    def test_an_upload_of_one_repository_is_not_one_of_another(self, repository: Repository, other: Repository) -> None:
        content = blob()
        other.push_blob(blob())
        upload = repository.upload()
        foreign = Upload(repository.registry, upload.path.replace(repository.name, other.name))
        assert foreign.path != upload.path
        assert refusal(foreign.patch(content.data, at=0)) == (404, "BLOB_UPLOAD_UNKNOWN")
        assert refusal(foreign.cancel()) == (404, "BLOB_UPLOAD_UNKNOWN")
        assert upload.close(content.digest, content.data).status == 201
