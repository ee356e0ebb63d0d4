import io
import random
import zlib

import pytest

from chartrepo.core.errors import PackageRefused
from chartrepo.core.gunzip import Gunzip
from chartrepo.core.limits import DEFAULT, Budget, Limits
from tests.support.packages import gzipped


class Dripping(io.BytesIO):
    """A source that gives one byte at a time, as a slow connection may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(1, size or 0))


def gunzip(data: bytes) -> Gunzip:
    return Gunzip(io.BytesIO(data), Budget(DEFAULT))


def test_a_gzip_file_is_read_in_pieces_and_with_gaps() -> None:
    data = random.Random(0).randbytes(300_000)
    stream = gunzip(gzipped(data))

    assert stream.read(10) == data[:10]
    assert stream.skip(100_000) == 100_000
    assert stream.read(100_000) == data[100_010:200_010]
    assert stream.read(200_000) == data[200_010:]
    assert (stream.read(1), stream.skip(1)) == (b"", 0)


def test_a_slow_source_gives_the_same() -> None:
    stream = Gunzip(Dripping(gzipped(b"one") + gzipped(b"two")), Budget(DEFAULT))

    assert stream.read(10) == b"onetwo"


def test_members_follow_each_other_within_a_limit() -> None:
    data = gzipped(b"a") + gzipped(b"") + gzipped(b"b")

    assert Gunzip(io.BytesIO(data), Budget(Limits(entries=3))).read(9) == b"ab"
    with pytest.raises(PackageRefused, match="more than 2 entries"):
        Gunzip(io.BytesIO(data), Budget(Limits(entries=2))).read(9)


def test_all_fields_of_the_header_are_passed_over() -> None:
    plain = gzipped(b"data")
    header = b"\x1f\x8b\x08\x1e" + plain[4:10] + b"\x03\0abc" + b"name\0" + b"comment\0"
    checked = header + (zlib.crc32(header) & 0xFFFF).to_bytes(2, "little")

    assert gunzip(checked + plain[10:]).read(9) == b"data"
    with pytest.raises(PackageRefused, match="header is damaged"):
        gunzip(header + b"\0\0" + plain[10:]).read(9)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a gzip file"),
        (b"\x1f\x8b\x08", "not a gzip file"),
        (b"PK\x03\x04 something else", "not a gzip file"),
        (gzipped(b"data")[:14], "cut off"),
        (gzipped(b"data")[:-1], "cut off"),
        (gzipped(b"data")[:10] + b"\xff\xff\xff", "damaged"),
        (gzipped(b"data", crc=1), "checksum"),
        (gzipped(b"data") + b"more", "not gzip follows"),
        (b"\x1f\x8b\x08\x08\0\0\0\0\0\0" + b"a" * 600 + b"\0", "header is damaged"),
        (b"\x1f\x8b\x08\x08\0\0\0\0\0\0name", "header is damaged"),
    ],
)
def test_what_is_wrong_with_a_gzip_file_is_said(data: bytes, words: str) -> None:
    with pytest.raises(PackageRefused, match=words):
        gunzip(data).read(100)


def test_a_wrong_checksum_is_no_fault_of_the_bytes_before_it() -> None:
    stream = gunzip(gzipped(b"data", crc=1))

    assert stream.read(4) == b"data"
    assert "checksum" in stream.fault_after_here()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (gzipped(b"data"), ""),
        (gzipped(b"data" + bytes(10_000)), ""),
        (gzipped(b"data" + bytes(100_000)), ""),
        (gzipped(b"data") + gzipped(bytes(512)), ""),
        (gzipped(b"data" + bytes(2_000_000)), "1048576 bytes follow"),
        (gzipped(b"data" + bytes(70_000) + b"x"), "something follows"),
        (gzipped(b"data") + gzipped(b"x"), "something follows"),
        (gzipped(b"data") + b"\0\0", "not gzip follows"),
        (gzipped(b"data")[:-3], "cut off"),
    ],
)
def test_what_follows_the_end_should_be_nothing(data: bytes, words: str) -> None:
    stream = gunzip(data)
    stream.read(4)

    fault = stream.fault_after_here()

    assert words in fault if words else fault == ""
