"""What an S3 storage makes of a network and a service that fail."""

import functools
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from storage.base import (
    ABSENT,
    ANYWAY,
    AlreadyExists,
    Changed,
    Matching,
    Misconfigured,
    NoSpace,
    NotFound,
    ObjectInfo,
    State,
    StorageError,
    Unavailable,
)
from storage.circuit import Circuit
from storage.options import S3Options
from storage.s3 import S3Reader, S3Storage, connect
from storage.url import open_storage
from tests.storage.buckets import at, client, fresh_bucket, raw, uploads
from tests.storage.contract import LONG, MIB, BrokenSourceError, Stream, listed, noise, read
from tests.support.faultproxy import (
    BROKEN_AFTER_ALL,
    LOST_ANSWER,
    LOST_REQUEST,
    SILENCE,
    SILENCE_UNHEARD,
    SLOW_DOWN,
    Fault,
    FaultProxy,
    answer,
    cut,
)
from tests.support.s3server import S3

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

ATTEMPTS: Final = 3


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.s3._FIRST_PAUSE", 0.001)


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def bucket(moto_s3: S3) -> str:
    return fresh_bucket(moto_s3)


@pytest.fixture
def proxy(moto_s3: S3, stack: ExitStack) -> FaultProxy:
    proxy = before(stack, moto_s3.endpoint_url)
    proxy.reset()
    return proxy


@pytest.fixture
def storage(proxy: FaultProxy, bucket: str, stack: ExitStack) -> S3Storage:
    return through(proxy, bucket, stack)


@pytest.fixture
def other(moto_s3: S3, bucket: str) -> S3Storage:
    """Another server on the same bucket, which nothing happens to."""
    return at(moto_s3, bucket)


# Writing


