"""What pages show of manifests that are no chart's: what they point at, how much that is, and when they were pushed."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Final

from chartrepo import layout
from chartrepo.catalog import ManifestRecord
from chartrepo.core import manifests, oci
from chartrepo.core.errors import DigestInvalid, ManifestInvalid
from chartrepo.core.oci import Descriptor, Name
from storage.base import NotFound, Storage

_KEPT: Final = 512
_PARTS: Final = 100
"""Blobs, or manifests of an index, that are kept of one manifest."""
_OF_AN_INDEX: Final = 20
"""Manifests of an index that are looked into for its size."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A manifest, as it is shown.

    Attributes:
        record: what the catalog knows of it.
        size: of all that it points at, in bytes, as far as that was looked at.
        pushed: when, in seconds since the epoch; None where that is not known.
        parts: its config and its layers, or the manifests of an index; the first of them.
        annotations: its own.
        is_index: whether it is a list of manifests.
    """

    record: ManifestRecord
    size: int
    pushed: int | None
    parts: tuple[Descriptor, ...]
    annotations: Mapping[str, str]
    is_index: bool


class Exhibits:
    """Reads manifests when somebody looks at them, and keeps what was read last. Safe to share between threads.

    A manifest is named by its digest, so that what is kept of one stays right.

    Args:
        storage: where they lie.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._kept: OrderedDict[tuple[str, str], Exhibit] = OrderedDict()
        self._lock = Lock()

    def of(self, name: Name, record: ManifestRecord) -> Exhibit:
        """Return what is shown of a manifest. Of one that cannot be read that is what the catalog knows.

        Raises:
            StorageError: the storage does not answer.
        """
        key = (name.path, record.digest)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept
        made = self._read(name, record)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made

    def _read(self, name: Name, record: ManifestRecord) -> Exhibit:
        try:
            parsed, pushed = self._parsed(name, record.digest)
        except (NotFound, ManifestInvalid, DigestInvalid):
            return Exhibit(record, record.size, None, (), {}, is_index=False)
        size = record.size + sum(each.size for each in parsed.blobs)
        for each in parsed.manifests[:_OF_AN_INDEX]:
            size += each.size
            try:
                size += sum(blob.size for blob in self._parsed(name, str(each.digest))[0].blobs)
            except (NotFound, ManifestInvalid):
                continue  # an index may name what is not here
        parts = (parsed.manifests or parsed.blobs)[:_PARTS]
        return Exhibit(record, size, pushed, parts, parsed.annotations, is_index=bool(parsed.manifests))

    def _parsed(self, name: Name, digest: str) -> tuple[manifests.Manifest, int | None]:
        with self._storage.open(layout.manifest_key(name.path, oci.parse_digest(digest))) as reader:
            return manifests.parse(reader.read(manifests.MAX_BYTES)), reader.info.published
