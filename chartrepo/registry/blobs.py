"""Blobs: those that were pushed, and the parts of packages."""

import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

from chartrepo import layout
from chartrepo.catalog import Content, ContentKind, PackageRecord
from chartrepo.core import made_manifests, oci
from chartrepo.core.errors import BlobUnknown, CatalogIncomplete, CatalogUnavailable, FileNotFound, NotDeletable
from chartrepo.core.oci import Digest, Name
from chartrepo.pushed import is_there
from chartrepo.registry.unknown import unknown_blob
from chartrepo.repository import Repositories
from storage.base import ABSENT, LAST_SECOND, AlreadyExists, NotFound, Reader, Storage

WRITTEN_ANEW: Final = 64 * 1024 * 1024
"""Bytes of a blob up to which a copy is written anew. It is of now then, and gc takes it for what it is."""
_PARTS: Final = frozenset({ContentKind.PACKAGE, ContentKind.CONFIG, ContentKind.PROVENANCE})


class OpenBlob(NamedTuple):
    """A blob that is open.

    Attributes:
        size: in bytes.
        reader: gives the bytes; the caller closes it. None where `data` has them.
        data: the bytes of a small one that lies nowhere by itself.
        still: tells, without waiting, whether it would be opened like this again; None where that cannot be told.
        version: whose package it is, where it was found as one.
    """

    size: int
    reader: Reader | None
    data: bytes = b""
    still: Callable[[], bool] | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Blobs:
    """The blobs of all OCI repositories.

    Attributes:
        repositories: the packages, which are blobs too, and where they lie.
    """

    repositories: Repositories

    @property
    def storage(self) -> Storage:
        """Where blobs lie."""
        return self.repositories.packages

    # ---- reading

    def open(self, name: Name, digest: Digest) -> OpenBlob:
        """Open a blob.

        Raises:
            BlobUnknown: there is none.
            CatalogIncomplete, CatalogUnavailable, Unavailable: not now.
        """
        key = layout.blob_key(name.path, digest)
        look = self.repositories.look
        try:
            reader = self.storage.open(key)
        except NotFound:
            return self._open_part_after_all(name, digest)
        if look is None:
            return OpenBlob(reader.info.size, reader)
        state, condemned = reader.info.state, layout.condemned_key(name.path, digest)
        return OpenBlob(reader.info.size, reader, still=lambda: look(key) == state and look(condemned) is None)

    def size(self, name: Name, digest: Digest) -> int:
        """Return the size of a blob that may be relied upon: not of one that is about to be removed.

        Raises:
            BlobUnknown: there is none.
            CatalogIncomplete, CatalogUnavailable, Unavailable: not now.
        """
        size = self.loose_size(name, digest)
        if size is not None:
            return size
        for content in self._parts(name, digest):
            return _size(content)
        raise unknown_blob(name, digest)

    def loose_size(self, name: Name, digest: Digest) -> int | None:
        """Return the size of a blob that lies by itself; None where there is none, or it is about to be removed."""
        try:
            size = self.storage.stat(layout.blob_key(name.path, digest)).size
        except NotFound:
            return None
        return None if self.is_condemned(name.path, digest) else size

    def is_condemned(self, path: str, digest: Digest) -> bool:
        """Return whether gc is going to remove a blob."""
        return is_there(self.storage, layout.condemned_key(path, digest))

    def package(self, name: Name, package: str) -> PackageRecord | None:
        """Return the published package of a chart that has this SHA-256 (in hex)."""
        for content in self.repositories.catalog.artifacts.contents(name, oci.sha256(package)):
            if content.kind is ContentKind.PACKAGE and content.package.digest == package:
                return content.package
        return None

    def version_of(self, name: Name, digest: Digest) -> str | None:
        """Return the version of a chart whose package a blob is; None where it is none, or nobody can tell now."""
        if digest.algorithm != "sha256":
            return None
        try:
            package = self.package(name, digest.hex)
        except (CatalogIncomplete, CatalogUnavailable):
            return None
        return package.version if package is not None else None

    def shows(self, name: Name, digest: Digest) -> bool:
        """Return whether readers see a blob: something that is published needs it, and it does not wait itself.

        What nothing needs is on its way in, or left over. Who could read it without a credential would be asked for one
        only by the manifest that comes next, which Helm 3 cannot send again. And nobody's files are given to strangers
        that no manifest names. While nobody can tell, it is shown: its bytes were pushed by who may.

        Raises:
            Unavailable: not now.
        """
        try:
            if self.withholds(name, digest):
                return False
            artifacts = self.repositories.catalog.artifacts
            return artifacts.needs(name, digest) or bool(artifacts.contents(name, digest))
        except (CatalogIncomplete, CatalogUnavailable):
            return not self.repositories.policing.withholds

    def withholds(self, name: Name, digest: Digest) -> bool:
        """Return whether this is a chart's package, as it was pushed, that readers do not see for want of provenance.

        Raises:
            CatalogIncomplete, CatalogUnavailable, Unavailable: not now.
        """
        policing = self.repositories.policing
        if not policing.requires_provenance(name.repository, name.chart, LAST_SECOND):
            return False
        catalog = self.repositories.catalog
        if not catalog.artifacts.of_package(name, digest.hex) or self.package(name, digest.hex) is not None:
            return False
        if any(package.digest == digest.hex for package in catalog.withheld(name.repository, name.chart)):
            return True
        # It is no version's yet: when it was pushed decides which policies are for it.
        try:
            pushed_at = self.storage.stat(layout.blob_key(name.path, digest)).published
        except NotFound:
            return False
        return policing.requires_provenance(name.repository, name.chart, pushed_at or 0)

    def _parts(self, name: Name, digest: Digest) -> list[Content]:
        contents = self.repositories.catalog.artifacts.contents(name, digest)
        return [content for content in contents if content.kind in _PARTS]

    def _open_part_after_all(self, name: Name, digest: Digest) -> OpenBlob:
        try:
            return self._open_part(name, digest)
        except BlobUnknown:
            if not self.repositories.learn(name.repository, name.chart):
                raise
        return self._open_part(name, digest)

    def _open_part(self, name: Name, digest: Digest) -> OpenBlob:
        """Open a part of a package, in the state that the catalog knows."""
        for content in self._parts(name, digest):
            package = content.package
            if content.kind is ContentKind.CONFIG:
                data = made_manifests.config(made_manifests.metadata_of(package.entry_json))
                return OpenBlob(len(data), None, data)
            with suppress(FileNotFound):
                opened = (
                    self._open_package(package) if content.kind is ContentKind.PACKAGE else self._provenance(package)
                )
                if opened is not None:
                    return opened
        raise unknown_blob(name, digest)

    def _open_package(self, package: PackageRecord) -> OpenBlob | None:
        unchanged = self.repositories.watch(package.repository, package.file)
        opened = self.repositories.open_package(package.repository, package.file)
        served = opened.served
        if served is None or served.digest != package.digest:
            opened.reader.close()
            return None
        still = None if unchanged is None else lambda: unchanged(served.state)
        return OpenBlob(opened.reader.info.size, opened.reader, still=still, version=package.version)

    def _provenance(self, package: PackageRecord) -> OpenBlob | None:
        with self.repositories.open_provenance(package.repository, package.file).reader as reader:
            data = reader.read()
        if oci.digest_of(data).hex != package.provenance_digest:
            return None
        return OpenBlob(len(data), None, data)

    # ---- writing

    def keep(self, name: Name, digest: Digest) -> None:
        """See that a blob lies by itself, and not as a part of a package alone."""
        if self.loose_size(name, digest) is None:
            with suppress(AlreadyExists):
                self._copy(layout.blob_key(name.path, digest), name, digest)

    def spare(self, path: str, digest: Digest) -> None:
        """Take back that a blob is going to be removed, for it was sent again."""
        if self.is_condemned(path, digest):
            with self.repositories.catalog.artifacts.holding(path), suppress(NotFound):
                self.storage.delete(layout.condemned_key(path, digest))

    def mount(self, name: Name, digest: Digest, source: Name) -> bool:
        """Give an OCI repository a blob of another one, or find it there already; return whether that could be done.

        Raises:
            CatalogIncomplete, CatalogUnavailable, Unavailable, NoSpace: not now.
        """
        if self._has(name, digest):
            return True
        if self.is_condemned(name.path, digest) or not self._has(source, digest):
            return False  # sent again, it is new, and not removed
        key = layout.blob_key(name.path, digest)
        with suppress(AlreadyExists):
            if (self.loose_size(source, digest) or 0) <= WRITTEN_ANEW:
                return self._copy(key, source, digest)
            try:
                self.storage.copy(key, layout.blob_key(source.path, digest))
            except NotFound:
                return False
        return True

    def mount_from_anywhere(self, name: Name, digest: Digest, readable: Callable[[Name], bool]) -> bool:
        """Do as `mount`, from whichever OCI repository has the blob and is readable."""
        if self._has(name, digest):
            return True
        holders = map(oci.split_name, self.repositories.catalog.artifacts.holders(digest))
        return any(self.mount(name, digest, holder) for holder in holders if readable(holder))

    def _has(self, name: Name, digest: Digest) -> bool:
        try:
            self.size(name, digest)
        except BlobUnknown:
            return False
        return True

    def _copy(self, key: str, source: Name, digest: Digest) -> bool:
        try:
            part = self.open(source, digest)
        except BlobUnknown:
            return False
        if part.reader is None:
            self.storage.put(key, io.BytesIO(part.data), condition=ABSENT)
            return True
        with part.reader as reader:
            self.storage.put(key, reader, condition=ABSENT)
        return True

    def delete(self, name: Name, digest: Digest) -> None:
        """Delete a blob that nothing needs.

        Raises:
            BlobUnknown: there is none.
            NotDeletable: it is a part of a published package, or a manifest needs it.
            CatalogIncomplete, CatalogUnavailable, Unavailable: not now.
        """
        with self.repositories.catalog.artifacts.holding(name.path) as held:
            for content in self._parts(name, digest):
                file = content.package.file
                raise NotDeletable(f"the blob {digest} is a part of {file}: delete that version to remove it")
            manifest = held.who_needs(digest)
            if manifest is not None and self._has(name, digest):
                raise NotDeletable(f"the manifest {manifest} needs the blob {digest}: delete that one first")
            try:
                self.storage.delete(layout.blob_key(name.path, digest))
            except NotFound:
                raise unknown_blob(name, digest) from None
            with suppress(NotFound):
                self.storage.delete(layout.condemned_key(name.path, digest))


def _size(content: Content) -> int:
    package = content.package
    if content.kind is ContentKind.PACKAGE:
        return package.size
    if content.kind is ContentKind.PROVENANCE:
        return package.provenance_size
    return len(made_manifests.config(made_manifests.metadata_of(package.entry_json)))
