"""From what lies in storage under `_oci/` to what the catalog keeps of it."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from chartrepo import layout
from chartrepo.catalog import ManifestRecord, TagRecord
from chartrepo.core import manifests, oci
from chartrepo.core.errors import ChartrepoError, ManifestInvalid
from chartrepo.core.manifests import Manifest
from chartrepo.core.oci import Digest
from storage.base import NotFound, State, Storage

log = logging.getLogger(__name__)

_READS_AT_ONCE: Final = 8
"""Small objects are read at a time, to overlap the time that a bucket takes to answer."""
_MAX_TAG: Final = 4096


Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class PushedListing:
    """What a storage lists of OCI; a name is as `oci.Name.path` has it.

    Attributes:
        blobs: name and digest of each blob.
        condemned: the same of those that gc is going to remove.
        manifests: the same of each manifest.
        tags: the state of each tag by name and tag.
    """

    blobs: Set[tuple[str, str]] = field(default_factory=set)
    condemned: Set[tuple[str, str]] = field(default_factory=set)
    manifests: Set[tuple[str, str]] = field(default_factory=set)
    tags: Mapping[tuple[str, str], State] = field(default_factory=dict)


class PushedListed:
    """Takes in the keys of a listing, one by one."""

    def __init__(self) -> None:
        self._blobs: set[tuple[str, str]] = set()
        self._condemned: set[tuple[str, str]] = set()
        self._manifests: set[tuple[str, str]] = set()
        self._tags: dict[tuple[str, str], State] = {}

    def add(self, key: str, state: State) -> None:
        """Take in a key for which `layout.is_oci`."""
        match layout.oci_place(key):
            case layout.BlobPlace(path, digest):
                self._blobs.add((path, str(digest)))
            case layout.CondemnedPlace(path, digest):
                self._condemned.add((path, str(digest)))
            case layout.ManifestPlace(path, digest):
                self._manifests.add((path, str(digest)))
            case layout.TagPlace(path, tag):
                self._tags[path, tag] = state

    def listing(self) -> PushedListing:
        """Return all that came."""
        return PushedListing(self._blobs, self._condemned, self._manifests, self._tags)


def manifest_record(path: str, digest: Digest, data: bytes, manifest: Manifest, *, loose: bool) -> ManifestRecord:
    """Return what the catalog keeps of a manifest.

    Args:
        path: of the OCI repository.
        digest: of the manifest.
        data: the manifest.
        manifest: what it says.
        loose: whether its chart's package, if it has one, lies as a blob.
    """
    return ManifestRecord(
        name=path,
        digest=str(digest),
        media_type=manifest.media_type,
        size=len(data),
        subject=str(manifest.subject) if manifest.subject is not None else None,
        artifact_type=manifest.artifact_type,
        annotations=json.dumps(dict(manifest.annotations), ensure_ascii=False, separators=(",", ":")),
        chart=manifest.chart.package.digest.hex if manifest.chart is not None else None,
        loose=manifest.chart is not None and loose,
        needs=tuple(dict.fromkeys(str(each.digest) for each in (*manifest.blobs, *manifest.manifests))),
    )


def with_looseness(record: ManifestRecord, listing: PushedListing) -> ManifestRecord:
    """Return a record that says of its chart's package what a listing shows: whether it lies as a blob."""
    if record.chart is None:
        return record
    return replace(record, loose=(record.name, str(oci.sha256(record.chart))) in listing.blobs)


def read_manifest(storage: Storage, path: str, digest: Digest) -> tuple[bytes, State]:
    """Return a manifest that was pushed, and its state.

    Raises:
        NotFound: there is none.
        ManifestInvalid: it is not of this digest: hands put it there.
        Unavailable: the storage does not answer.
    """
    key = layout.manifest_key(path, digest)
    with storage.open(key) as reader:
        data, state = reader.read(manifests.MAX_BYTES + 1), reader.info.state
    if oci.digest_of(data, digest.algorithm) != digest:
        raise ManifestInvalid(f"{key} is not what its name says: push the manifest again, or remove the file")
    return data, state


def read_manifest_record(storage: Storage, path: str, digest: Digest, *, loose: bool) -> ManifestRecord:
    """Return what the catalog keeps of a manifest that lies in storage.

    Raises:
        NotFound: there is none.
        ManifestInvalid: it is none, or not of this digest.
        Unavailable: the storage does not answer.
    """
    data, _ = read_manifest(storage, path, digest)
    return manifest_record(path, digest, data, manifests.parse(data), loose=loose)


def tag_content(manifest: str, package: str | None, provenance: str | None) -> bytes:
    """Return what lies in storage for a tag; see `TagRecord` for what it says."""
    said = {"manifest": manifest, "package": package, "provenance": provenance}
    return json.dumps({name: value for name, value in said.items() if value is not None}).encode() + b"\n"


def read_tag(storage: Storage, path: str, tag: str) -> TagRecord:
    """Return a tag that lies in storage.

    Raises:
        NotFound: there is none.
        ManifestInvalid: it says nothing that one can make sense of: hands put it there.
        Unavailable: the storage does not answer.
    """
    key = layout.tag_key(path, tag)
    with storage.open(key) as reader:
        data, state = reader.read(_MAX_TAG), reader.info.state
    try:
        said = json.loads(data)
        digest, package, provenance = oci.parse_digest(said["manifest"]), said.get("package"), said.get("provenance")
        for found in filter(None, (package, provenance)):
            oci.parse_digest(str(oci.sha256(found)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ChartrepoError):
        raise ManifestInvalid(f"{key} names no manifest: push the tag again, or remove the file") from None
    return TagRecord(path, tag, str(digest), package or None, provenance or None, state)


def read_all(
    storage: Storage, listing: PushedListing, *, known: Mapping[str, object]
) -> Iterator[ManifestRecord | TagRecord]:
    """Give all manifests and tags of a listing. What makes no sense is told and left out.

    Args:
        storage: where they lie.
        listing: of it.
        known: what an earlier catalog knew, by key; used where the storage still lists the same.

    Raises:
        Unavailable: the storage does not answer.
    """

    def manifest(place: tuple[str, str]) -> ManifestRecord:
        path, text = place
        digest = oci.parse_digest(text)
        record = known.get(layout.manifest_key(path, digest))
        if not isinstance(record, ManifestRecord):
            return read_manifest_record(storage, path, digest, loose=False)
        return record

    def tag(place: tuple[str, str]) -> TagRecord:
        record = known.get(layout.tag_key(*place))
        if not isinstance(record, TagRecord) or record.state != listing.tags[place]:
            return read_tag(storage, *place)
        return record

    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        for found in pool.map(lambda place: told(lambda: manifest(place)), sorted(listing.manifests)):
            if isinstance(found, ManifestRecord):
                yield with_looseness(found, listing)
        yield from filter(None, pool.map(lambda place: told(lambda: tag(place)), sorted(listing.tags)))


def is_there(storage: Storage, key: str) -> bool:
    """Return whether an object lies under a key.

    Raises:
        Unavailable: the storage does not answer.
    """
    try:
        storage.stat(key)
    except NotFound:
        return False
    return True


def told(read: Callable[[], Found]) -> Found | None:
    """Return what could be read; None where it is not there, or, with a word in the log, where it makes no sense."""
    try:
        return read()
    except NotFound:
        return None
    except ManifestInvalid as error:
        log.warning("%s", error)
        return None
