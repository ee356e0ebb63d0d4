"""What pages show of manifests that are no chart's: what they point at, how much that is, and when they were pushed."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
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
_ANNOTATIONS: Final = 100
"""That are kept of one manifest, of which all may be 4 MiB long."""
_LONGEST: Final = 2000
"""Characters of a text in it that are kept."""
_OF_AN_INDEX: Final = 20
"""Manifests of an index that are looked into for its size."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A manifest, as it is shown.

    Attributes:
        record: what the catalog knows of it, without its annotations.
        size: of all that it points at, in bytes, as far as that was looked at.
        pushed: when, in seconds since the epoch; None where that is not known.
        parts: its config and its layers, or the manifests of an index; the first of them.
        annotations: its own; the first of them, and of long ones the beginning.
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
        made, whole = self._read(name, record)
        if not whole:
            return made
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made

    def _read(self, name: Name, record: ManifestRecord) -> tuple[Exhibit, bool]:
        """Return what is shown of a manifest, and whether that stays so: what is not here may come."""
        whole = True
        try:
            parsed, pushed = self._parsed(name, record.digest)
        except (NotFound, ManifestInvalid, DigestInvalid):
            return Exhibit(_cut(record), record.size, None, (), {}, is_index=False), False
        size = record.size + sum(each.size for each in parsed.blobs)
        for each in parsed.manifests[:_OF_AN_INDEX]:
            size += each.size
            try:
                size += sum(blob.size for blob in self._parsed(name, str(each.digest))[0].blobs)
            except (NotFound, ManifestInvalid):
                whole = False  # an index may name what is not here
        parts = tuple(
            replace(each, media_type=each.media_type[:_LONGEST]) for each in (parsed.manifests or parsed.blobs)[:_PARTS]
        )
        annotations = {
            key[:_LONGEST]: value[:_LONGEST] for key, value in islice(parsed.annotations.items(), _ANNOTATIONS)
        }
        return Exhibit(_cut(record), size, pushed, parts, annotations, is_index=bool(parsed.manifests)), whole

    def _parsed(self, name: Name, digest: str) -> tuple[manifests.Manifest, int | None]:
        with self._storage.open(layout.manifest_key(name.path, oci.parse_digest(digest))) as reader:
            return manifests.parse(reader.read(manifests.MAX_BYTES)), reader.info.published


def _cut(record: ManifestRecord) -> ManifestRecord:
    """Return what is kept of a record: no more than is shown."""
    kind = record.artifact_type[:_LONGEST] if record.artifact_type is not None else None
    return replace(record, annotations="{}", artifact_type=kind, media_type=record.media_type[:_LONGEST], needs=())
