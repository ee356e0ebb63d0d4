"""From the bytes under a key to what the catalog keeps of them.

Used wherever a package is read: at an upload, when one key is looked at again, and by the sync.
"""

import hashlib
from dataclasses import replace
from typing import Any, Final, NamedTuple, Protocol

from chartrepo import layout
from chartrepo.catalog import PackageRecord, SetAside
from chartrepo.core import index, provenance
from chartrepo.core.archive import Package, read_package
from chartrepo.core.errors import InvalidName, PackageRefused, ProvenanceRefused
from chartrepo.core.names import check_repository
from storage.base import UNTOLD, NotFound, ObjectInfo, Reader, State, Storage

_PIECE = 256 * 1024

NO_STATE: Final = (
    "the store gives no ETag for it, so that nobody can tell whether it changes: put it through S3, as with `aws s3 cp`"
)
"""Why a package is set aside whose storage tells no state of it."""


class Readable(Protocol):
    """What gives bytes in pieces, and nothing at the end."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes."""
        ...


class Examined(NamedTuple):
    """A package that can be served, with the SHA-256 (hex) and the count of all its bytes."""

    package: Package
    digest: str
    size: int


class Signature(NamedTuple):
    """A provenance file as it was found or written, and whether it counts: whether it names the package's digest."""

    state: State
    counts: bool
    content: bytes

    def of(self, record: PackageRecord) -> PackageRecord:
        """Return the record of the package beside which it lies."""
        return replace(record, **_provenance_fields(self))


class _Counting:
    """Passes bytes through, and keeps their digest and their number."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self.hash = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1, /) -> bytes:
        piece = self._source.read(size)
        self.hash.update(piece)
        self.size += len(piece)
        return piece


def examine(source: Readable) -> Examined:
    """Read a package to its last byte.

    Raises:
        PackageRefused: it can never be served.
    """
    counting = _Counting(source)
    package = read_package(counting)
    while counting.read(_PIECE):  # Helm stops at the end of the archive; the digest is that of all bytes
        pass
    return Examined(package, counting.hash.hexdigest(), counting.size)


def record(repository: str, examined: Examined, *, info: ObjectInfo, signature: Signature | None) -> PackageRecord:
    """Return what the catalog keeps of a package that lies in storage as `info` says."""
    published = info.published
    if published is None:
        raise ValueError(f"{info.key} was not read: its time of publication is not known")
    chart = examined.package.chart
    entry = index.entry(chart.metadata, created=published, digest=examined.digest)
    return PackageRecord(
        repository=repository,
        file=layout.package_file(chart.name, chart.version),
        name=chart.name,
        version=chart.version,
        state=info.state,
        **_provenance_fields(signature),
        digest=examined.digest,
        size=examined.size,
        created=published,
        entry_json=entry.json,
        entry_yaml=entry.yaml,
        warnings=examined.package.reservations,
    )


def without_provenance(record: PackageRecord) -> PackageRecord:
    """Return the record of a package beside which no provenance file lies."""
    return replace(record, **_provenance_fields(None))


def _provenance_fields(signature: Signature | None) -> dict[str, Any]:
    counts = signature is not None and signature.counts
    content = signature.content if signature is not None and counts else b""
    return {
        "provenance_state": signature.state if signature is not None else None,
        "signed": counts,
        "provenance_digest": hashlib.sha256(content).hexdigest() if counts else None,
        "provenance_size": len(content),
    }


def read_stored(
    storage: Storage, repository: str, file: str, *, provenance_expected: bool = True
) -> PackageRecord | SetAside:
    """Read the package that lies under a key, and its provenance.

    Args:
        storage: where packages lie.
        repository: may be a folder that cannot be a repository; then the package is set aside.
        file: name of the package file.
        provenance_expected: false where a listing has shown that there is no provenance file.

    Raises:
        NotFound: there is no such package.
        Unavailable: the storage does not answer.
    """
    with storage.open(layout.key(repository, file)) as reader:
        return read_open(storage, repository, file, reader, provenance_expected=provenance_expected)


def read_open(
    storage: Storage, repository: str, file: str, reader: Reader, *, provenance_expected: bool = True
) -> PackageRecord | SetAside:
    """Do as `read_stored`, with a package that is open already."""
    info = reader.info
    if info.state == UNTOLD:
        return SetAside(repository, file, info.state, reason=NO_STATE)
    try:
        check_repository(repository)
        examined = examine(reader)
    except (PackageRefused, InvalidName) as error:
        return SetAside(repository, file, info.state, reason=str(error))
    chart = examined.package.chart
    proper = layout.package_file(chart.name, chart.version)
    if proper != file:
        held = f"the package holds {chart.name!r} {chart.version!r}"
        return SetAside(repository, file, info.state, reason=f"{held}: rename the file to {proper!r}")
    signature = read_signature(storage, repository, file, examined.digest) if provenance_expected else None
    return record(repository, examined, info=info, signature=signature)


def read_signature(storage: Storage, repository: str, file: str, digest: str) -> Signature | None:
    """Read the provenance file that lies beside a package, if there is one, and judge whether it counts."""
    try:
        reader = storage.open(layout.key(repository, layout.provenance_file(file)))
    except NotFound:
        return None
    with reader:
        data = reader.read(provenance.MAX_BYTES + 1)
        try:
            counts = provenance.names_package(provenance.parse(data), file, digest)
        except ProvenanceRefused:
            counts = False
        return Signature(reader.info.state, counts and reader.info.state != UNTOLD, data)