@pytest.mark.parametrize("fault", [LOST_ANSWER, BROKEN_AFTER_ALL, SILENCE], ids=["lost", "500", "silence"])
def test_a_lost_answer_is_not_a_lost_race(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.inject("PUT", fault)
    created = storage.put("k", b"first", condition=ABSENT, published=5)
    assert created == other.stat("k")
    proxy.inject("PUT", fault)
    replaced = storage.put("k", b"second", condition=Matching(created.state), published=6)
    assert replaced == other.stat("k")
    assert read(other, "k") == b"second"


def test_a_write_is_recognised_even_when_every_answer_is_lost(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy
) -> None:
    proxy.inject("PUT", *[LOST_ANSWER] * ATTEMPTS)
    assert storage.put("k", b"bytes", condition=ABSENT) == other.stat("k")
    assert proxy.methods() == ["PUT"] * ATTEMPTS + ["HEAD"]


def test_a_write_of_which_nothing_can_be_learned_is_unavailable(storage: S3Storage, proxy: FaultProxy) -> None:
    proxy.inject("PUT", *[LOST_ANSWER] * ATTEMPTS)
    proxy.inject("HEAD", *[LOST_ANSWER] * ATTEMPTS)
    with pytest.raises(Unavailable, match="try again"):
        storage.put("k", b"bytes", condition=ABSENT)


def test_a_write_that_never_arrived_is_unavailable_and_not_there(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy
) -> None:
    proxy.inject("PUT", *[SILENCE_UNHEARD] * ATTEMPTS)
    with pytest.raises(Unavailable, match="'k'"):
        storage.put("k", b"bytes", condition=ABSENT)
    with pytest.raises(NotFound):
        other.stat("k")


def test_a_lost_answer_does_not_make_anothers_object_ours(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy
) -> None:
    theirs = other.put("k", b"bytes", condition=ABSENT)
    proxy.inject("PUT", LOST_ANSWER)
    with pytest.raises(AlreadyExists):
        storage.put("k", b"bytes", condition=ABSENT)
    proxy.inject("PUT", LOST_ANSWER)
    stale = other.put("k", b"newer", condition=Matching(theirs.state))
    with pytest.raises(Changed):
        storage.put("k", b"bytes", condition=Matching(theirs.state))
    assert other.stat("k") == stale


def test_an_object_that_was_taken_away_after_a_lost_answer_is_not_written_again(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy
) -> None:
    # Ours is deleted between the look that follows the refusal and the refusal itself.
    proxy.inject("PUT", LOST_ANSWER, Fault(then=lambda: other.delete("k")))
    with pytest.raises(Unavailable, match="got lost"):
        storage.put("k", b"bytes", condition=ABSENT)
    assert listed(other) == set()


@pytest.mark.parametrize("fault", [LOST_REQUEST, SLOW_DOWN, answer(500), answer(429)], ids=str)
def test_what_fails_in_passing_is_tried_again(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.inject("PUT", fault, fault)
    storage.put("k", b"bytes", condition=ABSENT)
    proxy.inject("GET", fault, fault)
    assert read(storage, "k") == b"bytes"
    proxy.inject("HEAD", fault, fault)
    storage.stat("k")
    proxy.inject("GET", fault, fault)
    assert listed(storage) == {"k"}
    assert proxy.methods() == ["PUT"] * 3 + ["GET"] * 3 + ["HEAD"] * 3 + ["GET"] * 3


def test_attempts_come_to_an_end(storage: S3Storage, proxy: FaultProxy) -> None:
    proxy.inject("PUT", *[SLOW_DOWN] * 10)
    proxy.inject("GET", *[SLOW_DOWN] * 10)
    for call in (lambda: storage.put("k", b"", condition=ABSENT), lambda: storage.open("k")):
        with pytest.raises(Unavailable, match="503 'SlowDown'; try again later"):
            call()
    assert proxy.methods().count("PUT") == proxy.methods().count("GET") == ATTEMPTS


@pytest.mark.parametrize("size", [1000, 3 * MIB])
def test_a_body_is_sent_from_its_beginning_each_time(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy, size: int
) -> None:
    content = noise(size)
    file = io.BytesIO(b"before" + content)
    file.seek(len(b"before"))
    proxy.inject("PUT", LOST_REQUEST, SLOW_DOWN)
    assert storage.put("k", file, condition=ABSENT).size == size
    assert read(other, "k") == content


def test_writes_at_the_same_moment_are_tried_again(storage: S3Storage, other: S3Storage, proxy: FaultProxy) -> None:
    conflict = answer(409, "ConditionalRequestConflict")
    proxy.inject("PUT", conflict)
    storage.put("k", b"ours", condition=ABSENT)
    assert read(other, "k") == b"ours"
    other.put("taken", b"theirs", condition=ABSENT)
    proxy.inject("PUT", conflict)
    with pytest.raises(AlreadyExists):
        storage.put("taken", b"ours", condition=ABSENT)
    proxy.inject("PUT", *[conflict] * ATTEMPTS)
    with pytest.raises(AlreadyExists):
        storage.put("taken", b"ours", condition=ABSENT)
    proxy.inject("PUT", *[conflict] * ATTEMPTS)
    with pytest.raises(Unavailable):
        storage.put("nobodys", b"ours", condition=ABSENT)


def test_a_conflict_with_an_earlier_attempt_of_our_own_is_success(storage: S3Storage, proxy: FaultProxy) -> None:
    proxy.inject("PUT", Fault(status=409, code="ConditionalRequestConflict"))
    assert storage.put("k", b"ours", condition=ABSENT) == storage.stat("k")


@pytest.mark.parametrize(
    ("status", "code"), [(507, ""), (507, "XMinioStorageFull"), (403, "QuotaExceeded"), (400, "InsufficientStorage")]
)
def test_a_full_service_is_told_at_once(storage: S3Storage, proxy: FaultProxy, status: int, code: str) -> None:
    proxy.inject("PUT", answer(status, code))
    with pytest.raises(NoSpace, match=r"'k'.*make room"):
        storage.put("k", b"bytes", condition=ABSENT)
    assert proxy.methods() == ["PUT"]


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "ExpiredToken", "SignatureDoesNotMatch"])
def test_lost_rights_are_a_kind_of_unavailable(storage: S3Storage, proxy: FaultProxy, code: str) -> None:
    proxy.inject("PUT", answer(403, code))
    with pytest.raises(Misconfigured, match=code):
        storage.put("k", b"bytes", condition=ABSENT)
    proxy.inject("GET", answer(403, code))
    with pytest.raises(Unavailable, match=code):
        storage.open("k")


# Writing in parts


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.s3.SENT_AT_ONCE", 5 * MIB)
    monkeypatch.setattr("storage.s3.part_size", lambda _: 5 * MIB)
    monkeypatch.setattr("storage.s3._LOOKS", 0.01)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("fault", [LOST_ANSWER, BROKEN_AFTER_ALL, SILENCE], ids=["lost", "500", "silence"])
