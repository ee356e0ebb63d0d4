"""Blobs that are on their way in.

An upload is its pieces in the storage of the server's state, under a UUID that says when it began and to what it
belongs, so that any worker of any replica can go on with it, and beginning one writes nothing. A piece that breaks off
is kept as far as it came, for the client to go on from there.
"""

import hmac
import secrets
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Literal, NamedTuple, overload

from chartrepo import layout
from chartrepo.core import oci
from chartrepo.core.errors import BlobUnknown, BodyTooLarge, ChunkOutOfOrder, DigestInvalid, UploadUnknown
from chartrepo.core.oci import Digest, Hash, Name
from chartrepo.examine import Readable
from chartrepo.registry.blobs import WRITTEN_ANEW, Blobs
from storage.base import ABSENT, ANYWAY, AlreadyExists, NotFound, Storage, StorageError

_PIECE: Final = 1024 * 1024
_KNOWN_HASHES: Final = 64
"""Uploads whose digest so far a process remembers."""
_RANDOM_BITS: Final = 26
_CHECK_BITS: Final = 48
_FUTURE: Final = 3600.0
"""Seconds by which the clocks of two replicas may differ."""


class _Chunk(NamedTuple):
    key: str
    offset: int
    size: int


class _Hashes:
    """Digests of uploads so far, of those pieces that came through this process."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[int, Hash]] = OrderedDict()
        self._lock = Lock()

    def take(self, upload: str, offset: int) -> Hash | None:
        """Return what has taken in the first `offset` bytes of an upload; nobody else gets it."""
        with self._lock:
            known = self._known.pop(upload, None)
        if known is not None and known[0] == offset:
            return known[1]
        return oci.new_hash(oci.ALGORITHMS[0]) if offset == 0 else None

    def keep(self, upload: str, offset: int, found: Hash) -> None:
        with self._lock:
            self._known[upload] = (offset, found)
            if len(self._known) > _KNOWN_HASHES:
                self._known.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Uploads:
    """The uploads of blobs.

    Attributes:
        state: where the pieces lie until they are a blob; of the same location as the blobs.
        blobs: where they end.
        key: known to all servers of this storage: nobody else makes the names of uploads.
        lifetime: seconds after which an upload that did not end is forgotten.
        limit: bytes of a blob, however many requests bring it; None for any number.
        clock: seconds since the epoch.
    """

    state: Storage
    blobs: Blobs
    key: bytes
    lifetime: float
    limit: int | None = None
    clock: Callable[[], float] = time.time
    _hashes: _Hashes = field(default_factory=_Hashes)

    def begin(self, name: Name) -> str:
        """Return the name of a new upload, a UUID."""
        moment = int(self.clock() * 1000)
        chance = secrets.randbits(_RANDOM_BITS)
        return str(self._named(name, moment, chance))

    def received(self, name: Name, upload: str) -> int:
        """Return how many bytes of an upload have come.

        Raises:
            UploadUnknown: there is no such upload.
            Unavailable: not now.
        """
        return _end(self._chunks(name, upload))

    def append(self, name: Name, upload: str, source: Readable, start: int | None) -> int:
        """Take in a piece of a blob, and return how many bytes have come; durable on return.

        Args:
            name: of the OCI repository.
            upload: as `begin` named it.
            source: the piece.
            start: which byte of the blob it begins at; None for the next one.

        Raises:
            UploadUnknown: there is no such upload.
            ChunkOutOfOrder: it begins at another byte than the next one.
            BodyTooLarge: the blob is larger than may be; what came before is kept.
            NoSpace, Unavailable: not now.
            Whatever `source` raises, after all that came before is kept.
        """
        received = _end(self._chunks(name, upload))
        _check_start(start, received)
        source = self._bounded(source, received)
        first = source.read(_PIECE)
        if not first:
            return received
        piece = _AsFarAsItCame(first, source, self._hashes.take(upload, received))
        try:
            self.state.put(layout.chunk_key(upload, received), piece, condition=ABSENT)
        except AlreadyExists:
            now = _end(self._chunks(name, upload))
            raise ChunkOutOfOrder("another client sends the same piece of this upload", received=now) from None
        received += piece.size
        if piece.hash is not None:
            self._hashes.keep(upload, received, piece.hash)
        if piece.error is not None:
            raise piece.error
        return received

    def finish(self, name: Name, upload: str, source: Readable, start: int | None, digest: Digest) -> None:
        """Make a blob of an upload and the last piece, which may be empty; durable on return.

        Raises:
            UploadUnknown: there is no such upload.
            ChunkOutOfOrder: the last piece begins at another byte than the next one.
            DigestInvalid: the bytes have another digest; the upload can go on.
            BodyTooLarge: the blob is larger than may be.
            NoSpace, Unavailable: not now.
            Whatever `source` raises.
        """
        chunks = self._chunks(name, upload, ended=True)
        if chunks is None:
            self._check_done(name, upload, source, digest)
            return
        received = _end(chunks)
        source = self._bounded(source, received)
        first = source.read(_PIECE)
        if first or start is not None:
            _check_start(start, received)
        if len(chunks) == 1 and not first:
            self._check(upload, chunks, digest)
            self._move(name, chunks[0], digest)
        else:
            whole = _Verified(_joined(self.state, chunks, first, source), digest)
            self.blobs.storage.put(layout.blob_key(name.path, digest), whole, condition=ANYWAY)
        self.blobs.spare(name.path, digest)
        with suppress(StorageError):  # the blob is there, and leftovers are removed in time
            self._end(upload, chunks)

    def put(self, name: Name, source: Readable, digest: Digest) -> None:
        """Take in a whole blob; durable on return.

        Raises:
            DigestInvalid: the bytes have another digest.
            NoSpace, Unavailable: not now.
            Whatever `source` raises.
        """
        verified = _Verified(iter(lambda: source.read(_PIECE), b""), digest)
        self.blobs.storage.put(layout.blob_key(name.path, digest), verified, condition=ANYWAY)
        self.blobs.spare(name.path, digest)

    def cancel(self, name: Name, upload: str) -> None:
        """Forget an upload.

        Raises:
            UploadUnknown: there is no such upload.
            Unavailable: not now.
        """
        self._end(upload, self._chunks(name, upload))

    def remove_expired(self) -> int:
        """Remove what is left of uploads that expired; return how many pieces and marks that were.

        Raises:
            Unavailable: not now.
        """
        removed = 0
        for info in self.state.list(layout.UPLOADS_PREFIX):
            began = _moment(layout.upload_of(info.key))
            if began is None or began < self.clock() - self.lifetime:
                with suppress(NotFound):
                    self.state.delete(info.key)
                    removed += 1
        return removed

    def _bounded(self, source: Readable, received: int) -> Readable:
        return source if self.limit is None else _Bounded(source, self.limit, received)

    # ---- names

    def _named(self, name: Name, moment: int, chance: int) -> uuid.UUID:
        """Return the UUID (version 8, RFC 9562) of an upload: when it began, some chance, and a check of both."""
        said = f"{moment} {chance} {name.path}".encode()
        check = int.from_bytes(hmac.digest(self.key, said, "sha256")[: _CHECK_BITS // 8], "big")
        rest = chance << _CHECK_BITS | check
        value = moment << 80 | 0x8 << 76 | rest >> 62 << 64 | 0b10 << 62 | rest & (1 << 62) - 1
        return uuid.UUID(int=value)

    def _check_name(self, name: Name, upload: str) -> None:
        try:
            value = uuid.UUID(upload).int
        except ValueError:
            raise _unknown(upload) from None
        moment = value >> 80
        rest = (value >> 64 & 0xFFF) << 62 | value & (1 << 62) - 1
        age = self.clock() - moment / 1000
        if str(self._named(name, moment, rest >> _CHECK_BITS)) != upload or not -_FUTURE < age < self.lifetime:
            raise _unknown(upload)

    # ---- pieces

    @overload
    def _chunks(self, name: Name, upload: str) -> Sequence[_Chunk]: ...

    @overload
    def _chunks(self, name: Name, upload: str, *, ended: Literal[True]) -> Sequence[_Chunk] | None: ...

    def _chunks(self, name: Name, upload: str, *, ended: bool = False) -> Sequence[_Chunk] | None:
        """Return the pieces of an upload that follow each other from its beginning.

        With `ended`, it is None where the upload has ended; else that is `UploadUnknown`.
        """
        self._check_name(name, upload)
        found = []
        for info in self.state.list(layout.upload_prefix(upload)):
            offset = layout.chunk_offset(info.key)
            if offset is None and ended:
                return None
            if offset is None:
                raise _unknown(upload)
            found.append(_Chunk(info.key, offset, info.size))
        chunks: list[_Chunk] = []
        for chunk in sorted(found, key=lambda each: each.offset):
            if chunk.offset == _end(chunks):
                chunks.append(chunk)
        return chunks

    def _check(self, upload: str, chunks: Sequence[_Chunk], digest: Digest) -> None:
        """See that pieces that lie in storage have this digest; read them where this process has not seen them all."""
        known = self._hashes.take(upload, _end(chunks)) if digest.algorithm == oci.ALGORITHMS[0] else None
        if known is None:
            known = oci.new_hash(digest.algorithm)
            for piece in _joined(self.state, chunks, b"", None):
                known.update(piece)
        _check_digest(known, digest)

    def _move(self, name: Name, chunk: _Chunk, digest: Digest) -> None:
        """Make the only piece of an upload a blob. Where there is one already, it is the same."""
        key = layout.blob_key(name.path, digest)
        with suppress(AlreadyExists):
            self.blobs.storage.copy(key, chunk.key, origin=self.state)
            return
        if chunk.size > WRITTEN_ANEW:
            return
        with self.state.open(chunk.key) as reader:  # as if new, so that gc leaves it alone for a while
            self.blobs.storage.put(key, reader, condition=ANYWAY)

    def _end(self, upload: str, chunks: Sequence[_Chunk]) -> None:
        self.state.put(layout.ended_key(upload), b"", condition=ANYWAY, durable=False)
        for chunk in chunks:
            with suppress(NotFound):
                self.state.delete(chunk.key)

    def _check_done(self, name: Name, upload: str, source: Readable, digest: Digest) -> None:
        """See that an upload ended as this request wants it: the answer to the same one may have been lost.

        Raises:
            UploadUnknown: it did not, or there is no telling.
        """
        try:
            self.blobs.size(name, digest)
        except BlobUnknown:
            raise _unknown(upload) from None
        found, size = oci.new_hash(digest.algorithm), 0
        while piece := source.read(_PIECE):
            found.update(piece)
            size += len(piece)
        if size and found.hexdigest() != digest.hex:
            raise _unknown(upload)


class _Bounded:
    """A source of a blob of which something has come already, that fails where the blob becomes too large."""

    def __init__(self, source: Readable, limit: int, received: int) -> None:
        self._source = source
        self._limit = limit
        self._received = received

    def read(self, size: int = -1, /) -> bytes:
        piece = self._source.read(size)
        self._received += len(piece)
        if self._received > self._limit:
            raise BodyTooLarge(f"the blob is larger than {self._limit} bytes: raise max_blob_size to allow it")
        return piece


class _AsFarAsItCame:
    """A piece that ends where its source fails; the failure is kept for later."""

    def __init__(self, first: bytes, source: Readable, known: Hash | None) -> None:
        self._first = first
        self._source = source
        self.hash = known
        self.size = 0
        self.error: Exception | None = None

    def read(self, size: int = -1, /) -> bytes:
        piece = self._next(size)
        self.size += len(piece)
        if self.hash is not None:
            self.hash.update(piece)
        return piece

    def _next(self, size: int) -> bytes:
        if self._first:
            cut = len(self._first) if size < 0 else size
            piece, self._first = self._first[:cut], self._first[cut:]
            return piece
        if self.error is not None:
            return b""
        try:
            return self._source.read(_PIECE if size < 0 else size)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised once the piece is kept
            self.error = error
            return b""


class _Verified:
    """Gives pieces as a file does, and fails at the end where they have not the digest that they should have."""

    def __init__(self, pieces: Iterator[bytes], digest: Digest) -> None:
        self._pieces = pieces
        self._digest = digest
        self._hash = oci.new_hash(digest.algorithm)
        self._left = b""
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        if not self._left and not self._ended:
            self._left = next(self._pieces, b"")
            self._hash.update(self._left)
            if not self._left:
                self._ended = True
                _check_digest(self._hash, self._digest)
        if size < 0 or len(self._left) <= size:
            piece, self._left = self._left, b""
        else:
            piece, self._left = self._left[:size], self._left[size:]
        return piece


def _joined(state: Storage, chunks: Sequence[_Chunk], first: bytes, source: Readable | None) -> Iterator[bytes]:
    for chunk in chunks:
        with state.open(chunk.key) as reader:
            while piece := reader.read(_PIECE):
                yield piece
    if first:
        yield first
    while source is not None and (piece := source.read(_PIECE)):
        yield piece


def _check_digest(found: Hash, digest: Digest) -> None:
    if found.hexdigest() != digest.hex:
        raise DigestInvalid(
            f"the blob was announced as {digest}, and what came is {digest.algorithm}:{found.hexdigest()}: "
            "send it again, or name the digest of these bytes"
        )


def _check_start(start: int | None, received: int) -> None:
    if start is not None and start != received:
        raise ChunkOutOfOrder(
            f"the piece begins at byte {start}, and {received} bytes have come: go on from byte {received}",
            received=received,
        )


def _end(chunks: Sequence[_Chunk]) -> int:
    return chunks[-1].offset + chunks[-1].size if chunks else 0


def _moment(upload: str) -> float | None:
    """Return when an upload began, in seconds since the epoch; None where its name is none."""
    try:
        return (uuid.UUID(upload).int >> 80) / 1000
    except ValueError:
        return None


def _unknown(upload: str) -> UploadUnknown:
    return UploadUnknown(f"there is no upload {upload[:36]!r} under way here: begin a new one with POST")
