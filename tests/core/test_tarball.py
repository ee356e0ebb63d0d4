import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chartrepo.core import tarball
from chartrepo.core.errors import PackageRefused
from chartrepo.core.gunzip import Gunzip
from chartrepo.core.limits import DEFAULT, Budget, Limits
from chartrepo.core.tarball import Tar
from tests.support.packages import END, Entry, Item, Raw, base256, gnu_long_name, gzipped, pax, tar


def gunzip(data: bytes) -> Gunzip:
    return Gunzip(io.BytesIO(data), Budget(DEFAULT))


def entries(*items: Item, end: bytes = END) -> list[tuple[str, bytes]]:
    """Path and content of each entry, directories and links without any."""
    archive = Tar(gunzip(gzipped(tar(items, end=end))), Budget(DEFAULT))
    return [(entry.path, b"" if entry.is_bare else archive.read(entry.size)) for entry in archive]


def refusal(*items: Item, end: bytes = END) -> str:
    with pytest.raises(PackageRefused) as refused:
        entries(*items, end=end)
    return str(refused.value)


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
        Budget(DEFAULT),
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
    archive = Tar(gunzip(gzipped(tar([("a", b"x" * 3000), ("b", b"y" * 10)]))), Budget(DEFAULT))

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
    archive = Tar(gunzip(gzipped(tar([Entry("a", b"1", size=5000)], end=b""))), Budget(DEFAULT))

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


@pytest.mark.parametrize("limits", [Limits(entries=2), Limits(total=3), Limits(extensions=8)])
def test_everything_is_paid_for_before_it_is_read(limits: Limits) -> None:
    items: list[Item] = [pax({"path": "b"}), ("a", b"123"), Entry("l", kind=b"2")]

    with pytest.raises(PackageRefused):
        list(Tar(gunzip(gzipped(tar(items))), Budget(limits)))
    assert len(list(Tar(gunzip(gzipped(tar(items))), Budget(Limits(entries=3, total=4, extensions=9))))) == 2


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

    archive = Tar(gunzip(written.getvalue()), Budget(DEFAULT))

    assert [(entry.path, archive.read(entry.size)) for entry in archive] == expected


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """A header as Python writes it, at times with one byte that is another."""
    entry = tarfile.TarInfo(
        draw(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40))
    )
    entry.size, entry.mode = draw(st.integers(0, 0o77777777777)), draw(st.integers(0, 0o7777777))
    entry.type = draw(st.sampled_from([b"0", b"5", b"2", b"x", b"\0", b"S"]))
    block = bytearray(entry.tobuf(draw(st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT])))[-512:])
    if draw(st.booleans()):
        block[draw(st.integers(0, 511))] = draw(st.integers(0, 255))
        block[148:156] = b"%06o\0 " % (sum(block[:148]) + 8 * 32 + sum(block[156:]))
    return bytes(block)


@given(headers())
def test_a_header_that_is_read_quickly_means_what_it_means_otherwise(block: bytes) -> None:
    assert _meaning(block, quickly=True) == _meaning(block, quickly=False)


def _meaning(block: bytes, *, quickly: bool) -> tuple[object, ...] | None:
    header = object.__new__(tarball._Header)
    try:
        if quickly:
            header.__init__(block)  # type: ignore[misc]
        else:
            header._read_any(block)
    except PackageRefused:
        return None
    return header.kind, header.path, header.size, header.is_directory