def test_a_lost_answer_to_the_end_of_an_upload_is_not_a_lost_race(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.inject("POST", replace(fault, path="uploadId="))
    created = storage.put("k", Stream(noise(LONG)), condition=ABSENT, published=5)
    assert created == other.stat("k")
    proxy.inject("POST", replace(fault, path="uploadId="))
    replaced = storage.put("k", Stream(b"x" * LONG), condition=Matching(created.state), published=6)
    assert replaced == other.stat("k")
    assert read(other, "k") == b"x" * LONG


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(
    "second",
    [
        answer(404, "NoSuchUpload"),
        answer(412, "PreconditionFailed"),
        SLOW_DOWN,
        answer(409, "ConditionalRequestConflict"),
    ],
    ids=str,
)
def test_an_upload_that_ended_unheard_is_recognised_whatever_the_second_answer(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy, second: Fault
) -> None:
    proxy.inject("POST", replace(LOST_ANSWER, path="uploadId="), *[replace(second, path="uploadId=")] * 2)
    assert storage.put("k", Stream(noise(LONG)), condition=ABSENT) == other.stat("k")


@pytest.mark.usefixtures("small_parts")
def test_an_object_that_the_service_puts_together_slowly_is_waited_for(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.s3._PUT_TOGETHER", LONG / 30)
    proxy.inject("POST", replace(SILENCE, path="uploadId="))
    proxy.inject("HEAD", *[answer(404)] * 5)
    assert storage.put("k", Stream(noise(LONG)), condition=ABSENT) == other.stat("k")
    assert len([request for request in proxy.passed if request.method == "POST"]) == 2


@pytest.mark.usefixtures("small_parts")
def test_a_lost_answer_to_the_end_of_an_upload_does_not_make_anothers_object_ours(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy, moto_s3: S3, bucket: str
) -> None:
    def somebody_is_quicker() -> None:
        other.put("k", b"theirs", condition=ABSENT)

    proxy.inject("HEAD", Fault(then=somebody_is_quicker))
    proxy.inject("POST", replace(LOST_REQUEST, path="uploadId="))
    with pytest.raises(AlreadyExists):
        storage.put("k", Stream(noise(LONG)), condition=ABSENT)
    assert read(other, "k") == b"theirs"
    assert uploads(moto_s3, bucket) == []


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("fault", [LOST_ANSWER, LOST_REQUEST, SLOW_DOWN, answer(500)], ids=str)
def test_a_part_that_fails_in_passing_is_sent_again(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy, moto_s3: S3, bucket: str, *, fault: Fault
) -> None:
    proxy.inject("PUT", replace(fault, path="partNumber=2"), replace(fault, path="partNumber=2"))
    storage.put("k", Stream(noise(LONG)), condition=ABSENT)
    assert read(other, "k") == noise(LONG)
    assert proxy.methods() == ["POST", *["PUT"] * 5, "HEAD", "POST"]
    assert uploads(moto_s3, bucket) == []


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (SLOW_DOWN, Unavailable),
        (LOST_REQUEST, Unavailable),
        (answer(507), NoSpace),
        (answer(403, "AccessDenied"), Misconfigured),
        (answer(404, "NoSuchUpload"), Unavailable),
        (answer(404), Unavailable),
    ],
    ids=str,
)
@pytest.mark.parametrize(("method", "path"), [("POST", "uploads"), ("PUT", "partNumber=3"), ("POST", "uploadId=")])
def test_an_upload_that_fails_leaves_nothing_behind(
    storage: S3Storage,
    proxy: FaultProxy,
    moto_s3: S3,
    bucket: str,
    *,
    method: str,
    path: str,
    fault: Fault,
    kind: type[StorageError],
) -> None:
    proxy.inject(method, *[replace(fault, path=path)] * ATTEMPTS)
    with pytest.raises(kind) as caught:
        storage.put("k", Stream(noise(LONG)), condition=ABSENT)
    assert "'k'" in str(caught.value)
    assert raw(moto_s3, bucket) == uploads(moto_s3, bucket) == []


@pytest.mark.usefixtures("small_parts")
def test_an_upload_that_cannot_be_aborted_fails_with_what_it_failed_with(
    storage: S3Storage, proxy: FaultProxy, moto_s3: S3, bucket: str
) -> None:
    proxy.inject("DELETE", *[SLOW_DOWN] * ATTEMPTS)
    with pytest.raises(BrokenSourceError):
        storage.put("k", Stream(noise(LONG), then=BrokenSourceError()), condition=ABSENT)
    assert uploads(moto_s3, bucket) == ["k"]


