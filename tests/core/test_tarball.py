import io
import random
import tarfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartrepo.core.errors import PackageRefused
from chartrepo.core.tarball import Gunzip, Tar
from tests.support.packages import END, Entry, Item, Raw, base256, gnu_long_name, gzipped, pax, tar


class Counting:
    """A budget that allows all and remembers what was spent."""

    def __init__(self) -> None:
        self.entries = self.bytes = self.extensions = 0

    def spend_entry(self) -> None:
        self.entries += 1

    def spend_bytes(self, size: int) -> None:
        self.bytes += size

    def spend_extension(self, size: int) -> None:
        self.extensions += size


class Dripping(io.BytesIO):
    """A source that gives one byte at a time, as a slow connection may."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(1, size or 0))


def gunzip(data: bytes) -> Gunzip:
    return Gunzip(io.BytesIO(data), Counting())


def entries(*items: Item, end: bytes = END) -> list[tuple[str, bytes]]:
    """Path and content of each entry, directories and links without any."""
    archive = Tar(gunzip(gzipped(tar(items, end=end))), Counting())
    return [(entry.path, b"" if entry.is_bare else archive.read(entry.size)) for entry in archive]


def refusal(*items: Item, end: bytes = END) -> str:
    with pytest.raises(PackageRefused) as refused:
        entries(*items, end=end)
    return str(refused.value)


# gzip


def test_a_gzip_file_is_read_in_pieces_and_with_gaps() -> None:
    data = random.Random(0).randbytes(300_000)
    stream = gunzip(gzipped(data))

    assert stream.read(10) == data[:10]
    assert stream.skip(100_000) == 100_000
    assert stream.read(100_000) == data[100_010:200_010]
    assert stream.read(200_000) == data[200_010:]
    assert (stream.read(1), stream.skip(1)) == (b"", 0)


def test_a_slow_source_gives_the_same() -> None:
    stream = Gunzip(Dripping(gzipped(b"one") + gzipped(b"two")), Counting())

    assert stream.read(10) == b"onetwo"


def test_members_follow_each_other_and_are_counted() -> None:
    budget = Counting()

    assert Gunzip(io.BytesIO(gzipped(b"a") + gzipped(b"") + gzipped(b"b")), budget).read(9) == b"ab"
    assert budget.entries == 3


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


# tar


def test_files_directories_and_links_are_told_apart() -> None:
    archive = Tar(
        gunzip(
            gzipped(
                tar(
                    [
                        ("file", b"data"),
                        ("folder/", b""),
                        Entry("old/", b"", kind=b"\0"),
                        Entry("link", kind=b"2", link="file"),
                        Entry("hard", kind=b"1", link="file"),
                        Entry("pipe", kind=b"6"),
                        Entry("contiguous", b"x", kind=b"7"),
                    ]
                )
            )
        ),
        Counting(),
    )

    assert [(entry.path, entry.size, entry.is_directory, entry.is_bare) for entry in archive] == [
        ("file", 4, False, False),
        ("folder/", 0, True, True),
        ("old/", 0, True, True),
        ("link", 0, False, True),
        ("hard", 0, False, True),
        ("pipe", 0, False, True),
        ("contiguous", 1, False, False),
    ]


def test_what_is_not_read_is_passed_over() -> None:
    archive = Tar(gunzip(gzipped(tar([("a", b"x" * 3000), ("b", b"y" * 10)]))), Counting())

    assert [(entry.path, archive.read(5)) for entry in archive] == [("a", b"xxxxx"), ("b", b"yyyyy")]


@pytest.mark.parametrize("magic", [b"ustar\x0000", b"ustar  \0", bytes(8)], ids=["ustar", "gnu", "v7"])
def test_every_layout_is_read(magic: bytes) -> None:
    assert entries(Entry("app/a", b"data", magic=magic)) == [("app/a", b"data")]


def test_only_ustar_has_a_prefix() -> None:
    assert entries(Entry("a", b"", prefix=b"app/deep")) == [("app/deep/a", b"")]
    assert entries(Entry("a", b"", prefix=b"app/deep", magic=bytes(8))) == [("a", b"")]


def test_a_prefix_of_old_go_is_found_among_the_times_of_gnu() -> None:
    assert entries(Entry("a", b"", prefix=b"app/deep", magic=b"ustar  \0")) == [("app/deep/a", b"")]
    assert entries(Entry("a", b"", prefix=b"00000000017", magic=b"ustar  \0")) == [("a", b"")]
    assert entries(Entry("a", b"", prefix=b"app\xff", magic=b"ustar  \0")) == [("a", b"")]


def test_long_names_come_from_gnu_and_pax() -> None:
    long = "app/" + "x" * 300

    assert entries(gnu_long_name(long), Entry("short", b"1")) == [(long, b"1")]
    assert entries(pax({"path": long}), Entry("short", b"1"), Entry("next", b"2")) == [(long, b"1"), ("next", b"2")]
    assert entries(Entry("link", b"long link\0", kind=b"K"), Entry("a", kind=b"2", link="l")) == [("a", b"")]


def test_a_global_header_says_nothing_of_the_entries() -> None:
    assert entries(pax({"path": "global"}, kind=b"g"), Entry("a", b"1")) == [("a", b"1")]
    assert entries(pax({"path": "lost"}), pax({"uid": "x"}, kind=b"g"), Entry("a", b"1")) == [("a", b"1")]


def test_sizes_come_in_octal_in_base_256_and_from_pax() -> None:
    assert entries(Entry("a", b"data", size=b" 4 ")) == [("a", b"data")]
    assert entries(Entry("a", b"data", size=base256(4))) == [("a", b"data")]
    assert entries(pax({"size": "4"}), Entry("a", b"data", size=0)) == [("a", b"data")]


def test_the_end_needs_no_mark() -> None:
    assert entries(("a", b"1"), end=b"") == entries(("a", b"1"), end=bytes(512)) == [("a", b"1")]


def test_paths_that_are_not_utf_8_are_shown_as_far_as_they_go() -> None:
    assert entries(Entry(b"app/\xff\xe4", b"")) == [("app/\ufffd\ufffd", b"")]


def test_a_checksum_of_signed_bytes_is_right_too() -> None:
    entry = Entry(b"app/\xff", b"")
    unsigned = int(tar([entry])[148:154], 8)

    assert entries(Entry(b"app/\xff", b"", checksum=unsigned - 256)) == [("app/\ufffd", b"")]
    assert "damaged" in refusal(Entry(b"app/\xff", b"", checksum=unsigned - 255))


@pytest.mark.parametrize(
    "items",
    [
        [Entry("a", b"", checksum=1)],
        [Entry("a", b"", size=b"9")],
        [Entry("a", b"", size=b"1_0")],
        [Entry("a", b"", size=b"x")],
        [Entry("a", b"", size=b"\xbf" + b"\xff" * 11)],
        [Raw(b"x" * 512)],
        [pax({"a\0": "b"}), Entry("a")],
        [pax({"path": "a\0b"}), Entry("a")],
        [pax({"size": "x"}), Entry("a")],
        [pax({"mtime": "1.x"}), Entry("a")],
        [Entry("p", b"4 =\n", kind=b"x"), Entry("a")],
        [Entry("p", b"9 a=b\n", kind=b"x"), Entry("a")],
        [Entry("p", b"6 a=b ", kind=b"x"), Entry("a")],
        [Entry("p", b"6 abc\n", kind=b"x"), Entry("a")],
        [Entry("p", b"x a=b\n", kind=b"x"), Entry("a")],
        [Entry("p", b"a=b\n", kind=b"x"), Entry("a")],
    ],
)
def test_headers_that_go_refuses_are_refused(items: list[Item]) -> None:
    assert "damaged" in refusal(*items)


def test_an_archive_that_ends_too_early_is_refused() -> None:
    assert "cut off" in refusal(Entry("a", b"1" * 100, size=5000), end=b"")
    assert "cut off" in refusal(("a", b"1"), end=b"x" * 100)
    assert "cut off" in refusal(("a", b"1"), Entry("p", b"", kind=b"x", size=5000), end=b"")


def test_a_file_that_is_passed_over_must_be_there_too() -> None:
    archive = Tar(gunzip(gzipped(tar([Entry("a", b"1", size=5000)], end=b""))), Counting())

    with pytest.raises(PackageRefused, match="cut off"):
        list(archive)


def test_an_archive_that_goes_on_after_zeros_is_refused() -> None:
    assert "after a block of zeros" in refusal(("a", b"1"), Raw(bytes(512)), ("b", b"2"))


def test_sizes_below_zero_are_refused() -> None:
    assert "below zero" in refusal(Entry("a", b"", size=base256(-1)))
    assert "extended header" in refusal(Entry("a", b"", kind=b"x", size=base256(-1)))


@pytest.mark.parametrize("item", [Entry("a", kind=b"S"), pax({"GNU.sparse.major": "1"})])
def test_sparse_files_are_refused_by_name(item: Entry) -> None:
    assert "'a' is stored as a sparse file" in refusal(item, Entry("a"))


def test_an_extended_header_has_a_limit() -> None:
    assert "extended header of 1048577 bytes" in refusal(Entry("a", bytes(1024 * 1024 + 1), kind=b"L"))


def test_everything_is_paid_for_before_it_is_read() -> None:
    budget = Counting()
    for _ in Tar(gunzip(gzipped(tar([pax({"path": "b"}), ("a", b"123"), Entry("l", kind=b"2")]))), budget):
        pass

    assert (budget.entries, budget.bytes, budget.extensions) == (3, 3, 9)


PATHS = st.text(alphabet="abcdefgh/._-é", min_size=1, max_size=150).map(lambda path: f"app/{path}x")


@given(
    st.lists(st.tuples(PATHS, st.binary(max_size=2000)), max_size=6),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_any_tree_reads_as_in_tarfile(files: list[tuple[str, bytes]], layout: int) -> None:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz", format=layout) as out:
        for path, data in files:
            member = tarfile.TarInfo(path)
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))
    with tarfile.open(fileobj=io.BytesIO(written.getvalue())) as known:
        expected = [(member.name, known.extractfile(member).read()) for member in known]  # type: ignore[union-attr]

    archive = Tar(gunzip(written.getvalue()), Counting())

    assert [(entry.path, archive.read(entry.size)) for entry in archive] == expected
