"""Uploads of blobs: their names, their pieces, and what becomes of those that nobody ends."""

import io
import uuid
from dataclasses import replace

import pytest

from chartrepo import layout
from chartrepo.core import oci
from chartrepo.core.errors import BlobUnknown, ChunkOutOfOrder, DigestInvalid, UploadUnknown
from chartrepo.core.oci import Name
from chartrepo.registry import Blobs, Uploads
from storage.base import ANYWAY, Unavailable
from tests.support.repositories import Shop

WEB, OTHER = Name("team", "web"), Name("team", "other")
DATA = b"0123456789"
DIGEST = oci.digest_of(DATA)
LIFETIME = 3600.0


@pytest.fixture
def uploads(shop: Shop) -> Uploads:
    return on(shop)


def on(shop: Shop, key: bytes = b"secret") -> Uploads:
    """The uploads of another process, or of another server where the key is another one."""
    return Uploads(shop.state, Blobs(shop.repositories), key=key, lifetime=LIFETIME, clock=shop.clock)


def source(data: bytes) -> io.BytesIO:
    return io.BytesIO(data)


def read(shop: Shop, name: Name = WEB, digest: oci.Digest = DIGEST) -> bytes:
    opened = Blobs(shop.repositories).open(name, digest)
    assert opened.reader is not None
    with opened.reader as reader:
        return reader.read()


def left(shop: Shop) -> list[str]:
    return [info.key for info in shop.state.list(layout.UPLOADS_PREFIX)]


class Breaking(io.BytesIO):
    """Gives its bytes, and then fails as a connection does."""

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        if not piece:
            raise TimeoutError("the client hung up")
        return piece


class TestNames:
    def test_a_name_is_a_uuid_and_beginning_writes_nothing(self, uploads: Uploads, shop: Shop) -> None:
        upload = uploads.begin(WEB)
        assert str(uuid.UUID(upload)) == upload
        assert uuid.UUID(upload).version == 8
        assert uploads.received(WEB, upload) == 0
        assert left(shop) == []
        assert uploads.begin(WEB) != upload

    def test_another_process_knows_it(self, uploads: Uploads, shop: Shop) -> None:
        upload = uploads.begin(WEB)
        assert on(shop).append(WEB, upload, source(DATA), None) == 10

    @pytest.mark.parametrize("name", [OTHER, Name("", "web"), Name("team/web", "web"), Name("", "team")])
    def test_it_is_bound_to_its_oci_repository(self, uploads: Uploads, name: Name) -> None:
        upload = uploads.begin(WEB)
        for act in (
            lambda: uploads.received(name, upload),
            lambda: uploads.append(name, upload, source(DATA), None),
            lambda: uploads.finish(name, upload, source(DATA), None, DIGEST),
            lambda: uploads.cancel(name, upload),
        ):
            with pytest.raises(UploadUnknown, match="begin a new one with POST"):
                act()

    def test_one_that_nobody_began_is_unknown(self, uploads: Uploads, shop: Shop) -> None:
        good = uploads.begin(WEB)
        value = uuid.UUID(good).int
        forged = [str(uuid.UUID(int=value ^ 1 << bit)) for bit in range(0, 128, 3)]
        for upload in (
            "",
            "x",
            "..",
            "../../x",
            good.upper(),
            f"urn:uuid:{good}",
            f"{{{good}}}",
            str(uuid.uuid4()),
            *forged,
        ):
            with pytest.raises(UploadUnknown):
                uploads.received(WEB, upload)
        with pytest.raises(UploadUnknown):
            on(shop, b"another secret").received(WEB, good)

    def test_it_expires(self, uploads: Uploads, shop: Shop) -> None:
        upload = uploads.begin(WEB)
        uploads.append(WEB, upload, source(DATA), None)
        shop.clock.now += LIFETIME - 1
        assert uploads.received(WEB, upload) == 10
        shop.clock.now += 2
        with pytest.raises(UploadUnknown):
            uploads.received(WEB, upload)

    def test_clocks_of_replicas_may_differ_a_little(self, uploads: Uploads, shop: Shop) -> None:
        upload = uploads.begin(WEB)
        shop.clock.now -= 600
        assert uploads.received(WEB, upload) == 0
        shop.clock.now -= 3600
        with pytest.raises(UploadUnknown):
            uploads.received(WEB, upload)