@pytest.mark.usefixtures("small_parts")
def test_a_service_that_falls_silent_in_the_middle_of_an_upload_is_not_asked_by_others(
    proxy: FaultProxy, bucket: str, stack: ExitStack
) -> None:
    storage = through(proxy, bucket, stack, circuit=Circuit("it", long=0.1))
    proxy.inject("PUT", *[replace(SILENCE_UNHEARD, path="partNumber=2")] * ATTEMPTS)
    with pytest.raises(Unavailable, match="cannot write 'k'"):
        storage.put("k", Stream(noise(LONG)), condition=ABSENT)
    with pytest.raises(Unavailable, match="did not answer a moment ago"):
        storage.stat("k")
    assert proxy.methods() == ["POST", *["PUT"] * 3]


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("without", [("if-",), ()], ids=["ignored", "refused"])
def test_a_service_without_conditions_at_the_end_of_an_upload_is_looked_at_before(
    moto_s3: S3, bucket: str, stack: ExitStack, without: tuple[str, ...]
) -> None:
    proxy = before(stack, moto_s3.endpoint_url, without=without)
    proxy.reset()
    storage = through(proxy, bucket, stack)
    for condition in (ABSENT, Matching(State("0" * 32))):
        if not without:
            proxy.inject("POST", replace(answer(501, "NotImplemented"), path="uploadId="))
        if condition is ABSENT:
            storage.put("k", Stream(noise(LONG)), condition=condition)
        with pytest.raises((AlreadyExists, Changed)):
            storage.put("k", Stream(b"x" * LONG), condition=condition)
    assert read(storage, "k") == noise(LONG)
    assert uploads(moto_s3, bucket) == []


@pytest.mark.parametrize("size", [2 * MIB, 3])
def test_what_a_file_fails_with_is_not_the_services(storage: S3Storage, size: int) -> None:
    error = OSError(5, "the disk is broken")

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise error

    with pytest.raises(OSError, match="the disk is broken") as caught:
        storage.put("k", Broken(noise(size)), condition=ABSENT)
    assert caught.value is error
    assert listed(storage) == set()


# Copying


@pytest.fixture
def long_copies(monkeypatch: pytest.MonkeyPatch, small_parts: None) -> None:
    monkeypatch.setattr("storage.s3.COPIED_AT_ONCE", 5 * MIB)
    monkeypatch.setattr("storage.s3.copied_part_size", lambda _: 5 * MIB)


@pytest.mark.usefixtures("long_copies")
@pytest.mark.parametrize("fault", [LOST_ANSWER, BROKEN_AFTER_ALL, SILENCE], ids=["lost", "500", "silence"])
@pytest.mark.parametrize(
    ("size", "method", "path"), [(3, "PUT", "/k"), (LONG, "POST", "uploadId=")], ids=["short", "long"]
)
def test_a_lost_answer_to_a_copy_is_not_a_lost_race(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy, *, size: int, method: str, path: str, fault: Fault
) -> None:
    other.put("one", noise(size), condition=ABSENT, published=5)
    proxy.inject(method, replace(fault, path=path))
    assert storage.copy("k", "one") == other.stat("k")
    assert other.stat("k").published == 5
    assert read(other, "k") == noise(size)


@pytest.mark.usefixtures("long_copies")
@pytest.mark.parametrize("fault", [LOST_ANSWER, LOST_REQUEST, SLOW_DOWN], ids=str)
@pytest.mark.parametrize(("size", "path"), [(3, "/k"), (LONG, "partNumber=2")], ids=["short", "long"])
def test_a_copy_that_fails_in_passing_is_asked_for_again(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy, *, size: int, path: str, fault: Fault
) -> None:
    other.put("one", noise(size), condition=ABSENT)
    proxy.inject("PUT", *[replace(fault, path=path)] * 2)
    storage.copy("k", "one")
    assert read(other, "k") == noise(size)


@pytest.mark.usefixtures("long_copies")
@pytest.mark.parametrize(("fault", "kind"), [(SLOW_DOWN, Unavailable), (answer(507), NoSpace)], ids=str)
@pytest.mark.parametrize(("size", "path"), [(3, "/k"), (LONG, "partNumber=2")], ids=["short", "long"])
def test_a_copy_that_fails_leaves_nothing_behind(
    storage: S3Storage,
    other: S3Storage,
    proxy: FaultProxy,
    moto_s3: S3,
    bucket: str,
    *,
    size: int,
    path: str,
    fault: Fault,
    kind: type[StorageError],
) -> None:
    other.put("one", noise(size), condition=ABSENT)
    proxy.inject("PUT", *[replace(fault, path=path)] * ATTEMPTS)
    with pytest.raises(kind, match="'k'"):
        storage.copy("k", "one")
    assert raw(moto_s3, bucket) == ["one"]
    assert uploads(moto_s3, bucket) == []


