"""Tar, read forward once and within bounds.

What is accepted is what Go's `archive/tar` accepts, for Helm reads packages with it: an archive without its end marker,
pax and GNU long names, sizes in base 256. Only sparse files are refused though Go reads them; nothing that makes charts
writes them.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from chartrepo.core.errors import PackageRefused
from chartrepo.core.gunzip import Gunzip
from chartrepo.core.limits import Budget
from chartrepo.core.messages import REPACK, UPLOAD_AGAIN, shown

_BLOCK: Final = 512
_ZERO_BLOCK: Final = bytes(_BLOCK)
_MAX_EXTENSION: Final = 1 << 20
"""Go's limit for one pax header or long name."""

_CUT_OFF: Final = f"the archive is cut off: {UPLOAD_AGAIN}"
_DAMAGED: Final = f"the archive is damaged: {UPLOAD_AGAIN}"


@dataclass(slots=True)
class Entry:
    """One entry of an archive.

    Attributes:
        path: as written in the archive; bytes that are not UTF-8 are replaced.
        size: in bytes, as stated.
        is_directory: what Go takes for one: by its type, its mode, or a name that ends with a slash in old archives.
        is_bare: a link, device or pipe, which has a header but no bytes.
    """

    path: str
    size: int
    is_directory: bool
    is_bare: bool


class Tar:
    """The entries of an archive, in order. What was not read of one is passed over when the next is asked for."""

    def __init__(self, stream: Gunzip, budget: Budget) -> None:
        self._stream = stream
        self._budget = budget
        self._left = 0
        self._padding = 0

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries.

        Raises:
            PackageRefused: the archive is damaged or cut off, or the budget is used up.
        """
        pax: dict[str, str] = {}
        long_name = ""
        while header := self._header():
            self._budget.spend_entry()
            kind = header.kind
            if kind in (b"x", b"g"):
                pax = _pax_records(self._extension(header))
                if kind == b"g":  # Go hands it out as an entry of its own, which ends what was said of the next
                    pax, long_name = {}, ""
            elif kind in (b"L", b"K"):
                name = _text(self._extension(header))
                long_name = name if kind == b"L" else long_name
            else:
                yield self._entry(header, pax, long_name)
                pax, long_name = {}, ""

    def read(self, size: int, /) -> bytes:
        """At most `size` of the bytes of the entry given last; none at its end.

        Raises:
            PackageRefused: the archive ends before them.
        """
        data = self._stream.read(min(size, self._left))
        if len(data) < min(size, self._left):
            raise PackageRefused(_CUT_OFF)
        self._left -= len(data)
        return data

    def _entry(self, header: "_Header", pax: dict[str, str], long_name: str) -> Entry:
        if header.kind == b"S" or (pax and any(pax.get(key) for key in _SPARSE)):
            raise PackageRefused(f"{shown(header.path)} is stored as a sparse file: {REPACK}")
        if pax and not all(pattern.fullmatch(pax.get(key, "")) for key, pattern in _PAX_NUMBERS.items()):
            raise PackageRefused(_DAMAGED)
        path, size = long_name or pax.get("path") or header.path, header.size
        if pax.get("size"):
            size = int(pax["size"])
        kind = b"5" if header.kind == b"\0" and path.endswith("/") else header.kind
        is_bare = kind in _BARE
        if size < 0 and not is_bare:
            raise PackageRefused(f"{shown(path)} has a size below zero: {REPACK}")
        self._begin(0 if is_bare else size)
        self._budget.spend_bytes(self._left)
        return Entry(path, size, kind == b"5" or header.is_directory, is_bare)

    def _extension(self, header: "_Header") -> bytes:
        if not 0 <= header.size <= _MAX_EXTENSION:
            raise PackageRefused(f"the archive has an extended header of {header.size} bytes: {REPACK}")
        self._budget.spend_extension(header.size)
        self._begin(header.size)
        return self.read(header.size)

    def _begin(self, size: int) -> None:
        self._left = size
        self._padding = -size % _BLOCK

    def _header(self) -> "_Header | None":
        """The next header; None at the end, whether it is marked or not."""
        if self._left or self._padding:
            if self._stream.skip(self._left + self._padding) < self._left:
                raise PackageRefused(_CUT_OFF)
            self._left = self._padding = 0
        block = self._stream.read(_BLOCK)
        if block == _ZERO_BLOCK:
            block = self._stream.read(_BLOCK)
            if block in (b"", _ZERO_BLOCK):
                return None
            raise PackageRefused(f"the archive goes on after a block of zeros: {REPACK}")
        if not block:
            return None
        if len(block) < _BLOCK:
            raise PackageRefused(_CUT_OFF)
        return _Header(block)


_BARE: Final = frozenset((b"1", b"2", b"3", b"4", b"5", b"6"))
_SPARSE: Final = ("GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.map", "GNU.sparse.offset")
_TYPE_BITS: Final = 0xFFFFF000
_DIRECTORY_BITS: Final = 0o40000


class _Header:
    """A tar header, in any of the layouts that Go tells apart: V7, ustar and pax, GNU, star."""

    __slots__ = ("is_directory", "kind", "path", "size")

    def __init__(self, block: bytes) -> None:
        plain = _PLAIN_HEADER.fullmatch(block)
        if plain:
            name, mode, size, checksum, self.kind = plain.groups()
            if not _is_sum_of(block, int(checksum, 8)):
                raise PackageRefused(_DAMAGED)
            self.path = name.decode("utf-8", "replace")
            self.size = int(size, 8)
            self.is_directory = int(mode, 8) & _TYPE_BITS == _DIRECTORY_BITS
        else:
            self._read_any(block)

    def _read_any(self, block: bytes) -> None:
        if not _is_sum_of(block, _number(block[148:156])):
            raise PackageRefused(_DAMAGED)
        self.kind = block[156:157]
        self.path = _text(block[:100])
        self.size = _number(block[124:136])
        mode = _number(block[100:108])
        self.is_directory = mode & _TYPE_BITS == _DIRECTORY_BITS
        others = [block[108:116], block[116:124], block[136:148]]
        prefix = b""
        magic = block[257:265]
        if magic[:6] == b"ustar\0":
            others += [block[329:337], block[337:345]]
            prefix = block[345:500]
            if block[508:] == b"tar\0":
                others += [block[476:488], block[488:500]]
                prefix = block[345:476]
        elif magic == b"ustar  \0":
            others += [block[329:337], block[337:345]]
            prefix = _prefix_of_old_go(block)
        for field in others:
            _number(field)  # Go refuses an archive for any number in it that is none
        if prefix[:1] not in (b"", b"\0"):
            self.path = f"{_text(prefix)}/{self.path}"


_PLAIN_HEADER: Final = re.compile(
    rb"""
    (?=([^\0]{0,100})).{100}  # name
    ([0-7]{7})\0       # mode
    (?:[0-7]{7}\0){2}  # user, group
    ([0-7]{11})\0      # size
    [0-7]{11}\0        # time
    ([0-7]{6})\0[ ]    # checksum
    (.)                # kind
    .{100}             # link
    ustar\0
    .{2}.{64}          # version, names of user and group
    (?:[0-7]{7}\0|\0{8}){2}  # device
    \0.{154}           # no prefix
    .{8}\0{4}          # not star's mark
    """,
    re.DOTALL | re.VERBOSE,
)
"""How Go and Python write nearly every header: it means what `_Header._read_any` reads, and takes half the time."""


def _is_sum_of(block: bytes, checksum: int) -> bool:
    stated = checksum - _BLANK_CHECKSUM
    rest = block[:148] + block[156:]
    if rest.isascii():
        # The fast way to add bytes: Adler-32's lower half is their sum and 1, modulo 65,521, which ASCII cannot reach.
        return stated == (zlib.adler32(rest) & 0xFFFF) - 1
    unsigned = sum(rest)
    return stated in (unsigned, unsigned - 256 * sum(byte >> 7 for byte in rest))  # old writers added signed bytes


_BLANK_CHECKSUM: Final = 8 * 0x20
"""The checksum is made with blanks in its own field."""


def _prefix_of_old_go(block: bytes) -> bytes:
    """Go before 1.8 wrote a path's first part where GNU keeps times, and its reader still looks for it there."""
    try:
        for field in (block[345:357], block[357:369]):
            if field[0]:
                _number(field)
    except PackageRefused:
        prefix = block[345:500].partition(b"\0")[0]
        return prefix if prefix.isascii() else b""
    return b""


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")


