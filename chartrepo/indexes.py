"""Rendered indexes of a worker process, kept in line with the catalog.

A worker holds blocks by chart, and a joined document as well only where that is small. A change renders its own chart
anew, at the next GET; uploads and deletes render nothing. What is held is used only for the catalog's random id and the
repository's revision that it was rendered at, both asked for before each use.
"""

import gzip
import hashlib
import re
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import translate
from struct import pack
from typing import Final

from chartrepo.catalog import Catalog, Changes, Mark
from chartrepo.core.index import Block, Form, block, frame, newest_created
from chartrepo.core.permissions import Readable

_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_DEFLATE_END: Final = b"\x03\x00"
_COMPRESSION: Final = 6
_ETAG_LENGTH: Final = 32
_STRIPES: Final = 32
_SMALL: Final = 1024 * 1024
"""Bytes of an index that is held in one piece as well."""
_PARTS_KEPT: Final = 16
_LARGEST_PART_KEPT: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of an index is asked for.

    Attributes:
        versions: the newest so many of each chart, and the newest stable one; None for all.
        charts: shell patterns of which a chart's name must match one; empty for all charts.
    """

    versions: int | None = None
    charts: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.versions is not None or bool(self.charts)

    def among(self, names: Sequence[str]) -> Sequence[str]:
        """Return the names of charts that are asked for, in the same order."""
        if not self.charts:
            return names
        # Not fnmatchcase, which keeps every pattern that a client ever made up.
        matches = re.compile("|".join(map(translate, self.charts))).match
        return [name for name in names if matches(name)]


EVERYTHING: Final = Wanted()


@dataclass(frozen=True, slots=True)
class Document:
    """One index as it is sent.

    Attributes:
        parts: its bytes in order; joined, they are the document.
        length: of all parts, in bytes.
        etag: a hash of the content, without quotes.
        changed: when the repository last changed, seconds since the epoch.
    """

    parts: tuple[bytes, ...]
    length: int
    etag: str
    changed: int


class Index:
    """An index of one repository in one form, at one revision. Not changed once made, but for what it remembers."""

    def __init__(
        self,
        form: Form,
        mark: Mark,
        *,
        changed: int,
        names: Sequence[str],
        blocks: Mapping[str, Block],
        context_path: str,
    ) -> None:
        self.mark = mark
        self.names = names
        self.blocks = blocks
        self._form = form
        self._changed = changed
        self._context_path = context_path
        self._all = self._document(EVERYTHING)
        # A copy that costs little, and without which every answer would be put together anew.
        self._small = replace(self._all, parts=(b"".join(self._all.parts),)) if self._all.length <= _SMALL else None
        self._deflated: dict[bytes, bytes] = {}
        self._all_gzipped: Document | None = None
        self._parts: dict[tuple[Wanted, bool, str], Document] = {}

    def document(
        self, wanted: Wanted = EVERYTHING, *, compressed: bool = False, readable: Readable | None = None
    ) -> Document:
        """Return the index, or the part of it that is asked for, as it is or compressed as a gzip file.

        With `readable`, it holds those charts only of whose names that is true.
        """
        if wanted or readable is not None:
            return self._part(wanted, readable, compressed=compressed)
        if not compressed:
            return self._small or self._all
        if self._all_gzipped is None:
            self._all_gzipped = self._gzipped_by_parts(self._all)
        return self._all_gzipped

    def _part(self, wanted: Wanted, readable: Readable | None, *, compressed: bool) -> Document:
        """Return a part of the index; a small one is kept, since those who ask for it do so all day."""
        key = wanted, compressed, readable.key if readable is not None else ""
        known = self._parts.get(key)
        if known is not None:
            return known
        part = self._document(wanted, readable)
        # What has all versions of its charts is made of what the whole index holds, and takes no room of its own.
        borrowed = wanted.versions is None and readable is not None
        if compressed:
            part = self._gzipped_by_parts(part) if borrowed else _gzipped(part)
        if borrowed or part.length <= _LARGEST_PART_KEPT:
            if len(self._parts) >= _PARTS_KEPT:
                self._parts.clear()
            self._parts[key] = part
        return part

    def entries(self, offset: int, limit: int | None, readable: Readable | None = None) -> list[bytes]:
        """Return the charts from the `offset`-th on, `limit` of them, as parts of one JSON object of name and versions.

        The index has to be one in JSON. With `readable`, only charts count of whose names that is true.
        """
        names = self.names if readable is None else [name for name in self.names if readable(name)]
        names = names[offset : None if limit is None else offset + limit]
        parts = [part for name in names for part in (b",", self.blocks[name].data)]
        return [b"{", *parts[1:], b"}"]

    def inherit(self, previous: "Index") -> None:
        """Take over what an earlier index of this repository compressed, where it is still of use."""
        held = previous._deflated  # noqa: SLF001 - another one of this class
        self._deflated = {part: held[part] for part in self._all.parts if part in held} if held else {}

    def _document(self, wanted: Wanted, readable: Readable | None = None) -> Document:
        names = wanted.among(self.names)
        if readable is not None:
            names = [name for name in names if readable(name)]
        # When the rest of the repository changed is nothing for whoever may not read it.
        changed = self._changed if readable is None else newest_created(self.blocks[name].data for name in names)
        around = frame(self._form, generated=changed, context_path=self._context_path, empty=not names)
        digest = hashlib.sha256(around.header)
        if wanted.versions is not None:
            digest.update(b"%d" % wanted.versions)
        parts: list[bytes] = []
        for name in names:
            held = self.blocks[name]
            digest.update(held.digest)
            parts.append(held.data if wanted.versions is None else held.newest(wanted.versions))
        whole = tuple(around.document(parts))
        return Document(whole, sum(map(len, whole)), digest.hexdigest()[:_ETAG_LENGTH], changed)

    def _gzipped_by_parts(self, document: Document) -> Document:
        """Join parts that are compressed each for itself, so that a change compresses only its own chart anew."""
        checksum = 0
        parts = [_GZIP_HEADER]
        for part in document.parts:
            checksum = zlib.crc32(part, checksum)
            deflated = self._deflated.get(part)
            if deflated is None:
                deflated = self._deflated[part] = _deflate(part)
            parts.append(deflated)
        parts.append(_DEFLATE_END + pack("<II", checksum, document.length & 0xFFFFFFFF))
        return _named(document, parts)


def _gzipped(document: Document) -> Document:
    return _named(document, [gzip.compress(b"".join(document.parts), _COMPRESSION, mtime=0)])


def _named(document: Document, parts: Sequence[bytes]) -> Document:
    """Return the compressed form of a document: what it holds is the same, its bytes are not."""
    return Document(tuple(parts), sum(map(len, parts)), f"{document.etag}-gzip", document.changed)


def _deflate(part: bytes) -> bytes:
    """Compress to raw deflate blocks that end on a byte's boundary and look back at nothing before them."""
    compressor = zlib.compressobj(_COMPRESSION, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(part) + compressor.flush(zlib.Z_FULL_FLUSH)


class Indexes:
    """The indexes that this process has been asked for.

    Args:
        catalog: where entries come from.
        url_prefix: gives what stands before a package's file name in `urls`, by repository.
        context_path: as clients of the API need it.
        rendered: told the form and the seconds it took whenever something was rendered, for the metrics.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        url_prefix: Callable[[str], str] = lambda _repository: "charts/",
        context_path: str = "",
        rendered: Callable[[Form, float], None] = lambda _form, _seconds: None,
    ) -> None:
        self._catalog = catalog
        self.url_prefix = url_prefix
        self._context_path = context_path
        self._rendered = rendered
        self._held: dict[tuple[str, Form], Index] = {}
        self._locks = tuple(threading.Lock() for _ in range(_STRIPES))

    def get(self, repository: str, form: Form) -> Index:
        """Return the index of a repository as it is now. A repository that holds nothing has an empty one.

        Raises:
            CatalogIncomplete: entries may be missing.
            CatalogUnavailable: the catalog does not answer. What is held is not given then: another worker may have
                acknowledged a publication since.
        """
        key = (repository, form)
        held = self._held.get(key)
        if held is not None and held.mark == self._catalog.mark(repository):
            return held
        with self._locks[hash(key) % _STRIPES]:  # one thread renders, the others wait for it
            held = self._held.get(key)
            with self._catalog.changes(repository, held.mark if held else None, form) as changes:
                index = self._render(repository, form, held, changes)
            if index.names or held:
                self._held[key] = index
            return index

    def watch(self, repository: str, index: Index) -> Callable[[], bool]:
        """Return what tells, without waiting for anything, whether this is still the index of a repository.

        It holds nothing of the index, so that an answer can be kept without the whole that it was made from.
        """
        mark, at_hand = index.mark, self._catalog.mark_at_hand
        return lambda: at_hand(repository) == mark

    def _render(self, repository: str, form: Form, held: Index | None, changes: Changes) -> Index:
        if held is not None and held.mark == changes.mark:
            return held
        started = time.perf_counter()
        blocks = {} if changes.whole or held is None else dict(held.blocks)
        prefix = self.url_prefix(repository)
        for name, versions in changes.charts:
            if versions:
                blocks[name] = block(form, name, versions, url_prefix=prefix)
            else:
                blocks.pop(name, None)
        names = held.names if held is not None and held.blocks.keys() == blocks.keys() else sorted(blocks)
        index = Index(
            form,
            changes.mark,
            changed=changes.changed_at,
            names=names,
            blocks=blocks,
            context_path=self._context_path,
        )
        if held is not None:
            index.inherit(held)
        self._rendered(form, time.perf_counter() - started)
        return index