@pytest.mark.usefixtures("long_copies")
@pytest.mark.parametrize(("size", "path"), [(3, "/k"), (LONG, "partNumber=1")], ids=["short", "long"])
def test_a_service_that_does_not_copy_is_sent_the_bytes(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy, moto_s3: S3, bucket: str, *, size: int, path: str
) -> None:
    other.put("one", noise(size), condition=ABSENT, published=5)
    proxy.inject("PUT", *[replace(answer(501, "NotImplemented"), path=path)] * (2 if size == 3 else 1))
    assert storage.copy("k", "one") == other.stat("k")
    assert other.stat("k").published == 5
    assert read(other, "k") == noise(size)
    assert uploads(moto_s3, bucket) == []


def test_a_service_that_knows_no_condition_on_a_copy_is_asked_without(storage: S3Storage, proxy: FaultProxy) -> None:
    storage.put("one", b"bytes", condition=ABSENT)
    proxy.inject("PUT", replace(answer(501, "NotImplemented"), path="/k"))
    storage.copy("k", "one")
    assert ["if-none-match" in request.headers for request in proxy.passed if request.method == "PUT"] == [
        True,
        True,
        False,
    ]
    assert "x-amz-copy-source" in proxy.passed[-1].headers


def test_a_source_that_goes_in_the_last_moment_is_not_found(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy
) -> None:
    other.put("one", b"bytes", condition=ABSENT)
    proxy.inject("HEAD", replace(Fault(then=lambda: other.delete("one")), path="/k"))
    with pytest.raises(NotFound, match="'one'"):
        storage.copy("k", "one")


def test_a_source_that_is_replaced_in_the_last_moment_is_not_taken_for_a_lost_race(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy
) -> None:
    other.put("one", b"bytes", condition=ABSENT)
    proxy.inject("PUT", answer(412, "PreconditionFailed"))  # which moto does not say by itself
    with pytest.raises(Unavailable, match="'one' was replaced"):
        storage.copy("k", "one")
    (copy,) = [request for request in proxy.passed if request.method == "PUT"]
    assert copy.headers["x-amz-copy-source-if-match"]


# Cleaning


@pytest.mark.parametrize("fault", [answer(501, "NotImplemented"), answer(405, "MethodNotAllowed")], ids=str)
def test_a_service_that_does_not_list_uploads_has_no_leftovers_of_them(
    storage: S3Storage, proxy: FaultProxy, moto_s3: S3, bucket: str, fault: Fault
) -> None:
    begin_upload(moto_s3, bucket, "k")
    proxy.inject("GET", replace(fault, path="uploads"))
    assert storage.remove_leftovers() == 0


def test_an_upload_that_somebody_else_aborted_is_no_failure(
    storage: S3Storage, proxy: FaultProxy, moto_s3: S3, bucket: str
) -> None:
    begin_upload(moto_s3, bucket, "a")
    begin_upload(moto_s3, bucket, "b")
    proxy.inject("DELETE", answer(404, "NoSuchUpload"), SLOW_DOWN)
    assert storage.remove_leftovers() == 1
    proxy.inject("GET", *[replace(SLOW_DOWN, path="uploads")] * ATTEMPTS)
    with pytest.raises(Unavailable, match="cannot list the uploads"):
        storage.remove_leftovers()


def begin_upload(server: S3, bucket: str, key: str) -> None:
    """Begin a multipart upload, which is an old one at once: to moto they all began in 2010."""
    client(server.endpoint_url).create_multipart_upload(Bucket=bucket, Key=key)


# Reading


@pytest.mark.parametrize("size", [-1, 1000, 70_000])
def test_a_connection_that_breaks_in_the_middle_is_no_short_object(
    storage: S3Storage, proxy: FaultProxy, size: int
) -> None:
    storage.put("k", noise(300_000), condition=ABSENT)
    proxy.inject("GET", cut(200_000))
    content = b""
    with storage.open("k") as reader, pytest.raises(Unavailable, match="broke while 'k'"):  # noqa: PT012 - until it breaks
        while piece := reader.read(size):
            content += piece
    assert noise(300_000).startswith(content)
    assert len(content) <= 200_000


