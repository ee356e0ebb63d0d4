"""Gzip, read forward once and within bounds, as Go's `compress/gzip` reads it for Helm.

Several members follow each other as one, and a wrong checksum is no fault of the bytes before it.
"""

import struct
import zlib
from typing import Any, Final, Protocol

from chartrepo.core.errors import PackageRefused
from chartrepo.core.limits import Budget
from chartrepo.core.messages import REPACK, UPLOAD_AGAIN

CHUNK: Final = 1 << 16
"""How much is read, and how much inflated, at a time."""

_MOST_AFTER_END: Final = 1 << 20


class Readable(Protocol):
    """What bytes are read from: a file, or an object in a storage."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, and none only at the end."""
        ...


class Gunzip:
    """The bytes that a gzip file stands for."""

    def __init__(self, source: Readable, budget: Budget) -> None:
        self._source = source
        self._budget = budget
        self._input = b""  # read and not yet inflated
        self._inflate: Any = None
        self._members = 0
        self._checksum = 0
        self._length = 0
        self._fault = ""
        self._buffer = b""
        self._at = 0

    def read(self, size: int, /) -> bytes:
        """The next `size` bytes; fewer only at the end.

        Raises:
            PackageRefused: the gzip file is damaged or cut off before those bytes.
        """
        end = self._at + size
        if end <= len(self._buffer):
            piece = self._buffer[self._at : end]
            self._at = end
            return piece
        data = bytearray()
        while len(data) < size:
            piece = self._buffer[self._at : self._at + size - len(data)]
            self._at += len(piece)
            data += piece
            if not piece and not self._more():
                break
        return bytes(data)

    def skip(self, size: int) -> int:
        """Pass over the next `size` bytes and return how many of them there were."""
        left = size
        while left > len(self._buffer) - self._at:
            left -= len(self._buffer) - self._at
            if not self._more():
                return size - left
        self._at += left
        return size

    def fault_after_here(self) -> str:
        """What is wrong with all that is left, which should be zeros and an intact end; empty if nothing is."""
        passed = 0
        try:
            while not self._buffer[self._at :].strip(b"\0"):
                passed += len(self._buffer) - self._at
                if passed > _MOST_AFTER_END:
                    return f"more than {_MOST_AFTER_END} bytes follow the end of the archive: {REPACK}"
                if not self._more():
                    return ""
        except PackageRefused as refused:
            return str(refused)
        return f"something follows the end of the archive: {REPACK}"

    def _more(self) -> bool:
        """Fill the buffer with what comes next, and say whether there was anything."""
        self._buffer, self._at = b"", 0
        while not self._buffer:
            if self._fault:
                raise PackageRefused(self._fault)
            if self._inflate is None and not self._begin_member():
                return False
            self._inflate_chunk()
        return True

    def _inflate_chunk(self) -> None:
        if not self._input:
            self._input = self._source.read(CHUNK)
            if not self._input:
                raise PackageRefused(f"the gzip file is cut off: {UPLOAD_AGAIN}")
        try:
            self._buffer = self._inflate.decompress(self._input, CHUNK)
        except zlib.error:
            raise PackageRefused(f"the gzip file is damaged: {UPLOAD_AGAIN}") from None
        self._checksum = zlib.crc32(self._buffer, self._checksum)
        self._length += len(self._buffer)
        self._input = self._inflate.unconsumed_tail
        if self._inflate.eof:
            self._input = self._inflate.unused_data
            self._inflate = None
            self._end_member()

    def _end_member(self) -> None:
        """Compare the checksum. As in Go, a wrong one is a fault of what comes next, not of what was read."""
        trailer = self._take(8)
        if len(trailer) < 8:  # noqa: PLR2004 - as taken
            self._fault = f"the gzip file is cut off: {UPLOAD_AGAIN}"
        elif trailer != struct.pack("<II", self._checksum, self._length & 0xFFFFFFFF):
            self._fault = (
                f"the gzip file's checksum is wrong, so that its bytes are not what was packed: {UPLOAD_AGAIN}"
            )

    def _begin_member(self) -> bool:
        """Read the header of RFC 1952, section 2.3; False where the file ends instead, after a member."""
        header = self._take(10)
        if not header and self._members:
            return False
        if len(header) < 10 or header[:3] != b"\x1f\x8b\x08":  # noqa: PLR2004 - as taken
            raise PackageRefused(
                f"something that is not gzip follows the gzip file: {REPACK}"
                if self._members
                else f"the package is not a gzip file: {REPACK}, which makes a .tgz"
            )
        flags = header[3]
        if flags & _HAS_EXTRA:
            size = self._take(2)
            header += size + self._take(int.from_bytes(size, "little"))
        for flag in (_HAS_NAME, _HAS_COMMENT):
            if flags & flag:
                header += self._take_text()
        if flags & _HAS_CHECKSUM and self._take(2) != struct.pack("<H", zlib.crc32(header) & 0xFFFF):
            raise PackageRefused(f"the gzip file's header is damaged: {UPLOAD_AGAIN}")
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._budget.spend_entry()
        self._members += 1
        self._checksum = self._length = 0
        return True

    def _take(self, size: int) -> bytes:
        """Bytes of the gzip file itself; fewer only at its end."""
        while len(self._input) < size and (more := self._source.read(CHUNK)):
            self._input += more
        taken, self._input = self._input[:size], self._input[size:]
        return taken

    def _take_text(self) -> bytes:
        """A text with the zero byte at its end."""
        while (end := self._input.find(b"\0", 0, _LONGEST_TEXT)) < 0:
            more = self._source.read(CHUNK) if len(self._input) < _LONGEST_TEXT else b""
            if not more:
                raise PackageRefused(f"the gzip file's header is damaged: {UPLOAD_AGAIN}")
            self._input += more
        return self._take(end + 1)


_HAS_CHECKSUM, _HAS_EXTRA, _HAS_NAME, _HAS_COMMENT = 2, 4, 8, 16
_LONGEST_TEXT: Final = 512
