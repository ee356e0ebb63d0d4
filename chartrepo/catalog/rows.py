"""Between rows of the tables and values."""

import json
from typing import Any

from chartrepo.catalog.engine import Row
from chartrepo.catalog.records import PackageRecord, SetAside
from chartrepo.core.errors import CatalogUnavailable
from chartrepo.core.versions import is_stable, sort_key


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
        digest,
        size,
        created,
        as_json,
        as_yaml,
        warnings,
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
        digest,
        size,
        created,
        as_json,
        as_yaml,
        tuple(json.loads(warnings)),
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
        "digest": record.digest,
        "size": record.size,
        "created": record.created,
        "sort_key": sort_key(record.version),
        "stable": is_stable(record.version),
        "warnings": json.dumps(record.warnings) if record.warnings else "[]",
        "entry_json": record.entry_json,
        "entry_yaml": record.entry_yaml,
    }


def to_set_aside(row: Row) -> SetAside:
    """Return what a row of `set_aside` says."""
    repository, file, state, reason = row
    return SetAside(to_name(repository), to_name(file), state, json.loads(reason))


def from_set_aside(record: SetAside) -> dict[str, Any]:
    """Return the values of a row of `set_aside`."""
    return {
        "repository": from_name(record.repository),
        "file": from_name(record.file),
        "state": record.state,
        "reason": json.dumps(record.reason),
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
