"""Between rows of the tables and values."""

import hashlib
import json
from dataclasses import asdict
from typing import Any, Final

from chartrepo.catalog.engine import Row
from chartrepo.catalog.records import ContentKind, ManifestRecord, PackageRecord, SetAside, TagRecord, Withheld
from chartrepo.core import made_manifests, oci
from chartrepo.core.errors import CatalogUnavailable
from chartrepo.core.made_manifests import Part
from chartrepo.core.versions import is_stable, sort_key

MANIFEST_COLUMNS: Final = (
    "name",
    "digest",
    "media_type",
    "size",
    "subject",
    "artifact_type",
    "annotations",
    "chart",
    "loose",
)
"""The columns of `manifests`, in the order of the fields of a `ManifestRecord`."""
WITHHELD_COLUMNS: Final = ("name", "version", "digest", "size", "created", "provenance_state")
"""The columns of `set_aside` that only a `Withheld` fills, in the order of its fields."""


class BrokenRow(CatalogUnavailable):
    """A row holds what was never written into it: the file is damaged, and the database did not notice."""


def to_package(row: Row) -> PackageRecord:
    """Return what a row of `queries.RECORD_COLUMNS` says.

    Raises:
        BrokenRow: nothing that one can make sense of.
    """
    (
        repository,
        file,
        name,
        version,
        state,
        provenance_state,
        signed,
        provenance_digest,
        provenance_size,
        digest,
        size,
        created,
        as_json,
        as_yaml,
        warnings,
        signer,
    ) = row
    if not (isinstance(created, int) and isinstance(as_yaml, str) and isinstance(warnings, str)):
        raise BrokenRow("the catalog holds rows that nobody wrote: it is damaged, and is built anew soon")
    return PackageRecord(
        repository,
        file,
        name,
        version,
        state,
        provenance_state,
        bool(signed),
        provenance_digest,
        provenance_size,
        digest,
        size,
        created,
        as_json,
        as_yaml,
        tuple(json.loads(warnings)),
        signer,
    )


def from_package(record: PackageRecord) -> dict[str, Any]:
    """Return the values of a row of `packages`."""
    return {
        "repository": record.repository,
        "file": record.file,
        "name": record.name,
        "version": record.version,
        "state": record.state,
        "provenance_state": record.provenance_state,
        "signed": record.signed,
        "provenance_digest": record.provenance_digest,
        "provenance_size": record.provenance_size,
        "digest": record.digest,
        "size": record.size,
        "created": record.created,
        "sort_key": sort_key(record.version),
        "stable": is_stable(record.version),
        "tag": oci.tag_of(record.version) if oci.has_name(record.repository, record.name) else None,
        "warnings": json.dumps(record.warnings) if record.warnings else "[]",
        "signer": record.signer,
        "entry_json": record.entry_json,
        "entry_yaml": record.entry_yaml,
    }


def contents_of(record: PackageRecord) -> list[dict[str, Any]]:
    """Return the rows of `contents` for a package; none where it has no OCI form."""
    if oci.tag_of(record.version) is None or not oci.has_name(record.repository, record.name):
        return []
    metadata = made_manifests.metadata_of(record.entry_json)
    config = made_manifests.config(metadata)
    package = Part(record.digest, record.size)
    found = [
        (ContentKind.PACKAGE, bytes.fromhex(record.digest)),
        (ContentKind.CONFIG, _sha256(config)),
        (ContentKind.MANIFEST, _sha256(made_manifests.manifest(metadata, package, config_data=config))),
    ]
    if record.provenance_digest is not None:
        signature = Part(record.provenance_digest, record.provenance_size)
        found += [
            (ContentKind.PROVENANCE, bytes.fromhex(record.provenance_digest)),
            (ContentKind.SIGNED_MANIFEST, _sha256(made_manifests.manifest(metadata, package, signature))),
        ]
    return [
        {"digest": digest, "repository": record.repository, "file": record.file, "kind": kind.value}
        for kind, digest in found
    ]


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def to_manifest(row: Row) -> ManifestRecord:
    """Return what a row of `manifests` says; what the manifest needs is in other rows."""
    name, digest, media_type, size, subject, artifact_type, annotations, chart, loose = row
    return ManifestRecord(name, digest, media_type, size, subject, artifact_type, annotations, chart, bool(loose))


def from_manifest(record: ManifestRecord) -> dict[str, Any]:
    """Return the values of a row of `manifests`."""
    return {column: getattr(record, column) for column in MANIFEST_COLUMNS}


def needs_of(record: ManifestRecord) -> list[dict[str, Any]]:
    """Return the rows of `needs` for a manifest."""
    return [
        {"name": record.name, "manifest": record.digest, "digest": digest} for digest in dict.fromkeys(record.needs)
    ]


def to_tag(row: Row) -> TagRecord:
    """Return what a row of `tags` says."""
    return TagRecord(*row)


def from_tag(record: TagRecord) -> dict[str, Any]:
    """Return the values of a row of `tags`."""
    return asdict(record)


def to_set_aside(row: Row) -> SetAside:
    """Return what a row of `set_aside` says."""
    repository, file, state, reason, policies, name, *rest = row
    told = (to_name(repository), to_name(file), state, json.loads(reason), policies)
    return SetAside(*told) if name is None else Withheld(*told, name, *rest)


def from_set_aside(record: SetAside) -> dict[str, Any]:
    """Return the values of a row of `set_aside`."""
    return {
        "repository": from_name(record.repository),
        "file": from_name(record.file),
        "state": record.state,
        "reason": json.dumps(record.reason),
        "policies": record.policies,
        **{column: getattr(record, column, None) for column in WITHHELD_COLUMNS},
    }


def from_name(name: str) -> bytes:
    """Return the bytes of a file's name, also of one that is no text."""
    return name.encode("utf-8", "surrogateescape")


def to_name(name: bytes) -> str:
    """Return a file's name as Python has it."""
    return bytes(name).decode("utf-8", "surrogateescape")


def is_text(*names: str) -> bool:
    """Return whether a database takes these names as text. No package that is served has another one."""
    joined = "".join(names)
    if "\0" in joined:
        return False
    try:
        joined.encode()
    except UnicodeEncodeError:
        return False
    return True