@pytest.mark.parametrize("size", [-1, 3, 100])
def test_an_answer_that_ends_early_without_a_word_is_no_short_object(size: int) -> None:
    info = ObjectInfo("k", 5, State("etag"), 0)
    with S3Reader(info, io.BytesIO(b"abc"), 5) as reader, pytest.raises(Unavailable):  # type: ignore[arg-type]  # noqa: PT012 - until it ends
        while reader.read(size):
            pass


def test_a_service_that_falls_silent_is_unavailable(storage: S3Storage, proxy: FaultProxy) -> None:
    proxy.inject("GET", *[SILENCE] * ATTEMPTS)
    with pytest.raises(Unavailable, match="'k'"):
        storage.open("k")


def test_a_listing_that_breaks_gives_what_came_before(
    storage: S3Storage, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        storage.put(f"k{number}", b"", condition=ABSENT)
    small_pages(storage, monkeypatch)
    listing = storage.list()
    assert next(listing).key == "k0"
    proxy.inject("GET", LOST_ANSWER)
    assert next(listing).key == "k1"
    proxy.inject("GET", *[LOST_ANSWER] * ATTEMPTS)
    with pytest.raises(Unavailable, match="cannot list"):
        next(listing)


def test_a_listing_that_does_not_say_how_to_go_on_is_no_end(
    storage: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.put("k", b"", condition=ABSENT)
    page = {"IsTruncated": True, "Contents": []}
    monkeypatch.setattr(storage._client, "list_objects_v2", lambda **_: page)
    with pytest.raises(Unavailable, match="how to go on"):
        list(storage.list())


# A service that is silent


def test_a_read_waits_for_one_time_out_and_a_write_for_three(proxy: FaultProxy, bucket: str, stack: ExitStack) -> None:
    storage = through(proxy, bucket, stack, circuit=Circuit("it", long=60))  # which stays closed meanwhile
    proxy.inject("GET", *[SILENCE] * ATTEMPTS)
    with pytest.raises(Unavailable, match="'k'"):
        storage.open("k")
    assert proxy.methods() == ["GET"]
    proxy.reset()
    for method in ("PUT", "HEAD"):
        proxy.inject(method, *[SILENCE_UNHEARD] * ATTEMPTS)
    with pytest.raises(Unavailable, match="'k'"):
        storage.put("k", b"bytes", condition=ABSENT)
    assert proxy.methods() == ["PUT", "PUT", "HEAD"]


def test_a_service_that_one_call_found_silent_is_not_asked_by_others(
    proxy: FaultProxy, bucket: str, stack: ExitStack
) -> None:
    storage = through(proxy, bucket, stack, circuit=Circuit("it", long=0.1))
    proxy.inject("GET", SILENCE)
    with pytest.raises(Unavailable, match="cannot read 'k'"):
        storage.open("k")
    calls: list[Callable[[], object]] = [
        lambda: storage.open("other"),
        lambda: storage.stat("other"),
        lambda: storage.put("other", b"", condition=ABSENT),
        lambda: storage.delete("other"),
        lambda: listed(storage),
    ]
    for call in calls:
        with pytest.raises(Unavailable, match="did not answer a moment ago; try again later"):
            call()
    assert proxy.methods() == ["GET"]


def test_a_service_that_answers_again_is_asked_by_all(proxy: FaultProxy, bucket: str, stack: ExitStack) -> None:
    now = [0.0]
    storage = through(proxy, bucket, stack, circuit=Circuit("it", long=0, clock=lambda: now[0]))
    proxy.inject("GET", SILENCE)
    for _ in range(2):
        with pytest.raises(Unavailable):
            storage.open("k")
    now[0] += 5
    storage.put("k", b"bytes", condition=ABSENT)
    assert read(storage, "k") == b"bytes"


def test_a_service_that_breaks_connections_off_is_asked_again(storage: S3Storage, proxy: FaultProxy) -> None:
    proxy.inject("GET", *[LOST_REQUEST] * ATTEMPTS)
    with pytest.raises(Unavailable, match="cannot read 'k'"):
        storage.open("k")
    with pytest.raises(NotFound):
        storage.open("k")


def test_a_service_that_says_that_it_cannot_is_asked_again(storage: S3Storage, proxy: FaultProxy) -> None:
    proxy.inject("GET", *[SLOW_DOWN] * ATTEMPTS)
    with pytest.raises(Unavailable, match="SlowDown"):
        storage.open("k")
    with pytest.raises(NotFound):
        storage.open("k")


def test_packages_and_state_of_one_location_share_what_is_known_of_the_service(s3_credentials: None) -> None:
    storages = open_storage("s3://some-bucket/prefix")
    packages, state = storages.packages, storages.state
    assert isinstance(packages, S3Storage)
    assert isinstance(state, S3Storage)
    assert packages._circuit is state._circuit


# Deleting


def test_a_delete_whose_answer_is_lost_has_happened(storage: S3Storage, other: S3Storage, proxy: FaultProxy) -> None:
    storage.put("k", b"bytes", condition=ABSENT)
    proxy.inject("DELETE", LOST_ANSWER)
    storage.delete("k")
    assert listed(other) == set()
    assert proxy.methods().count("DELETE") == 1


def test_a_delete_that_never_arrived_is_repeated(storage: S3Storage, other: S3Storage, proxy: FaultProxy) -> None:
    put = storage.put("k", b"bytes", condition=ABSENT)
    proxy.inject("DELETE", LOST_REQUEST, SLOW_DOWN)
    storage.delete("k", state=put.state)
    assert listed(other) == set()


@pytest.mark.parametrize("content", [b"bytes", b"other bytes"], ids=["same", "other"])
@pytest.mark.parametrize("conditional", [True, False])
def test_a_delete_is_never_repeated_over_what_somebody_put_there_since(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy, content: bytes, *, conditional: bool
) -> None:
    put = storage.put("k", b"bytes", condition=ABSENT)
    again = Fault(keep=-1, then=lambda: other.put("k", content, condition=ABSENT))
    proxy.inject("DELETE", again)
    with pytest.raises(Unavailable, match="cannot delete 'k'"):
        storage.delete("k", state=put.state if conditional else None)
    assert read(other, "k") == content
    assert proxy.methods().count("DELETE") == 1


def test_a_replacement_in_the_last_moment_is_not_deleted(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy
) -> None:
    put = storage.put("k", b"bytes", condition=ABSENT)
    proxy.inject("HEAD", Fault(then=lambda: other.put("k", b"newer", condition=ANYWAY)))
    with pytest.raises(Changed):
        storage.delete("k", state=put.state)
    assert read(other, "k") == b"newer"


def test_a_service_that_knows_no_conditional_delete_is_not_asked_for_it_again(
    storage: S3Storage, other: S3Storage, proxy: FaultProxy
) -> None:
    for key in ("a", "b"):
        put = storage.put(key, b"bytes", condition=ABSENT)
        if key == "a":
            proxy.inject("DELETE", answer(501, "NotImplemented"))
        storage.delete(key, state=put.state)
    assert listed(other) == set()
    sent = ["if-match" in request.headers for request in proxy.passed if request.method == "DELETE"]
    assert sent == [True, False, False]


def test_a_refused_delete_is_not_repeated(storage: S3Storage, other: S3Storage, proxy: FaultProxy) -> None:
    storage.put("k", b"bytes", condition=ABSENT)
    proxy.inject("DELETE", answer(403, "AccessDenied"))
    with pytest.raises(Misconfigured, match="AccessDenied"):
        storage.delete("k")
    assert listed(other) == {"k"}


# Services that do less


def test_a_service_without_conditions_is_found_out_and_looked_at_before_each_write(
    moto_s3: S3, bucket: str, stack: ExitStack
) -> None:
    proxy = before(stack, moto_s3.endpoint_url, without=("if-",))
    storage = through(proxy, bucket, stack)
    abilities = storage.check()
    assert not abilities.conditional_writes
    in_another_process = through(proxy, bucket, stack, conditional_writes=abilities.conditional_writes)
    put = in_another_process.put("k", b"first", condition=ABSENT)
    with pytest.raises(AlreadyExists):
        in_another_process.put("k", b"second", condition=ABSENT)
    with pytest.raises(AlreadyExists):
        storage.put("k", b"second", condition=ABSENT)
    storage.put("k", b"third", condition=Matching(put.state))
    with pytest.raises(Changed):
        storage.put("k", b"fourth", condition=Matching(put.state))
    with pytest.raises(Changed):
        storage.put("none", b"fifth", condition=Matching(put.state))
    with pytest.raises(Changed):
        storage.delete("k", state=put.state)
    assert read(storage, "k") == b"third"


@pytest.mark.parametrize("fault", [answer(501, "NotImplemented"), answer(400, "NotImplemented")], ids=str)
def test_a_service_that_refuses_conditions_is_used_without(storage: S3Storage, proxy: FaultProxy, fault: Fault) -> None:
    proxy.inject("PUT", fault)
    assert not storage.check().conditional_writes
    storage.put("k", b"first", condition=ABSENT)
    with pytest.raises(AlreadyExists):
        storage.put("k", b"second", condition=ABSENT)
    assert "if-none-match" not in proxy.passed[-2].headers
    assert listed(storage) == {"k"}


def test_a_service_that_creates_once_but_does_not_compare_is_found_out(
    moto_s3: S3, bucket: str, stack: ExitStack
) -> None:
    proxy = before(stack, moto_s3.endpoint_url, without=("if-match",))
    assert not through(proxy, bucket, stack).check().conditional_writes


def test_a_service_that_keeps_no_metadata_is_refused(moto_s3: S3, bucket: str, stack: ExitStack) -> None:
    proxy = before(stack, moto_s3.endpoint_url, without=("x-amz-meta-",))
    storage = through(proxy, bucket, stack)
    with pytest.raises(Misconfigured, match="does not keep metadata"):
        storage.check()
    assert raw(moto_s3, bucket) == []


def test_a_service_without_ranges_gives_no_whole_object_for_a_part(moto_s3: S3, bucket: str, stack: ExitStack) -> None:
    proxy = before(stack, moto_s3.endpoint_url, without=("range",))
    storage = through(proxy, bucket, stack)
    storage.put("k", b"0123456789", condition=ABSENT)
    with pytest.raises(Misconfigured, match="does not know ranges"):
        storage.open("k", start=1, length=2)


def test_a_check_lives_through_a_passing_fault_and_leaves_nothing(
    storage: S3Storage, proxy: FaultProxy, moto_s3: S3, bucket: str
) -> None:
    proxy.inject("PUT", LOST_ANSWER, SLOW_DOWN)
    proxy.inject("GET", SLOW_DOWN)
    assert storage.check().conditional_writes
    assert raw(moto_s3, bucket) == []


def test_a_folder_of_web_pages_is_no_s3_service(storage: S3Storage, proxy: FaultProxy) -> None:
    proxy.inject("GET", *[Fault(forward=False, status=404, code="Whatever")] * ATTEMPTS)
    with pytest.raises(Misconfigured, match="cannot use bucket"):
        storage.check()


def test_nothing_is_sent_that_older_services_stumble_over(storage: S3Storage, proxy: FaultProxy) -> None:
    storage.put("small", b"bytes", condition=ABSENT)
    storage.put("large", io.BytesIO(noise(2 * MIB)), condition=ABSENT)
    for request in proxy.passed:
        assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 ")
        assert not [name for name in request.headers if "checksum" in name or "trailer" in name]
        assert "chunked" not in request.headers.get("content-encoding", "")
        assert request.headers["if-none-match"] == "*"


def test_every_error_of_the_service_is_translated(storage: S3Storage, proxy: FaultProxy) -> None:
    for status in [300, 301, 304, 400, 401, 403, 405, 409, 411, 412, 416, 418, 429, 500, 501, 503, 507, 599]:
        proxy.inject("PUT", *[answer(status, "Odd")] * ATTEMPTS)
        with pytest.raises(StorageError) as caught:
            storage.put("k", b"", condition=ANYWAY)
        assert str(caught.value).isprintable()


@functools.cache
def before(stack: ExitStack, server_url: str, *, without: tuple[str, ...] = ()) -> FaultProxy:
    """A proxy that runs until the last of these tests."""
    return stack.enter_context(FaultProxy(server_url, without=without).running())


def through(
    proxy: FaultProxy,
    bucket: str,
    stack: ExitStack,
    *,
    conditional_writes: bool = True,
    circuit: Circuit | None = None,
) -> S3Storage:
    client = impatient(stack, proxy.url)
    options = S3Options(endpoint=proxy.url, attempts=ATTEMPTS)
    return S3Storage(client, bucket, "", options, conditional_writes=conditional_writes, circuit=circuit)


@functools.cache
def impatient(stack: ExitStack, endpoint: str) -> "S3Client":
    # Long enough for a moto that has to share its processor, as an answer that comes too late is a fault of its own.
    client = connect(S3Options(endpoint=endpoint, read_timeout=1.5, connect_timeout=2), "any")
    stack.callback(client.close)
    return client


def small_pages(storage: S3Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each page of a listing hold one object."""
    listing = storage._client.list_objects_v2
    monkeypatch.setattr(storage._client, "list_objects_v2", functools.partial(listing, MaxKeys=1))