def _number(field: bytes) -> int:
    """An octal number, or one in base 256 where the first bit is set; that one may be below zero."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=False) & ~(1 << (8 * len(field) - 1))
        if field[0] & 0x40:
            value -= 1 << (8 * len(field) - 1)
        if not -(2**63) <= value < 2**63:
            raise PackageRefused(_DAMAGED)
        return value
    digits = field.strip(b" \0").partition(b"\0")[0]
    if not digits:
        return 0
    if not digits.isdigit() or b"8" in digits or b"9" in digits:
        raise PackageRefused(_DAMAGED)
    return int(digits, 8)


def _pax_records(data: bytes) -> dict[str, str]:
    """The records of a pax header: length, blank, key, equals sign, value, line feed."""
    records: dict[str, str] = {}
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + _LONGEST_LENGTH)
        length = data[at:space] if space > 0 else b""
        end = at + int(length) if length.isdigit() else 0
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not (equals and max(space, at + _SHORTEST_RECORD - 1) < end <= len(data) and data[end - 1 : end] == b"\n"):
            raise PackageRefused(_DAMAGED)
        name = key.decode("utf-8", "replace")
        if b"\0" in (value if name in _PAX_TEXTS else key):
            raise PackageRefused(_DAMAGED)
        records[name] = value.decode("utf-8", "replace")
        at = end
    return records


_LONGEST_LENGTH: Final = 20
_SHORTEST_RECORD: Final = 5
_PAX_TEXTS: Final = frozenset(("path", "linkpath", "uname", "gname"))
_PAX_NUMBERS: Final = {
    **dict.fromkeys(("uid", "gid", "size"), re.compile(r"(?:[-+]?[0-9]{1,18})?")),
    **dict.fromkeys(("atime", "mtime", "ctime"), re.compile(r"(?:[-+]?[0-9]{1,18}(?:\.[0-9]*)?)?")),
}
