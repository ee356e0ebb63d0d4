"""Where an import takes packages from: a folder or a bucket. Others are in `chartrepo.remote` and `remote_oci`."""

import hashlib
import re
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol

from chartrepo import layout
from chartrepo.core import provenance
from chartrepo.core.errors import ChartrepoError
from storage.base import NotFound, Storage, StorageError

MAX_PACKAGE: Final = 128 * 1024 * 1024
"""In bytes. Helm loads no package that holds 100 MiB; one that holds less has room in this, compressed or not."""

_PIECE: Final = 1024 * 1024
_MD5: Final = re.compile("[0-9a-f]{32}")


class SourceError(ChartrepoError):
    """Something cannot be had from where an import takes its packages."""


@dataclass(frozen=True, slots=True)
class Item:
    """A package that a source has.

    Attributes:
        place: where it is, for people: a key, or an address without what may be secret in it.
        repository: below the one that is imported into; empty for that one.
        file: what it would be called there. The package itself decides in the end.
        address: where to fetch it, if that is not its place.
        published: seconds since the epoch; None where only fetching it tells.
        digest: SHA-256 in hex, where that is known without fetching it; else empty.
        md5: the same for MD5.
        size: in bytes; None where it is not known.
        signed: whether there is a provenance file; None where only asking for it tells.
        warning: what is odd about how the source lists it; empty for nothing.
    """

    place: str
    repository: str
    file: str
    address: str = ""
    published: int | None = None
    digest: str = ""
    md5: str = ""
    size: int | None = None
    signed: bool | None = None
    warning: str = ""


class Source(Protocol):
    """Packages that can be fetched, by several threads at a time."""

    def items(self) -> list[Item]:
        """Return all packages there are.

        Raises:
            SourceError, StorageError: they cannot be listed.
        """
        ...

    def digest(self, item: Item) -> str:
        """Return the SHA-256 of a package where it costs little to know it, else the empty text.

        Raises:
            SourceError: it cannot be read.
        """
        ...

    def fetch(self, item: Item, into: BinaryIO) -> int | None:
        """Write a package's bytes to `into`, and return when it was published, where that is known.

        Raises:
            SourceError: it cannot be had, or is larger than `MAX_PACKAGE`.
        """
        ...

    def fetch_provenance(self, item: Item) -> bytes | None:
        """Return the provenance of a package, up to one byte more than may be; None where there is none.

        Raises:
            SourceError: it cannot be had.
        """
        ...

    def stop(self) -> None:
        """Break off what takes long. What is asked for afterwards may fail."""
        ...


class Stored:
    """The packages of a storage, at any depth: ChartMuseum's layout, or our own; a `Source`.

    Args:
        storage: where they lie.
        near: whether reading costs as little as on a disk.
    """

    def __init__(self, storage: Storage, *, near: bool) -> None:
        self._storage = storage
        self._near = near

    def items(self) -> list[Item]:
        """See `Source`."""
        packages = []
        signed = set()
        for info in self._storage.list():
            if layout.is_package(info.key):
                packages.append(info)
            elif layout.is_provenance(info.key):
                signed.add(layout.package_of(info.key))
        return [
            Item(
                place=info.key,
                repository=layout.place(info.key).repository,
                file=layout.place(info.key).file,
                published=info.published,
                # A bucket's state is an ETag, and that is an MD5 for what was sent in one piece and is not encrypted.
                # Where it is none it only looks like one, and equals no package's.
                md5=info.state if _MD5.fullmatch(info.state) else "",
                size=info.size,
                signed=info.key in signed,
            )
            for info in sorted(packages, key=lambda info: info.key)
        ]

    def digest(self, item: Item) -> str:
        """See `Source`."""
        if not self._near:
            return ""
        digest = hashlib.sha256()
        try:
            with self._storage.open(item.place) as reader:
                while piece := reader.read(_PIECE):
                    digest.update(piece)
        except StorageError as error:
            raise SourceError(str(error)) from None
        return digest.hexdigest()

    def fetch(self, item: Item, into: BinaryIO) -> int | None:
        """See `Source`."""
        try:
            with self._storage.open(item.place) as reader:
                if reader.info.size > MAX_PACKAGE:
                    raise SourceError(f"has {reader.info.size} bytes, and Helm loads no package of {MAX_PACKAGE}")
                while piece := reader.read(_PIECE):
                    into.write(piece)
                return reader.info.published
        except StorageError as error:
            raise SourceError(str(error)) from None

    def fetch_provenance(self, item: Item) -> bytes | None:
        """See `Source`."""
        if not item.signed:
            return None
        try:
            with self._storage.open(layout.provenance_file(item.place)) as reader:
                return reader.read(provenance.MAX_BYTES + 1)
        except NotFound:
            return None
        except StorageError as error:
            raise SourceError(str(error)) from None

    def stop(self) -> None:
        """See `Source`. Nothing here takes longer than the storage's own timeouts."""
