"""What the catalog knows, kept beside the packages: for a server on a bucket whose own disk is lost at each start.

It is never the truth. A line of it is used only where the bucket still lists the very state that the line was made
from, so one that is old, or of another server, costs time and nothing else.
"""

import errno
import gzip
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import astuple, fields, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final

from chartrepo import layout
from chartrepo.catalog import Catalog, ManifestRecord, PackageRecord, Record, SetAside, TagRecord, Withheld
from chartrepo.catalog.folders import make_private
from chartrepo.catalog.schema import SCHEMA_VERSION
from chartrepo.core.oci import parse_digest
from chartrepo.core.versions import check
from chartrepo.wording import counted
from storage.base import ANYWAY, NoSpace, NotFound, Reader, State, Storage, Unavailable

log = logging.getLogger(__name__)

_EVERY: Final = 60.0
"""Seconds between two snapshots at least, while there are changes."""

_FAST: Final = 1
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "provenance_state": (str, type(None)),
    "signed": (bool,),
    "provenance_digest": (str, type(None)),
    "provenance_size": (int,),
    "size": (int,),
    "created": (int,),
    "warnings": (list,),
    "subject": (str, type(None)),
    "artifact_type": (str, type(None)),
    "chart": (str, type(None)),
    "loose": (bool,),
    "needs": (list,),
    "package": (str, type(None)),
    "provenance": (str, type(None)),
    "signer": (str, type(None)),
}
"""What the fields of a record are in JSON; all others are texts."""

_KINDS: Final[dict[str, type[Record]]] = {
    "package": PackageRecord,
    "set_aside": SetAside,
    "withheld": Withheld,
    "manifest": ManifestRecord,
    "tag": TagRecord,
}

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Snapshot:
    """The snapshot of one catalog.

    Args:
        state: the storage it lies in.
        catalog: what is kept.
        folder: on a disk, for the file while it is made.
    """

    def __init__(self, state: Storage, catalog: Catalog, *, folder: Path) -> None:
        self._state = state
        self._catalog = catalog
        self._folder = folder
        self._written: object = None
        self._written_state: State | None = None
        self._due = 0.0
        self._warned = False

    def write_if_due(self) -> None:
        """Write it where there are changes, and the last time is long enough ago.

        Raises:
            CatalogIncomplete, CatalogUnavailable, Unavailable, NoSpace: it was not written.
        """
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _EVERY
            self.write()

    def write(self) -> None:
        """Write it where there are changes.

        Raises:
            CatalogIncomplete, CatalogUnavailable, Unavailable, NoSpace: it was not written.
        """
        content = (self._catalog.mark(""), tuple((each.name, each.revision) for each in self._catalog.repositories()))
        if content == self._written:
            return
        self._look_for_others()
        try:
            make_private(self._folder)
            with TemporaryFile(dir=self._folder) as file:
                _write(file, self._catalog, content[0].catalog)
                file.seek(0)
                self._written_state = self._state.put(layout.SNAPSHOT_KEY, file, condition=ANYWAY).state
        except OSError as error:
            what = f"the snapshot of the catalog cannot be made in {str(self._folder)!r}: {error.strerror or error}"
            raise (NoSpace if error.errno in _FULL else Unavailable)(what) from None
        self._written = content

    def read(self) -> dict[str, Record]:
        """Return what it knows, by the storage's key; nothing where there is none, or none that can be read."""
        try:
            with self._state.open(layout.SNAPSHOT_KEY) as reader:
                records = {_key(record): record for record in _read(reader)}
        except NotFound:
            return {}
        except Exception as error:  # noqa: BLE001 - it only saves time: nothing in it may keep a catalog from being built
            log.warning("the snapshot of the catalog cannot be read, and all packages are read instead: %s", error)
            return {}
        log.info("the snapshot of the catalog knows %s", counted(len(records), "object"))
        return records

    def _look_for_others(self) -> None:
        """Warn where another catalog wrote the snapshot since we did."""
        if self._written_state is None or self._warned:
            return
        try:
            found = self._state.stat(layout.SNAPSHOT_KEY).state
        except NotFound:
            return
        if found != self._written_state:
            self._warned = True
            log.warning(
                "another server writes to this bucket with a catalog of its own: each sees the other's packages only "
                "at its next sync. Give them one PostgreSQL catalog to change that"
            )


def _write(file: IO[bytes], catalog: Catalog, identifier: str) -> None:
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_FAST, mtime=0) as packed:
        packed.write(_line({"chartrepo": "snapshot", "schema": SCHEMA_VERSION, "catalog": identifier}))
        for kind, record in _records(catalog):
            packed.write(_line([kind, *astuple(record)]))


def _records(catalog: Catalog) -> Iterator[tuple[str, Record]]:
    kinds = {kind: name for name, kind in _KINDS.items()}
    for record in catalog.records():
        yield kinds[type(record)], record
    needs: dict[tuple[str, str], list[str]] = {}
    for name, manifest, digest in catalog.artifacts.all_needs():
        needs.setdefault((name, manifest), []).append(digest)
    for manifest_record in catalog.artifacts.all_manifests():
        found = tuple(needs.get((manifest_record.name, manifest_record.digest), ()))
        yield "manifest", replace(manifest_record, needs=found)
    for tag in catalog.artifacts.all_tags():
        yield "tag", tag


def _key(record: Record) -> str:
    if isinstance(record, ManifestRecord):
        return layout.manifest_key(record.name, parse_digest(record.digest))
    if isinstance(record, TagRecord):
        return layout.tag_key(record.name, record.tag)
    return layout.key(record.repository, record.file)


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _read(reader: Reader) -> Iterator[Record]:
    with gzip.GzipFile(fileobj=_File(reader)) as lines:
        header = json.loads(lines.readline())
        if header["schema"] != SCHEMA_VERSION:
            return
        for line in lines:
            yield _record(*json.loads(line))


def _record(kind: str, *values: Any) -> Record:
    """Return the record that a line stands for.

    Raises:
        ValueError, TypeError: it stands for none that a catalog takes.
    """
    if kind not in _KINDS:
        raise ValueError(f"a line is of the kind {kind!r:.100}")
    make: Any = _KINDS[kind]
    made: Record = make(*(tuple(value) if isinstance(value, list) else value for value in values))
    for name, value in zip((field.name for field in fields(made)), values, strict=True):
        if type(value) not in _TYPES.get(name, (str,)):
            raise ValueError(f"a line says {value!r:.100} for {name}")
        if isinstance(value, list) and not all(isinstance(item, str) for item in value):
            raise ValueError(f"a line has {name} that are no texts")
    if isinstance(made, PackageRecord):
        check(made.version)
    return made


class _File:
    """The part of a file object that gzip asks for."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, size: int = -1) -> bytes:
        return self._reader.read(size)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)
