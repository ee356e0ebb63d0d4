"""Objects in a bucket, of a server that acts like S3 and of a real gateway."""

import functools
import io
import logging
import socket
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from storage import s3, s3_multipart
from storage.base import (
    ABSENT,
    ANYWAY,
    LAST_SECOND,
    UNTOLD,
    Changed,
    Matching,
    Misconfigured,
    Readable,
    Storage,
    Unavailable,
)
from storage.memory import MemoryStorage
from storage.options import S3Options
from storage.s3 import S3Storage, connect
from storage.url import open_storage
from tests.storage.buckets import at, client, fresh_bucket, raw, uploads
from tests.storage.contract import LONG, MIB, BrokenSourceError, StorageContract, Stream, listed, noise, read
from tests.support.processes import free_port
from tests.support.s3server import S3, Gateway

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3.client import S3Client

SERVERS: Final = ["moto_s3", pytest.param("real_s3", marks=pytest.mark.real_s3)]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts as small as S3 allows, so that a test does not have to send what is really long."""
    monkeypatch.setattr(s3, "SENT_AT_ONCE", 5 * MIB)
    monkeypatch.setattr(s3, "part_size", lambda _: 5 * MIB)
    monkeypatch.setattr(s3, "COPIED_AT_ONCE", 5 * MIB)
    monkeypatch.setattr(s3, "copied_part_size", lambda _: 5 * MIB)


@pytest.mark.usefixtures("small_parts")
class BucketContract(StorageContract):
    @pytest.fixture
    def server(self) -> S3:
        raise NotImplementedError

    @pytest.fixture
    def bucket(self, server: S3) -> str:
        return fresh_bucket(server)

    @pytest.fixture
    def storage(self, server: S3, bucket: str) -> Storage:
        return at(server, bucket, "some/prefix/")

    @pytest.fixture
    def replica(self, server: S3, bucket: str, storage: Storage) -> Storage:
        return at(server, bucket, "some/prefix/")


class BetweenPrefixes(BucketContract):
    @pytest.fixture
    def origin(self, server: S3, bucket: str) -> Storage:
        return at(server, bucket, ".chartrepo/some/prefix/")


class TestMoto(BetweenPrefixes):
    reads_meanwhile = False  # it reads a new object's one buffer for the ETag while others may read it

    @pytest.fixture
    def server(self, moto_s3: S3) -> S3:
        return moto_s3


@pytest.mark.real_s3
class TestGateway(BetweenPrefixes):
    @pytest.fixture
    def server(self, real_s3: S3) -> S3:
        return real_s3


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> S3:
    found: S3 = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def bucket(server: S3) -> str:
    return fresh_bucket(server)


@pytest.fixture
def by_hand(server: S3) -> "S3Client":
    """What people have who put things into a bucket themselves."""
    return client(server.endpoint_url)


def test_what_other_hands_put_was_published_when_it_was_put(server: S3, bucket: str, by_hand: "S3Client") -> None:
    before = int(time.time())
    by_hand.put_object(Bucket=bucket, Key="app.tgz", Body=b"bytes")
    storage = at(server, bucket)
    published = storage.stat("app.tgz").published
    assert published is not None
    assert before <= published <= time.time()
    with storage.open("app.tgz") as reader:
        assert reader.info.published == published


@pytest.mark.parametrize("nonsense", ["", "yesterday", "1.5", "9" * 30])
def test_a_time_of_publication_that_is_none_does_no_harm(
    server: S3, bucket: str, by_hand: "S3Client", nonsense: str
) -> None:
    before = int(time.time())
    by_hand.put_object(Bucket=bucket, Key="k", Body=b"", Metadata={"chartrepo-published": nonsense})
    published = at(server, bucket).stat("k").published
    assert published is not None
    assert published >= before


@pytest.mark.parametrize(("written", "read"), [("999999999999", LAST_SECOND), ("-999999999999", 0)])
def test_a_time_of_publication_that_no_calendar_has_is_brought_into_it(
    server: S3, bucket: str, by_hand: "S3Client", written: str, read: int
) -> None:
    by_hand.put_object(Bucket=bucket, Key="k", Body=b"", Metadata={"chartrepo-published": written})
    assert at(server, bucket).stat("k").published == read


def test_a_copy_by_other_hands_keeps_the_time_of_publication(server: S3, bucket: str, by_hand: "S3Client") -> None:
    storage = at(server, bucket)
    storage.put("k", b"bytes", condition=ABSENT, published=77)
    by_hand.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    assert storage.stat("copy").published == 77


def test_what_no_key_can_name_is_left_out(moto_s3: S3, caplog: pytest.LogCaptureFixture) -> None:
    bucket = fresh_bucket(moto_s3)
    for key in ["folder/", "folder/app.tgz", "double//slash", "/leading", ".chartrepo/x", "a/.chartrepo-y"]:
        client(moto_s3.endpoint_url).put_object(Bucket=bucket, Key=key, Body=b"")
    storage = at(moto_s3, bucket)
    with caplog.at_level(logging.WARNING):
        assert listed(storage) == {"folder/app.tgz"}
        assert listed(storage) == {"folder/app.tgz"}
    assert sorted(record.getMessage().partition(" is left out")[0] for record in caplog.records) == [
        "'/leading'",
        "'double//slash'",
    ]


@pytest.mark.parametrize("prefix", ["", "charts", "/a/b/"])
def test_state_and_packages_lie_in_one_bucket_and_do_not_meet(server: S3, bucket: str, prefix: str) -> None:
    storages = open_storage(f"s3://{bucket}/{prefix}", S3Options(endpoint=server.endpoint_url))
    storages.packages.put("app.tgz", b"package", condition=ABSENT)
    storages.state.put("snapshot", b"private", condition=ABSENT)
    assert listed(storages.packages) == {"app.tgz"}
    assert listed(storages.state) == {"snapshot"}
    assert storages.folder is None
    under = prefix.strip("/") + "/" if prefix else ""
    assert set(raw(server, bucket)) == {f"{under}app.tgz", f".chartrepo/{under}snapshot"}


def test_anyone_may_get_a_signed_address_for_a_while(server: S3, bucket: str) -> None:
    storage = at(server, bucket, "some/prefix/")
    storage.put("team/app-1.0.0+b 1.tgz", b"bytes", condition=ABSENT)
    address = storage.url("team/app-1.0.0+b 1.tgz", expires=60, filename='ä "x".tgz')
    assert address is not None
    with urllib.request.urlopen(address) as answer:
        assert answer.read() == b"bytes"
        assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''%C3%A4%20%22x%22.tgz"
    query = parse_qs(urlsplit(address).query)
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert query["X-Amz-Expires"] == ["60"]


@pytest.mark.real_s3
def test_a_signed_address_opens_nothing_else(real_s3: S3) -> None:
    storage = at(real_s3, fresh_bucket(real_s3))
    storage.put("open", b"bytes", condition=ABSENT)
    storage.put("shut", b"bytes", condition=ABSENT)
    address = storage.url("open", expires=60, filename="x")
    assert address is not None
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(address.replace("/open?", "/shut?"))
    refused.value.close()
    assert refused.value.code == 403


@pytest.mark.parametrize(
    ("bucket", "options", "expected"),
    [
        ("my-bucket", S3Options(endpoint="http://s3.test:9000"), "http://s3.test:9000/my-bucket/k?"),
        (
            "my-bucket",
            S3Options(endpoint="http://s3.test:9000", addressing="virtual"),
            "http://my-bucket.s3.test:9000/",
        ),
        ("my-bucket", S3Options(region="eu-central-1"), "https://my-bucket.s3.eu-central-1.amazonaws.com/k?"),
        ("my.bucket", S3Options(region="eu-central-1"), "https://s3.eu-central-1.amazonaws.com/my.bucket/k?"),
        ("a-bucket", S3Options(region="eu-west-1", addressing="path"), "https://s3.eu-west-1.amazonaws.com/a-bucket/"),
    ],
)
def test_the_bucket_stands_where_the_options_say(
    s3_credentials: None, bucket: str, options: S3Options, expected: str
) -> None:
    assert signed(bucket, options).startswith(expected)


def test_an_endpoint_in_the_environment_has_the_bucket_in_its_path(
    s3_credentials: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://s3.test:9000")
    assert signed("my-bucket", S3Options()).startswith("http://s3.test:9000/my-bucket/k?")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (S3Options(encryption="AES256"), {"ServerSideEncryption": "AES256"}),
        (
            S3Options(encryption="aws:kms", kms_key="key-1"),
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key-1"},
        ),
    ],
)
def test_objects_are_encrypted_as_asked(moto_s3: S3, options: S3Options, expected: dict[str, str]) -> None:
    bucket = fresh_bucket(moto_s3)
    storage = S3Storage(client(moto_s3.endpoint_url), bucket, "", options)
    storage.put("k", b"bytes", condition=ABSENT)
    head = client(moto_s3.endpoint_url).head_object(Bucket=bucket, Key="k")
    assert {name: head.get(name) for name in expected} == expected
    assert read(storage, "k") == b"bytes"


@pytest.mark.parametrize(
    ("key", "media_type"),
    [
        ("team/app-1.0.0.tgz", "application/gzip"),
        ("team/app-1.0.0.tgz.prov", "application/pgp-signature"),
        ("index.yaml", "application/x-yaml"),
    ],
)
def test_the_bucket_itself_says_of_an_object_what_it_is(
    server: S3, bucket: str, by_hand: "S3Client", key: str, media_type: str
) -> None:
    storage = at(server, bucket)
    put = storage.put(key, b"bytes", condition=ABSENT)
    assert by_hand.head_object(Bucket=bucket, Key=key)["ContentType"] == media_type
    for condition in (Matching(put.state), ANYWAY):
        storage.put(key, b"others", condition=condition)
        assert by_hand.head_object(Bucket=bucket, Key=key)["ContentType"] == media_type


# What is sent in parts


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("size", [5 * MIB, 5 * MIB + 1])
def test_a_long_stream_is_what_a_short_one_is(server: S3, bucket: str, by_hand: "S3Client", size: int) -> None:
    storage = at(server, bucket)
    storage.put("team/app-1.0.0.tgz", Stream(noise(size)), condition=ABSENT, published=9)
    head = by_hand.head_object(Bucket=bucket, Key="team/app-1.0.0.tgz")
    assert (head["ContentType"], head["ContentLength"]) == ("application/gzip", size)
    assert head["Metadata"]["chartrepo-published"] == "9"
    assert head["Metadata"]["chartrepo-write"]


@pytest.mark.parametrize("options", [S3Options(encryption="AES256"), S3Options(encryption="aws:kms", kms_key="key-1")])
def test_long_streams_are_encrypted_as_asked(moto_s3: S3, small_parts: None, options: S3Options) -> None:
    bucket = fresh_bucket(moto_s3)
    S3Storage(client(moto_s3.endpoint_url), bucket, "", options).put("k", Stream(noise(LONG)), condition=ABSENT)
    head = client(moto_s3.endpoint_url).head_object(Bucket=bucket, Key="k")
    assert head.get("ServerSideEncryption") == options.encryption
    assert head.get("SSEKMSKeyId") == options.kms_key


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("make", [bytes, io.BytesIO], ids=["bytes", "file"])
def test_what_is_too_long_for_one_request_goes_in_parts(
    server: S3, bucket: str, monkeypatch: pytest.MonkeyPatch, *, make: "Callable[[bytes], bytes | Readable]"
) -> None:
    monkeypatch.setattr(s3, "_ONE_PUT", 6 * MIB)
    storage = at(server, bucket)
    states = [storage.put(str(size), make(noise(size)), condition=ABSENT).state for size in (6 * MIB, LONG)]
    assert ["-" in state for state in states] == [False, True]
    assert read(storage, str(LONG)) == noise(LONG)


def test_a_file_is_sent_in_parts_from_where_it_stands(
    server: S3, bucket: str, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "_ONE_PUT", 6 * MIB)
    file = io.BytesIO(b"before" + noise(LONG))
    file.seek(len(b"before"))
    storage = at(server, bucket)
    assert storage.put("k", file, condition=ABSENT).size == LONG
    assert read(storage, "k") == noise(LONG)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("size", [LONG, 10 * MIB])
def test_a_stream_that_breaks_leaves_no_upload_behind(server: S3, bucket: str, size: int) -> None:
    storage = at(server, bucket)
    with pytest.raises(BrokenSourceError):
        storage.put("k", Stream(noise(size), then=BrokenSourceError()), condition=ABSENT)
    assert raw(server, bucket) == uploads(server, bucket) == []


@pytest.mark.parametrize("size", [3, LONG], ids=["short", "long"])
def test_a_copy_has_the_media_type_of_its_key_and_an_id_of_its_own(
    server: S3, bucket: str, small_parts: None, by_hand: "S3Client", *, size: int
) -> None:
    storage = at(server, bucket)
    storage.put("one.prov", noise(size), condition=ABSENT, published=9)
    storage.copy("two.tgz", "one.prov")
    one, two = (by_hand.head_object(Bucket=bucket, Key=key) for key in ("one.prov", "two.tgz"))
    assert two["ContentType"] == "application/gzip"
    assert two["Metadata"]["chartrepo-published"] == "9"
    assert two["Metadata"]["chartrepo-write"] not in {"", one["Metadata"]["chartrepo-write"]}


@pytest.mark.parametrize("size", [3, LONG], ids=["short", "long"])
def test_what_other_hands_put_is_copied_with_the_time_at_which_they_did(
    server: S3, bucket: str, small_parts: None, by_hand: "S3Client", *, size: int
) -> None:
    by_hand.put_object(Bucket=bucket, Key="one", Body=noise(size))
    storage = at(server, bucket)
    assert storage.copy("two", "one").published == storage.stat("one").published == storage.stat("two").published
    assert read(storage, "two") == noise(size)


@pytest.mark.real_s3
def test_an_object_without_an_etag_is_copied_too(real_gateway: Gateway) -> None:
    bucket = fresh_bucket(real_gateway.s3)
    real_gateway.put_by_hand(bucket, "one", b"by hand")
    storage = at(real_gateway.s3, bucket)
    assert storage.copy("two", "one") == storage.stat("two")
    assert read(storage, "two") == b"by hand"


@pytest.mark.parametrize("size", [3, LONG], ids=["short", "long"])
def test_copies_are_encrypted_as_asked(moto_s3: S3, small_parts: None, size: int) -> None:
    bucket = fresh_bucket(moto_s3)
    storage = S3Storage(client(moto_s3.endpoint_url), bucket, "", S3Options(encryption="aws:kms", kms_key="key-1"))
    storage.put("one", noise(size), condition=ABSENT)
    storage.copy("two", "one")
    head = client(moto_s3.endpoint_url).head_object(Bucket=bucket, Key="two")
    assert (head.get("ServerSideEncryption"), head.get("SSEKMSKeyId")) == ("aws:kms", "key-1")


def test_an_object_of_another_kind_of_storage_is_copied_too(moto_s3: S3) -> None:
    origin = MemoryStorage()
    origin.put("one", b"bytes", condition=ABSENT, published=9)
    storage = at(moto_s3, fresh_bucket(moto_s3))
    assert storage.copy("two", "one", origin=origin).published == 9
    assert read(storage, "two") == b"bytes"


def test_copied_parts_are_enough_for_the_longest_object() -> None:
    for size in (600 << 20, 5 << 30, 5 << 40):
        part = s3_multipart.copied_part_size(size)
        assert 5 * MIB <= part <= 5 << 30
        assert -(-size // part) <= 10_000


def test_parts_are_enough_for_the_longest_object_and_small_for_all_but_the_longest() -> None:
    sizes = [s3_multipart.part_size(number) for number in range(1, 10_001)]
    assert sum(sizes) >= 5 << 40
    assert min(sizes) >= 5 * MIB
    assert max(sizes) <= 5 << 30
    assert sum(size for size in sizes if size <= 64 * MIB) >= 256 << 30
    assert s3_multipart.part_size(10_001) == sizes[-1]


def test_probes_of_dead_servers_are_leftovers(
    server: S3, bucket: str, by_hand: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = at(server, bucket, "some/prefix/")
    by_hand.put_object(Bucket=bucket, Key="some/prefix/.chartrepo-probe-dead", Body=b"1")
    storage.put("k", b"bytes", condition=ABSENT)
    assert storage.remove_leftovers() == 0
    now = time.time()
    monkeypatch.setattr("storage.s3.time.time", lambda: now + 7200)
    assert storage.remove_leftovers() == 1
    assert storage.remove_leftovers() == 0
    assert listed(storage) == {"k"}


@pytest.mark.real_s3
def test_uploads_that_nobody_goes_on_with_are_leftovers(real_s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = fresh_bucket(real_s3)
    by_hand = client(real_s3.endpoint_url)
    ours = {"prod/a", "prod/a/b", "prod/ü + %", "prod/c"}
    others = {"prod", "production/a", ".chartrepo/prod/state", "other/a", "prod/.chartrepo/x"}
    for key in ours | others:
        by_hand.create_multipart_upload(Bucket=bucket, Key=key)
    storage, state = at(real_s3, bucket, "prod/"), at(real_s3, bucket, ".chartrepo/prod/")
    listing = functools.partial(by_hand.list_multipart_uploads, MaxUploads=1)
    monkeypatch.setattr(by_hand, "list_multipart_uploads", listing)
    assert storage.remove_leftovers() == 0
    now = time.time()
    monkeypatch.setattr("storage.s3.time.time", lambda: now + 90_000)
    assert storage.remove_leftovers() == len(ours)
    assert state.remove_leftovers() == 1
    monkeypatch.undo()
    assert set(uploads(real_s3, bucket)) == others - {".chartrepo/prod/state"}


def test_without_a_prefix_the_uploads_of_the_state_are_not_the_packages_leftovers(
    moto_s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = fresh_bucket(moto_s3)
    for key in ("a", ".chartrepo/b"):  # begun in 2010, says moto
        client(moto_s3.endpoint_url).create_multipart_upload(Bucket=bucket, Key=key)
    assert at(moto_s3, bucket).remove_leftovers() == 1
    assert uploads(moto_s3, bucket) == [".chartrepo/b"]


@pytest.mark.real_s3
def test_an_object_without_an_etag_has_no_state_that_is_told(real_gateway: Gateway) -> None:
    bucket = fresh_bucket(real_gateway.s3)
    real_gateway.put_by_hand(bucket, "k", b"by hand")
    storage = at(real_gateway.s3, bucket)
    assert storage.stat("k").state == UNTOLD
    assert [info.state for info in storage.list()] == [UNTOLD]
    with storage.open("k") as reader:
        assert (reader.info.state, reader.read()) == (UNTOLD, b"by hand")
    put = storage.put("k", b"through S3", condition=Matching(UNTOLD))
    assert storage.stat("k").state == put.state != UNTOLD
    with pytest.raises(Changed):
        storage.put("k", b"too late", condition=Matching(UNTOLD))


# What cannot work is told at start


def test_a_bucket_that_does_not_exist_is_named(server: S3) -> None:
    with pytest.raises(Misconfigured, match=r"no-such-bucket.*make the bucket"):
        at(server, "no-such-bucket").check()


@pytest.mark.real_s3
@pytest.mark.parametrize(
    ("variable", "remedy"), [("AWS_ACCESS_KEY_ID", "access key"), ("AWS_SECRET_ACCESS_KEY", "secret key")]
)
def test_credentials_that_are_wrong_are_told(
    real_s3: S3, monkeypatch: pytest.MonkeyPatch, variable: str, remedy: str
) -> None:
    monkeypatch.setenv(variable, "someone-elses")
    storages = open_storage(f"s3://{fresh_bucket(real_s3)}", S3Options(endpoint=real_s3.endpoint_url))
    with pytest.raises(Misconfigured, match=remedy) as caught:
        storages.packages.check()
    assert "someone-elses" not in str(caught.value)


def test_missing_credentials_are_told(moto_s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    storages = open_storage("s3://some-bucket", S3Options(endpoint=moto_s3.endpoint_url))
    with pytest.raises(Misconfigured, match="AWS_ACCESS_KEY_ID"):
        storages.packages.check()
    with pytest.raises(Misconfigured, match="AWS_ACCESS_KEY_ID"):
        storages.packages.url("k", expires=1, filename="k")


def test_a_profile_that_does_not_exist_is_told(s3_credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(Misconfigured, match="nobody"):
        open_storage("s3://some-bucket")


def test_an_endpoint_that_is_no_url_is_told(s3_credentials: None) -> None:
    with pytest.raises(Misconfigured, match="not a url"):
        open_storage("s3://some-bucket", S3Options(endpoint="not a url"))


def test_an_endpoint_whose_name_nobody_knows_is_told(s3_credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **options: object) -> list[object]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    storage = open_storage("s3://some-bucket", S3Options(endpoint="http://nowhere.invalid", attempts=1)).packages
    with pytest.raises(Misconfigured, match=r"nowhere\.invalid.*name is not known"):
        storage.check()


def test_an_endpoint_that_nobody_listens_on_is_named_at_start_with_what_to_look_at(
    s3_credentials: None, unused_endpoint: str
) -> None:
    storage = open_storage("s3://some-bucket", S3Options(endpoint=unused_endpoint, attempts=2)).packages
    with pytest.raises(Unavailable, match="see that the service runs, and that s3_endpoint is its address") as caught:
        storage.check()
    assert not isinstance(caught.value, Misconfigured)
    assert unused_endpoint in str(caught.value)


@pytest.mark.parametrize(
    "call",
    [
        lambda storage: storage.stat("k"),
        lambda storage: storage.open("k"),
        lambda storage: storage.put("k", b"", condition=ABSENT),
        lambda storage: storage.delete("k"),
        listed,
        lambda storage: storage.remove_leftovers(),
    ],
    ids=["stat", "open", "put", "delete", "list", "remove_leftovers"],
)
def test_where_the_service_is_and_what_it_keeps_is_for_the_log_alone(
    s3_credentials: None, unused_endpoint: str, caplog: pytest.LogCaptureFixture, call: "Callable[[Storage], object]"
) -> None:
    storage = open_storage("s3://some-bucket/prod", S3Options(endpoint=unused_endpoint, attempts=1)).packages
    with caplog.at_level(logging.WARNING), pytest.raises(Unavailable, match="cannot be reached") as caught:
        call(storage)
    for private in (urlsplit(unused_endpoint).netloc, "some-bucket", "prod"):
        assert private not in str(caught.value)
    assert f"{unused_endpoint}/some-bucket" in caplog.text


@pytest.fixture
def unused_endpoint() -> str:
    return f"http://127.0.0.1:{free_port()}"


def test_the_description_holds_no_secret(s3_credentials: None, moto_s3: S3) -> None:
    host = urlsplit(moto_s3.endpoint_url).netloc
    bucket = fresh_bucket(moto_s3)
    options = S3Options(endpoint=f"http://user:hidden@{host}")
    storage = S3Storage(client(moto_s3.endpoint_url), bucket, "p/", options)
    assert storage.check(writable=False).description == f"bucket {bucket}, prefix p/, at {host}"


def signed(bucket: str, options: S3Options) -> str:
    address = S3Storage(connect(options, bucket), bucket, "", options).url("k", expires=1, filename="k")
    assert address is not None
    return address


@pytest.mark.parametrize(
    "text", ["2026-11-24T21:03:59.000Z", "2026-11-24T21:03:59Z", "Tue, 24 Nov 2026 21:03:59 GMT", "20261124T210359Z"]
)
def test_times_are_read_in_every_form_that_services_write(text: str) -> None:
    assert s3._moment(text).timestamp() == 1_795_554_239