class TestPieces:
    @pytest.mark.parametrize("same", [True, False], ids=["one process", "each another process"])
    @pytest.mark.parametrize("cuts", [[10], [3, 7], [1, 2, 3, 4], [5, 5, 0]])
    @pytest.mark.parametrize("algorithm", oci.ALGORITHMS)
    def test_they_become_the_blob(self, shop: Shop, cuts: list[int], same: bool, algorithm: str) -> None:
        first = on(shop)
        upload, place = first.begin(WEB), 0
        for cut in cuts[:-1]:
            uploads = first if same else on(shop)
            assert uploads.append(WEB, upload, source(DATA[place : place + cut]), place) == place + cut
            place += cut
        digest = oci.digest_of(DATA, algorithm)
        (first if same else on(shop)).finish(WEB, upload, source(DATA[place:]), None, digest)
        assert read(shop, digest=digest) == DATA
        with pytest.raises(BlobUnknown):
            read(shop, OTHER, digest)

    @pytest.mark.parametrize("start", [0, 4, 6, 100])
    def test_one_out_of_order_is_refused_with_where_to_go_on(self, uploads: Uploads, start: int) -> None:
        upload = uploads.begin(WEB)
        uploads.append(WEB, upload, source(DATA[:5]), 0)
        for act in (
            lambda: uploads.append(WEB, upload, source(DATA[5:]), start),
            lambda: uploads.finish(WEB, upload, source(DATA[5:]), start, DIGEST),
        ):
            with pytest.raises(ChunkOutOfOrder, match="go on from byte 5") as refused:
                act()
            assert refused.value.received == 5
        assert uploads.received(WEB, upload) == 5

    def test_one_that_breaks_off_is_kept_as_far_as_it_came(self, uploads: Uploads, shop: Shop) -> None:
        upload = uploads.begin(WEB)
        with pytest.raises(TimeoutError):
            uploads.append(WEB, upload, Breaking(DATA[:4]), None)
        assert uploads.received(WEB, upload) == 4
        uploads.append(WEB, upload, source(DATA[4:]), 4)
        uploads.finish(WEB, upload, source(b""), None, DIGEST)
        assert read(shop) == DATA

    def test_the_empty_blob_needs_none(self, uploads: Uploads, shop: Shop) -> None:
        empty = oci.digest_of(b"")
        uploads.finish(WEB, uploads.begin(WEB), source(b""), None, empty)
        assert read(shop, digest=empty) == b""

    @pytest.mark.parametrize("sent", [0, 5, 10])
    def test_another_digest_makes_no_blob_and_the_upload_can_go_on(
        self, uploads: Uploads, shop: Shop, sent: int
    ) -> None:
        upload = uploads.begin(WEB)
        uploads.append(WEB, upload, source(DATA[:sent]), None)
        wrong = oci.digest_of(b"something else")
        with pytest.raises(DigestInvalid, match=f"announced as {wrong}, and what came is {DIGEST}: send it again"):
            uploads.finish(WEB, upload, source(DATA[sent:]), None, wrong)
        with pytest.raises(BlobUnknown):
            read(shop, digest=wrong)
        uploads.finish(WEB, upload, source(DATA[sent:]), None, DIGEST)
        assert read(shop) == DATA

    def test_of_two_that_send_the_same_piece_one_is_told(
        self, uploads: Uploads, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        upload = uploads.begin(WEB)

        class Overtaken(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if not left(shop):
                    on(shop).append(WEB, upload, source(DATA), None)
                return super().read(size)

        with pytest.raises(ChunkOutOfOrder) as refused:
            uploads.append(WEB, upload, Overtaken(DATA), None)
        assert refused.value.received == 10
        uploads.finish(WEB, upload, source(b""), None, DIGEST)
        assert read(shop) == DATA


class TestTheEnd:
    def test_nothing_but_a_mark_is_left_and_the_name_is_unknown(self, uploads: Uploads, shop: Shop) -> None:
        upload = uploads.begin(WEB)
        uploads.append(WEB, upload, source(DATA), None)
        uploads.finish(WEB, upload, source(b""), None, DIGEST)
        assert left(shop) == [layout.ended_key(upload)]
        with pytest.raises(UploadUnknown):
            uploads.received(WEB, upload)
        with pytest.raises(UploadUnknown):
            uploads.append(WEB, upload, source(DATA), None)

    def test_ending_it_again_succeeds_for_the_answer_may_have_been_lost(self, uploads: Uploads) -> None:
        upload = uploads.begin(WEB)
        for _ in range(2):
            uploads.finish(WEB, upload, source(DATA), None, DIGEST)
        with pytest.raises(UploadUnknown):
            uploads.finish(WEB, upload, source(b"x"), None, oci.digest_of(b"x"))

    def test_a_storage_that_fails_to_clean_up_loses_no_blob(self, shop: Shop) -> None:
        upload = on(shop).begin(WEB)
        on(shop).append(WEB, upload, source(DATA), None)
        faulty = replace(on(shop), state=type(shop.storage)(shop.state))
        faulty.state.fail("delete", Unavailable("not now"))
        faulty.finish(WEB, upload, source(b""), None, DIGEST)
        assert read(shop) == DATA

    def test_one_that_is_given_up_is_unknown(self, uploads: Uploads, shop: Shop) -> None:
        upload = uploads.begin(WEB)
        uploads.append(WEB, upload, source(DATA), None)
        uploads.cancel(WEB, upload)
        assert left(shop) == [layout.ended_key(upload)]
        for act in (lambda: uploads.received(WEB, upload), lambda: uploads.cancel(WEB, upload)):
            with pytest.raises(UploadUnknown):
                act()

    def test_a_blob_that_is_sent_again_is_not_removed(self, uploads: Uploads, shop: Shop) -> None:
        blobs = Blobs(shop.repositories)
        for again in (
            lambda: uploads.put(WEB, source(DATA), DIGEST),
            lambda: uploads.finish(WEB, uploads.begin(WEB), source(DATA), None, DIGEST),
        ):
            again()
            shop.put(layout.condemned_key(WEB.path, DIGEST), b"")
            with pytest.raises(BlobUnknown):
                blobs.size(WEB, DIGEST)
            again()
            assert blobs.size(WEB, DIGEST) == 10


class TestCleaning:
    def test_what_expired_is_removed_and_the_rest_stays(self, uploads: Uploads, shop: Shop) -> None:
        old, ended = uploads.begin(WEB), uploads.begin(WEB)
        uploads.append(WEB, old, source(DATA[:3]), None)
        uploads.append(WEB, old, source(DATA[3:]), None)
        uploads.append(WEB, ended, source(DATA), None)
        uploads.finish(WEB, ended, source(b""), None, DIGEST)
        shop.clock.now += LIFETIME / 2
        young = uploads.begin(WEB)
        uploads.append(WEB, young, source(DATA), None)
        assert uploads.remove_expired() == 0
        shop.clock.now += LIFETIME / 2 + 1
        assert uploads.remove_expired() == 3
        assert left(shop) == [layout.chunk_key(young, 0)]
        uploads.finish(WEB, young, source(b""), None, DIGEST)
        assert read(shop) == DATA

    def test_what_is_no_upload_is_removed_and_nothing_outside(self, uploads: Uploads, shop: Shop) -> None:
        for key in (f"{layout.UPLOADS_PREFIX}abc/README", "snapshot.jsonl.gz"):
            shop.state.put(key, b"x", condition=ANYWAY)
        assert uploads.remove_expired() == 1
        assert [info.key for info in shop.state.list()] == ["snapshot.jsonl.gz"]
