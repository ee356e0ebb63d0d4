"""What the catalog knows, kept beside the packages: for a server on a bucket whose own disk is lost at each start.

It is never the truth. A line of it is used only where the bucket still lists the very state that the line was made
from, so one that is old, or of another server, costs time and nothing else.
"""

import gzip
import json
import logging
import time
import zlib
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final

from chartrepo import layout
from chartrepo.catalog import Catalog, PackageRecord, SetAside
from chartrepo.catalog.schema import SCHEMA_VERSION
from storage.base import ANYWAY, NotFound, Reader, State, Storage

log = logging.getLogger(__name__)

_EVERY: Final = 60.0
"""Seconds between two snapshots at least, while there are changes."""

_FAST: Final = 1
_KINDS: Final[dict[str, type[PackageRecord] | type[SetAside]]] = {"package": PackageRecord, "set_aside": SetAside}


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
        with TemporaryFile(dir=self._folder) as file:
            _write(file, self._catalog, content[0].catalog)
            file.seek(0)
            self._written_state = self._state.put(layout.SNAPSHOT_KEY, file, condition=ANYWAY).state
        self._written = content

    def read(self) -> dict[str, PackageRecord | SetAside]:
        """Return what it knows, by the package's key; nothing where there is none, or none that can be read."""
        try:
            with self._state.open(layout.SNAPSHOT_KEY) as reader:
                records = {layout.key(record.repository, record.file): record for record in _read(reader)}
        except NotFound:
            return {}
        except (ValueError, TypeError, KeyError, EOFError, OSError, zlib.error) as error:
            log.warning("the snapshot of the catalog cannot be read, and all packages are read instead: %s", error)
            return {}
        log.info("the snapshot of the catalog knows %d packages", len(records))
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
        for record in catalog.records():
            kind = "package" if isinstance(record, PackageRecord) else "set_aside"
            packed.write(_line([kind, *astuple(record)]))


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _read(reader: Reader) -> Iterator[PackageRecord | SetAside]:
    with gzip.GzipFile(fileobj=_File(reader)) as lines:
        header = json.loads(lines.readline())
        if header["schema"] != SCHEMA_VERSION:
            return
        for line in lines:
            kind, *values = json.loads(line)
            if kind == "package":
                values[-1] = tuple(values[-1])
            yield _KINDS[kind](*values)


class _File:
    """The part of a file object that gzip asks for."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, size: int = -1) -> bytes:
        return self._reader.read(size)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)
